"""Send one message from the shell."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import CommandError
from django.utils.translation import gettext as _

from negin_sms import services
from negin_sms.choices import Scenario, Status
from negin_sms.exceptions import GatewayError, Vetoed
from negin_sms.models import Message

from ._arguments import plain_errors, seconds, service_text
from ._output import SmsCommand
from ._waiting import reasons


class Command(SmsCommand):
    """Send one message and say what the gateway said."""

    help = "Send one SMS now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the message and the scenario's options."""
        add = parser.add_argument
        add("mobile", help="recipient, in any spelling")
        add("text")
        add("--scenario", choices=Scenario.values, default=Scenario.SINGLE.value)
        add("--line", help="sending line; default: the account's LINE")
        add("--line2", help="second line (second_line); default: the account's LINE2")
        add(
            "--template",
            type=service_text,
            help="number of the text for the service line, or its name in SERVICE_TEXTS",
        )
        add("--account", default="default")
        add("--idempotency-key", help="a second call with this key sends nothing")
        add("--expires-in", type=seconds, help="seconds in which it may be sent")
        add("--sensitive", action="store_true", help="keep the text out of sight")

    def handle(self, *args: Any, mobile: str, text: str, **options: Any) -> None:
        """Send, and print the row's number and the gateway's id."""
        chosen = {name: options[name] for name in _PASSED_ON}
        with plain_errors():
            try:
                message = services.send_sms(mobile, text, source="command", **chosen)
            except (GatewayError, Vetoed) as error:
                raise CommandError(_explain(error)) from None
        words = f"Message {message.pk}: {message.get_status_display()}"
        if message.gateway_id:
            words += f", gateway id {message.gateway_id}, line {message.used_line}"
        told = message.detail or " ".join(why for why, _until in reasons(message))
        words = f"{words}. {told}".rstrip()
        if message.status in (Status.QUEUED, Status.HELD):
            words = f"{words} {_advice_on(message)}"
        if message.status != Status.ACCEPTED:  # an order keeps it: DISPATCH, ONLY_TO
            raise CommandError(words)
        self.stdout.write(words)


_PASSED_ON = (
    *("scenario", "line", "line2", "template", "account"),
    *("idempotency_key", "expires_in", "sensitive"),
)


def _explain(error: GatewayError | Vetoed) -> str:
    row = error.message
    if row is None:
        return str(error)
    if isinstance(error, GatewayError) and error.advice:  # it names functions
        error.advice = _advice_on(row)
    return f"Message {row.pk}: {row.get_status_display()}. {error}"


def _advice_on(row: Message) -> str:
    if row.status == Status.HELD:
        return _(
            "Release or cancel it in the admin; manage.py hold_sms_queue --release "
            "releases all that is held."
        )
    return _(
        "manage.py dispatch_sms_queue sends what is due; in the admin it can be "
        "cancelled."
    )
