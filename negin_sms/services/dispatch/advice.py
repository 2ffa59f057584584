"""What becomes of a message that was not sent, and what a program can do about it."""

from __future__ import annotations

from django.utils.translation import gettext as _

from negin_sms.choices import Status
from negin_sms.dates import moment_words
from negin_sms.models import Message
from negin_sms.services.outbox.gate import why_waiting


def fate_of(message: Message) -> str:
    """Return what becomes of the row, in a sentence."""
    if message.status == Status.CANCELLED:
        return _("The message was cancelled and will not be sent.")
    if message.status == Status.HELD:
        return _("The message leaves once somebody releases it: do not send it again.")
    verdicts = why_waiting(message)
    if stopped := [each for each in verdicts if each.stops]:
        return str(stopped[0].words)
    moments = [each.until for each in verdicts if each.until is not None]
    if max([message.due_at, *moments]) >= message.expires_at:
        words = _(
            "The message will not be sent by itself: its time is over at %(time)s, "
            "before it may leave."
        )
    else:
        words = _(
            "The message stays in the queue and is tried until %(time)s: do not "
            "send it again."
        )
    return words % {"time": moment_words(message.expires_at, "Y-m-d H:i e")}


def advice_on(message: Message) -> str:
    """Return the functions for a row that waits, "" for one that does not."""
    if message.status == Status.CANCELLED:
        return ""
    if message.status == Status.HELD:
        return _("release([error.message]) does so, cancel([error.message]) gives up.")
    return _(
        "send_messages([error.message]) tries now, cancel([error.message]) gives up."
    )
