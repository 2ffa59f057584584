"""The words for what a button did, one function for each thing that can happen."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from negin_sms.characters import left_to_right
from negin_sms.choices import Status
from negin_sms.dates import both_words
from negin_sms.models import Message
from negin_sms.services.operations.resending import (
    left_early,
    may_have_arrived,
    planned_time,
)


def accepted_words(done: Sequence[Message]) -> str:
    """Say what the gateway accepted, and what left ahead of its time."""
    words = _("The gateway accepted %(count)s messages.") % {"count": len(done)}
    if len(done) == 1:
        words = _("The gateway accepted message %(pk)s; its id there is %(id)s.")
        copied = left_to_right(done[0].gateway_id)
        words %= {"pk": done[0].pk, "id": copied}
    count = sum(map(left_early, done))
    early = ngettext(
        "%(count)s message was sent ahead of its time.",
        "%(count)s messages were sent ahead of their times.",
        count,
    )
    return f"{words} {early % {'count': count}}" if count else words


def scheduled_words(done: Sequence[Message]) -> str:
    """Say for when they are scheduled."""
    first = min(message.send_at for message in done if message.send_at)
    return scheduled_count_words(len(done), first)


def scheduled_count_words(count: int, first: datetime) -> str:
    """Say for when so many messages are scheduled; quiet hours may keep them longer."""
    words = ngettext(
        "%(count)s message is scheduled for %(moment)s.",
        "%(count)s messages are scheduled; none leaves before %(moment)s.",
        count,
    )
    return words % {"count": count, "moment": both_words(first)}


def queued_words(done: Sequence[Message]) -> str:
    """Say who sends what was queued, and what waits for its time."""
    return " ".join([queued_count_words(len(done)), *scheduled_warnings(done)])


def queued_count_words(count: int) -> str:
    """Say who sends so many queued messages."""
    words = ngettext(
        "%(count)s message was queued for the dispatcher to send.",
        "%(count)s messages were queued for the dispatcher to send.",
        count,
    )
    return words % {"count": count}


def waiting_words(done: Sequence[Message]) -> str:
    """Say who sends what was queued before."""
    words = ngettext(
        "%(count)s message was waiting already, for the dispatcher to send.",
        "%(count)s messages were waiting already, for the dispatcher to send.",
        len(done),
    )
    return " ".join([words % {"count": len(done)}, *scheduled_warnings(done)])


def cancelled_words(done: Sequence[Message]) -> str:
    """Say what will not be sent."""
    words = ngettext(
        "%(count)s message was cancelled and will not be sent.",
        "%(count)s messages were cancelled and will not be sent.",
        len(done),
    )
    return words % {"count": len(done)}


def released_words(done: Sequence[Message]) -> str:
    """Say when what was held leaves."""
    words = ngettext(
        "%(count)s message was released: it leaves at its time, or as soon as it can.",
        "%(count)s messages were released: they leave at their times, or as soon as "
        "they can.",
        len(done),
    )
    return words % {"count": len(done)}


def release_advice(chosen: Sequence[Message]) -> str:
    """Warn of what is held, whichever button lets it leave."""
    if not any(message.is_held for message in chosen):
        return ""
    return _(
        "What was held after a restore or a failover may have been sent already: it "
        "may arrive twice. Look in the gateway's panel first."
    )


def resent_words(done: Sequence[Message]) -> str:
    """Say what was queued as a new message."""
    words = ngettext(
        "%(count)s message was queued again as a new one, for the dispatcher to send.",
        "%(count)s messages were queued again as new ones, for the dispatcher to send.",
        len(done),
    )
    return " ".join([words % {"count": len(done)}, *scheduled_warnings(done)])


def scheduled_warnings(messages: Sequence[Message]) -> list[str]:
    """Say how many keep a time that is still to come, and the first of these."""
    now = timezone.now()
    planned = map(planned_time, messages)
    later = [moment for moment in planned if moment and moment > now]
    if not later:
        return []
    words = ngettext(
        "%(count)s message has a time of its own, and leaves then: on %(moment)s.",
        "%(count)s messages have times of their own, and leave then; the first on "
        "%(moment)s.",
        len(later),
    )
    return [words % {"count": len(later), "moment": both_words(min(later))}]


def resend_advice(chosen: Sequence[Message]) -> str:
    """Warn of what may arrive twice; what is certain to be unsent is simply sent."""
    sent = [each for each in chosen if may_have_arrived(each)]
    reported = sum(each.status == Status.ACCEPTED for each in sent)
    doubtful = len(sent) - reported
    advice = []
    if doubtful:
        words = ngettext(
            "%(count)s message may have been sent already: it may arrive twice. Look in "
            "the gateway's panel first.",
            "%(count)s messages may have been sent already: they may arrive twice. Look "
            "in the gateway's panel first.",
            doubtful,
        )
        advice.append(words % {"count": doubtful})
    if reported:
        words = ngettext(
            "%(count)s message was sent, and reported as not delivered or refused by the "
            "operator. Seldom such a report is wrong: then it arrives twice.",
            "%(count)s messages were sent, and reported as not delivered or refused by "
            "the operator. Seldom such a report is wrong: then they arrive twice.",
            reported,
        )
        advice.append(words % {"count": reported})
    return " ".join(advice)


def cancel_advice(chosen: Sequence[Message]) -> str:
    """Say what a cancelled message cannot do any more."""
    words = _("A cancelled message cannot be queued any more.")
    return " ".join([words, *_redaction_warnings(chosen)])


def resolve_advice(chosen: Sequence[Message]) -> str:
    """Say where to look before a decision that is final."""
    words = _(
        "Look for the number and the time in the gateway's panel. The decision is final."
    )
    return " ".join([words, *_redaction_warnings(chosen)])


def _redaction_warnings(chosen: Sequence[Message]) -> list[str]:
    if not any(each.sensitive for each in chosen):
        return []
    words = _(
        "What is sensitive loses its text within moments, and cannot be sent again then."
    )
    return [words]


def resolved_words(done: Sequence[Message], status: object, why: str) -> str:
    """Say what a person decided."""
    words = ngettext(
        "%(count)s message was resolved as “%(status)s”: %(why)s",
        "%(count)s messages were resolved as “%(status)s”: %(why)s",
        len(done),
    )
    return words % {"count": len(done), "status": status, "why": why}


_UNSENT = {
    Status.SENDING: gettext_lazy("Being sent by a dispatcher"),
    Status.ACCEPTED: gettext_lazy("Sent already"),
    Status.QUEUED: gettext_lazy("Not sent now, still queued"),
    Status.REJECTED: gettext_lazy("Rejected"),
    Status.UNCERTAIN: gettext_lazy("Uncertain, may have been sent"),
}


def unsent_words(row: Message | None, queued: Collection[int] = ()) -> str:
    """Say why a message was not sent, by its status; ``queued`` are those of before."""
    if row and row.status == Status.QUEUED and row.pk not in queued:
        return _("Queued, not sent now")
    words = _UNSENT.get(Status(row.status)) if row else None
    return str(words) if words else _("Not sent")
