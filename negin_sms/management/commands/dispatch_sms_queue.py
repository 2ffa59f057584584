"""Send what is due."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from negin_sms import services

from ._arguments import count, plain_errors, seconds
from ._output import SmsCommand
from ._progress import bar

# 1 is Django's for what cannot run at all, 2 argparse's for wrong options.
NOTHING_LEFT = 3


class Command(SmsCommand):
    """Run the dispatcher, once or for good."""

    help = (
        "Send the queued SMS that are due. Any number of these may run at once. Exit "
        "status 3: an account is paused, or messages were tried, and none was "
        "accepted; or a result could not be written. 1: could not run."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        add = parser.add_argument
        add("--account", help="only this account; default: all")
        add("--workers", type=count, help="requests in flight; default: WORKERS")
        add("--limit", type=count, help="send at most so many messages, then end")
        add("--forever", action="store_true", help="go on until SIGTERM or Ctrl-C")
        add("--interval", type=seconds, default=1.0, help="seconds between looks: 1")
        add("--rate", type=seconds, help="messages a second; default: RATE")
        add("--lease", type=seconds, help="seconds a claim lasts; default: LEASE")
        add("--no-progress", action="store_true", help="draw no bar on a terminal")

    def handle(self, *args: Any, no_progress: bool, **options: Any) -> None:
        """Dispatch, and print what happened in one line."""
        chosen = {name: options[name] for name in _PASSED_ON}
        hidden = no_progress or options["verbosity"] == 0
        with (
            plain_errors(),
            services.stop_on_signals() as stop,
            bar(total=None, unit="SMS", hidden=hidden) as drawn,
        ):
            report = services.dispatch_queue(**chosen, stop=stop, progress=drawn.update)
        for alert in report.alerts:
            self.stderr.write(alert)
        if options["verbosity"] > 0:
            for alias, reason in report.paused.items():
                self.stdout.write(f"Account {alias!r} is paused: {reason}")
            self.stdout.write(_summary(report))
        if report.failed and not options["forever"]:
            sys.exit(NOTHING_LEFT)


_PASSED_ON = ("account", "workers", "limit", "forever", "interval", "rate", "lease")


def _summary(report: services.DispatchReport) -> str:
    text = (
        f"{report.accepted} accepted, {report.rejected} rejected, "
        f"{report.uncertain} uncertain, {report.not_sent} not sent (queued again)"
    )
    rare = {
        "kept back by a rule (queued again)": report.put_off,
        "cancelled": report.cancelled,
        "expired": report.expired,
        "uncertain because their worker died": report.expired_claims,
        "not written (see the log)": report.unwritten,
    }
    return ", ".join([text, *(f"{n} {what}" for what, n in rare.items() if n)]) + "."
