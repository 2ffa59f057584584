"""Keep what waits from leaving, after a backup was restored; let it leave again."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import CommandError

from negin_sms import services

from ._arguments import plain_errors
from ._output import SmsCommand


class Command(SmsCommand):
    """Hold the queue, or release what is held."""

    help = (
        "Hold every queued SMS until somebody releases it: what waits in a restored "
        "backup may have been sent since. Stop the dispatchers first."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what is held and why, and the way back."""
        add = parser.add_argument
        add("--account", help="only this account; default: all")
        add("--reason", help="to hold: the next person wants it")
        add("--release", action="store_true", help="let what is held leave")
        add("--group", help="with --release: only this group")

    def handle(
        self,
        *args: Any,
        account: str | None,
        reason: str | None,
        release: bool,
        group: str | None,
        **options: Any,
    ) -> None:
        """Hold or release, and say what that means."""
        if release == (reason is not None):
            raise CommandError("Give --reason to hold, or --release.", returncode=2)
        if group is not None and not release:
            raise CommandError("--group goes with --release.", returncode=2)
        with plain_errors():
            if release:
                report = services.release_queue(account=account, group=group)
                words = _released(report, group)
            else:
                held = services.hold_queue(reason=reason or "", account=account)
                words = _held(held)
        self.stdout.write(words)


def _held(report: services.HoldReport) -> str:
    words = f"{report.held} message(s) are held now; release or cancel them."
    if report.sending:
        words += (
            f" {report.sending} were in a worker's hands: uncertain once their lease "
            "is over. If a dispatcher runs, stop it and hold again."
        )
    return words


def _released(report: services.ReleaseReport, group: str | None) -> str:
    if group is not None and not (report.released or report.expired):
        return f"No message of group {group!r} is held; nothing was released."
    words = f"{report.released} message(s) may leave again, each when it is due."
    if report.expired:
        words += f" {report.expired} are too old and will not be sent."
    return words
