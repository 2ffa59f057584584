"""Let this program's settings be the ones that send an account's messages."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from negin_sms import services

from ._arguments import plain_errors
from ._output import SmsCommand


class Command(SmsCommand):
    """Bind an account to the gateway of these settings."""

    help = (
        "Bind an SMS account to the gateway of these settings: its queue is sent there, "
        "and programs with other settings refuse. For a gateway that has moved."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the account."""
        parser.add_argument("account")

    def handle(self, *args: Any, account: str, **options: Any) -> None:
        """Adopt, and say from where to where."""
        with plain_errors():
            before, now = services.adopt_account(account)
        was = f"{before}, maybe with another USERNAME" if before == now else before
        self.stdout.write(
            f"Account {account!r} sends to {now} (before: {was or 'none'})."
        )
