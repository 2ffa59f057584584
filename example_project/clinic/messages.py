"""What the clinic says at once: codes and receipts."""

from __future__ import annotations

import secrets

from django.db import transaction

from negin_sms.choices import Priority
from negin_sms.exceptions import NeginSmsError
from negin_sms.models import Message
from negin_sms.services import queue_sms, send_sms

from .models import Patient


def send_code(patient: Patient) -> str | None:
    """Send a one-time code; return it, or None where it surely does not arrive.

    The patient waits for it, so it is sent now, is of no use after two minutes, and is
    not kept. After ``OutcomeUnknown`` it may arrive yet: the code stands.
    """
    code = f"{secrets.randbelow(10**6):06}"
    try:
        send_sms(
            patient.mobile,
            f"{code} is your code. Do not give it to anyone.",
            sensitive=True,
            priority=Priority.URGENT,
            expires_in=120,
            on_not_sent="cancel",
        )
    except NeginSmsError as error:
        message: Message | None = getattr(error, "message", None)
        return code if message and message.status == "uncertain" else None
    return code


def pay(patient: Patient, invoice: int, amount: int) -> Message:
    """Write down a payment, and queue its receipt in the same transaction.

    Called twice, it is one receipt; rolled back, it is none.
    """
    with transaction.atomic():
        # ... the invoice's row is saved here ...
        return queue_sms(
            patient.mobile,
            f"We have received {amount:,} rials for invoice {invoice}.",
            idempotency_key=f"invoice-{invoice}-paid",
            source=f"invoice-{invoice}",
        )
