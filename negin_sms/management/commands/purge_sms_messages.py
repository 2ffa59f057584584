"""Delete, or redact, what is over and old."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from negin_sms import services

from ._arguments import age, plain_errors
from ._output import SmsCommand
from ._progress import bar

_AGE = "since their sending ended, such as 90d; m, h and d are known"


class Command(SmsCommand):
    """Purge in short transactions, so that the dispatcher works on meanwhile."""

    help = (
        "Delete the SMS that ended and settled so long ago; the report keeps its "
        "counts. Nothing that waits, is being sent, is still asked about or is "
        "uncertain is touched. May be stopped and run again at any time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        add = parser.add_argument
        add("--older-than", type=age, required=True, metavar="AGE", help=_AGE)
        add(
            "--redact", action="store_true", help="redact number and text, keep the row"
        )
        add("--drafts", action="store_true", help="also delete drafts of that age")
        add("--dry-run", action="store_true", help="count, and change nothing")
        add("--no-progress", action="store_true", help="draw no bar on a terminal")

    def handle(self, *args: Any, no_progress: bool, **options: Any) -> None:
        """Purge, and print what was done in one line."""
        chosen = {name: options[name] for name in _PASSED_ON}
        dry_run = options["dry_run"]
        hidden = no_progress or options["verbosity"] == 0 or dry_run
        with (
            plain_errors(),
            services.stop_on_signals() as stop,
            bar(total=None, unit="SMS", hidden=hidden) as drawn,
        ):
            if not (hidden or drawn.disable):
                expected = services.purge_messages(**chosen, dry_run=True)
                drawn.reset(total=expected.messages)
            report = services.purge_messages(
                **chosen, dry_run=dry_run, stop=stop, progress=drawn.update
            )
        if options["verbosity"] > 0:
            self.stdout.write(_summary(report, options["redact"], dry_run))


_PASSED_ON = ("older_than", "redact", "drafts")


def _summary(report: services.PurgeReport, redact: bool, dry_run: bool) -> str:
    done = "redacted" if redact else "deleted"
    would = "to be " if dry_run else ""
    text = f"{report.messages} message(s) {would}{done}"
    rare = {
        f"draft(s) {would}deleted": report.drafts,
        "uncertain kept (resolve them first)": report.uncertain,
        "kept that are still asked about": report.unsettled,
    }
    text = ", ".join([text, *(f"{n} {what}" for what, n in rare.items() if n)])
    if not dry_run:
        text += f"; longest transaction {report.longest_seconds:.2f} s"
    return text + (". Stopped; run it again for the rest." if report.stopped else ".")
