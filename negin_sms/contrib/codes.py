"""What the adapters share: a one-time password on its way to a person.

A code goes out before everything that waits, at once or not at all; where an account
has a waker, its dispatcher has until the code expires. The text is shown to nobody.
Who waits for it reads one sentence when it did not go out; why is for the log and the
admin, since a stranger might be asking about somebody else's number.
"""

from __future__ import annotations

import functools
import logging
from typing import Any, Unpack, cast

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from negin_sms.choices import Priority, Status
from negin_sms.error_reports import private
from negin_sms.exceptions import (
    InvalidConfiguration,
    InvalidMessage,
    NeginSmsError,
    OutcomeUnknown,
)
from negin_sms.gateway.redaction import redact
from negin_sms.models import Message
from negin_sms.services import send_sms
from negin_sms.services.database import after_commit, write_alias
from negin_sms.services.submission.compose import MessageOptions, compose

logger = logging.getLogger("negin_sms")

EXPIRES_IN = 120
"""Seconds after which a code that has not left is not sent any more."""


class CodeNotSent(NeginSmsError):
    """The code did not go out; ``str()`` is a sentence for who waits for it.

    It names neither the number nor the reason. A row there may be is cancelled or
    rejected, so that asking for a new code is always right.
    """

    def __str__(self) -> str:
        return str(self.args[0])


@private
def send_code(mobile: object, text: str, **fields: Unpack[MessageOptions]) -> Message:
    """Send a one-time password now and return its row.

    ``fields`` are those of ``send_sms``; ``expires_in`` is 120 seconds unless
    given. Inside a transaction it leaves after the commit, which raises nothing; the
    log tells of it then.

    Raise CodeNotSent where it surely did not go out, whoever refused it: its number,
    the gateway, a cap, a veto. A message that may have been
    sent is returned: its code may be on the phone already. Raise InvalidMessage
    for any field but the number: that is the project's mistake.
    """
    options = _options(fields)
    try:
        row = send_sms(mobile, text, on_not_sent="cancel", **options)
    except OutcomeUnknown as error:
        return cast(Message, error.message)
    except NeginSmsError as error:
        if isinstance(error, InvalidMessage) and error.field != "mobile":
            raise
        _log(type(error).__name__, getattr(error, "message", None), error)
    else:
        # Sent already, unless there is a commit to wait for: then after it was sent.
        after_commit(write_alias(), functools.partial(_log_fate, row))
        return row
    raise CodeNotSent(
        gettext_lazy("The code could not be sent. Ask for a new one in a few minutes.")
    )


def unfit_fields(fields: Any) -> str:
    """Return why no code can be sent with these fields of ``send_sms``, or "".

    For system checks: a wrong field would show when somebody wants to log in, and to
    nobody else. The words follow the name of where the fields are written.
    """
    if not isinstance(fields, dict):
        return "must be a dictionary."
    # One key for all codes would let the first one out, and no other.
    known = MessageOptions.__annotations__.keys() - {"idempotency_key"}
    if unknown := sorted(map(str, fields.keys() - known)):
        wrong, right = ", ".join(unknown), ", ".join(sorted(known))
        return f"cannot have {wrong}, only: {right}."
    try:
        options = _options(cast(MessageOptions, fields))
        compose("09000000000", "1", now=timezone.now(), **options)
    except InvalidMessage as error:
        return f"cannot be used. {error}"
    except InvalidConfiguration:
        return ""  # negin_sms.E001 says it
    return ""


def _options(fields: MessageOptions) -> MessageOptions:
    options: MessageOptions = {"expires_in": EXPIRES_IN, **fields}
    options |= {"priority": Priority.URGENT, "sensitive": True}
    return options


def _log_fate(row: Message) -> None:
    if row.status in (Status.CANCELLED, Status.REJECTED, Status.EXPIRED):
        _log(Status(row.status).name.capitalize(), row, row.detail)


def _log(kind: str, row: Message | None, why: object) -> None:
    # A project's own veto may name whom it is about.
    told = redact(str(why), (row.mobile[-10:], row.text)) if row else str(why)
    key = row and row.pk
    logger.warning("One-time password not sent: %s, SMS %s: %s", kind, key, told)


def code_text(code: str) -> str:
    """Return the text of a code's message, the code first: phones show that much."""
    return _("%(code)s is your code. Do not give it to anyone.") % {"code": code}
