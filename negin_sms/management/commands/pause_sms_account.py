"""Stop an account from sending."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from negin_sms import jalali, services

from ._arguments import end, plain_errors
from ._output import SmsCommand


class Command(SmsCommand):
    """Pause an account until it is resumed, or until a time."""

    help = "Stop an SMS account from sending; its messages stay queued and may expire."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the account and why."""
        parser.add_argument("account")
        parser.add_argument("--reason", required=True, help="the next person wants it")
        parser.add_argument("--until", type=end, help="default: until resumed")

    def handle(
        self,
        *args: Any,
        account: str,
        reason: str,
        until: datetime | None,
        **options: Any,
    ) -> None:
        """Pause, and say what that means."""
        with plain_errors():
            services.pause_account(account, reason=reason, until=until)
        how_long = f"until {_both_calendars(until)}" if until else "until it is resumed"
        self.stdout.write(f"Account {account!r} is paused {how_long}.")


def _both_calendars(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M %Z} ({jalali.written(moment.date())})"
