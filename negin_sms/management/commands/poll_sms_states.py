"""Ask what became of the messages."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management import BaseCommand, CommandError

from negin_sms import services
from negin_sms.choices import state_label

from ._arguments import count, moment, plain_errors
from ._progress import bar


class Command(BaseCommand):
    """Poll once; exit with 1 when a gateway could not be asked."""

    help = "Ask the gateway for the delivery states of all messages that are due."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        add = parser.add_argument
        add("--account", help="only this account; default: all")
        add("--limit", type=count, help="ask about at most so many messages")
        add("--batch-size", type=count, help="ids in a request: STATES_BATCH_SIZE")
        add("--workers", type=count, help="requests in flight; default: WORKERS")
        add("--since", type=moment, help="only messages accepted after this time")
        add("--dry-run", action="store_true", help="count what is due, ask nothing")
        add("--no-progress", action="store_true", help="draw no bar on a terminal")

    def handle(self, *args: Any, no_progress: bool, **options: Any) -> None:
        """Poll, and print what happened in one line."""
        chosen = {name: options[name] for name in _PASSED_ON}
        hidden = no_progress or options["verbosity"] == 0
        with plain_errors(), services.stop_on_signals() as stop:
            due = services.poll_states(**{**chosen, "dry_run": True}).due
            if options["dry_run"]:
                self.stdout.write(f"{due} due.")
                return
            with bar(total=due, unit="SMS", hidden=hidden) as drawn:

                def show(asked: int, states: Counter[int]) -> None:
                    drawn.set_postfix_str(_words(states), refresh=False)
                    drawn.update(asked - drawn.n)

                report = services.poll_states(**chosen, stop=stop, progress=show)
        if options["verbosity"] > 0:
            self.stdout.write(_summary(report))
        if report.errors:
            raise CommandError(
                f"{report.put_off} message(s) could not be asked about and stay due. "
                + " ".join(report.errors)
            )


_PASSED_ON = ("account", "limit", "batch_size", "workers", "since", "dry_run")


def _words(states: Counter[int]) -> str:
    return ", ".join(f"{state_label(code)} {n}" for code, n in states.most_common(4))


def _summary(report: services.PollReport) -> str:
    return (
        f"{report.asked} asked, {report.answered} answered, {report.changed} changed, "
        f"{report.settled} settled ({report.no_report} without a report), "
        f"{report.requests} request(s)."
    )
