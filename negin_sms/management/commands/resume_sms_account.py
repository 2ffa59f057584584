"""Let an account send again."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from negin_sms import conf, services

from ._arguments import plain_errors
from ._output import SmsCommand


class Command(SmsCommand):
    """End a pause, whoever or whatever began it."""

    help = "End the pause of an SMS account, made by a person or by the breaker."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the account."""
        parser.add_argument("account")

    def handle(self, *args: Any, account: str, **options: Any) -> None:
        """Resume."""
        with plain_errors():
            was_paused = services.resume_account(account)
            is_on = conf.get_account(account).dispatch
        words = "is resumed" if was_paused else "was not paused"
        rest = "" if is_on else "; DISPATCH is off in its settings"
        self.stdout.write(f"Account {account!r} {words}{rest}.")
