"""Ask what became of the messages."""

from __future__ import annotations

import dataclasses
import json
import sys
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management import CommandError

from negin_sms import services
from negin_sms.choices import state_label

from ._arguments import count, moment, plain_errors, seconds
from ._output import SmsCommand
from ._progress import bar

# 1 is Django's for what cannot run at all, 2 argparse's for wrong options.
NOT_ASKED = 3


class Command(SmsCommand):
    """Poll; exit with 3 when a gateway could not be asked."""

    help = (
        "Ask the gateway for the delivery states of all messages that are due. Exit "
        "status 3: a gateway could not be asked; its messages stay due, nothing is "
        "lost, the next run asks again. 1: could not run (settings, database)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        add = parser.add_argument
        add("--account", help="only this account; default: all")
        add("--limit", type=count, help="ask about at most so many messages")
        add("--batch-size", type=count, help="ids in a request: STATES_BATCH_SIZE")
        add("--workers", type=count, help="requests in flight; default: WORKERS")
        add("--since", type=moment, help="only messages accepted after this time")
        add("--forever", action="store_true", help="go on until SIGTERM or Ctrl-C")
        add("--interval", type=seconds, default=5.0, help="seconds between looks: 5")
        add("--dry-run", action="store_true", help="count what is due, ask nothing")
        add("--json", action="store_true", help="print the counts for programs")
        add("--no-progress", action="store_true", help="draw no bar on a terminal")

    def handle(self, *args: Any, no_progress: bool, **options: Any) -> None:
        """Poll, and print what happened in one line."""
        if options["dry_run"] and options["forever"]:
            raise CommandError(
                "--dry-run counts once: leave --forever out.", returncode=2
            )
        chosen = {name: options[name] for name in _PASSED_ON}
        hidden = no_progress or options["verbosity"] == 0 or options["dry_run"]
        with (
            plain_errors(),
            services.stop_on_signals() as stop,
            bar(total=None, unit="SMS", hidden=hidden) as drawn,
        ):

            def show(asked: int, states: Counter[int]) -> None:
                drawn.set_postfix_str(_words(states), refresh=False)
                drawn.update(asked - drawn.n)

            if not (hidden or drawn.disable or options["forever"]):
                drawn.reset(total=services.poll_states(**chosen, dry_run=True).due)
            report = services.poll_states(
                **chosen,
                dry_run=options["dry_run"],
                forever=options["forever"],
                interval=options["interval"],
                stop=stop,
                progress=show,
            )
        self._print(report, options)
        for alert in report.alerts:
            self.stderr.write(alert)
        if report.errors and not options["forever"]:
            if options["verbosity"] > 0:
                self.stderr.write(_not_asked(report))
            sys.exit(NOT_ASKED)

    def _print(self, report: services.PollReport, options: dict[str, Any]) -> None:
        if options["json"]:
            # Not asdict, which takes a Counter apart.
            names = [field.name for field in dataclasses.fields(report)]
            counts = {name: getattr(report, name) for name in names}
            self.stdout.write(json.dumps(counts))
        elif options["dry_run"]:
            self.stdout.write(f"{report.due} due.")
        elif options["verbosity"] > 0:
            self.stdout.write(_summary(report))


_PASSED_ON = ("account", "limit", "batch_size", "workers", "since")


def _not_asked(report: services.PollReport) -> str:
    # None where an earlier failure is still waited for: nothing was tried now.
    first = "What is due stays due."
    if report.put_off:
        first = f"{report.put_off} message(s) could not be asked about and stay due."
    return " ".join([first, *report.errors])


def _words(states: Counter[int]) -> str:
    return ", ".join(f"{state_label(code)} {n}" for code, n in states.most_common(6))


def _summary(report: services.PollReport) -> str:
    words = _words(report.states)
    return (
        f"{report.asked} asked, {report.answered} answered, {report.changed} changed, "
        f"{report.settled} settled ({report.no_report} without a report), "
        f"{report.requests} request(s)." + (f" {words}." if words else "")
    )
