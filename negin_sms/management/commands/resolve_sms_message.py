"""Decide what an uncertain message was, by hand or from a line of the log."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import CommandError

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.models import Message

from ._arguments import plain_errors
from ._output import SmsCommand


class Command(SmsCommand):
    """Resolve one message; also one whose result could not be written."""

    help = (
        "Resolve an uncertain SMS as accepted or rejected. The log's line «SMS result "
        "not saved: message=… claim=… status=… gateway_id=…» holds the arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the message and the decision."""
        parser.add_argument("message", type=int, help="the message's number")
        parser.add_argument("status", choices=[Status.ACCEPTED, Status.REJECTED])
        parser.add_argument("--gateway-id", default="", help="with it, it is polled")
        parser.add_argument(
            "--claim", default="", help="from the log: proves the result"
        )
        parser.add_argument("--why", default="", help="how you know; not with --claim")

    def handle(
        self, *args: Any, message: int, status: str, why: str, **options: Any
    ) -> None:
        """Resolve, and print where the message stands now."""
        row = Message.objects.filter(pk=message).first()
        if row is None:
            raise CommandError(f"There is no message {message}.")
        with plain_errors():
            services.expire_claims()
            row = services.resolve(
                row,
                status,
                by=None,
                why=why or ("from the log" if options["claim"] else ""),
                gateway_id=options["gateway_id"],
                claim=options["claim"],
            )
        self.stdout.write(f"Message {row.pk}: {row.get_status_display()}.")
