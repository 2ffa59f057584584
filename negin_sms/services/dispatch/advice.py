"""What becomes of a message that was not sent, and what its sender can do about it."""

from __future__ import annotations

from django.utils.translation import gettext as _

from negin_sms.choices import Status
from negin_sms.dates import moment_words
from negin_sms.models import Message


def advice_on(message: Message) -> str:
    """Return it in functions, or in commands for who sent it by one."""
    if message.status == Status.CANCELLED:
        return _("The message was cancelled and will not be sent.")
    if message.source == "command":
        return _at_a_terminal(message)
    if message.status == Status.HELD:
        return _(
            "The message leaves once somebody releases it: do not send it again. "
            "release([error.message]) does so, cancel([error.message]) gives up."
        )
    return _(
        "The message stays in the queue and will be sent until %(time)s: do not "
        "send it again. send_messages([error.message]) tries now, "
        "cancel([error.message]) gives up."
    ) % {"time": _end_of(message)}


def _at_a_terminal(message: Message) -> str:
    if message.status == Status.HELD:
        return _(
            "The message leaves once somebody releases it: do not send it again. "
            "Release or cancel it in the admin; manage.py hold_sms_queue --release "
            "releases all that is held."
        )
    return _(
        "The message stays in the queue and will be sent until %(time)s: do not "
        "send it again. manage.py dispatch_sms_queue sends what is due; in the admin "
        "it can be cancelled."
    ) % {"time": _end_of(message)}


def _end_of(message: Message) -> str:
    return moment_words(message.expires_at, "Y-m-d H:i e")
