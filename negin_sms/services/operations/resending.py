"""Sending again, by a new message, what is over and did not arrive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from negin_sms.choices import Scenario, State, Status
from negin_sms.error_reports import private
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message
from negin_sms.querysets import database_now
from negin_sms.services.database import write_alias
from negin_sms.services.reports import ActionReport
from negin_sms.services.submission.arguments import User, several
from negin_sms.services.submission.compose import compose, way_of
from negin_sms.services.submission.idempotency import hand_over_key
from negin_sms.services.submission.keywords import checks_keywords, read_choice
from negin_sms.services.submission.wakers import wake

_NOT_SENT = (Status.REJECTED, Status.CANCELLED, Status.EXPIRED)
_LEFT = (Status.ACCEPTED, Status.REJECTED, Status.UNCERTAIN)
_NOT_DELIVERED = (State.UNDELIVERED, State.REFUSED)
_NOT_SENT_YET = {
    Status.DRAFT: gettext_lazy("It is a draft: a person confirms or discards it."),
    Status.HELD: gettext_lazy("It is held: a person releases or cancels it."),
    Status.QUEUED: gettext_lazy(
        "It waits in the queue and will be sent: it is not sent again."
    ),
}


def may_resend(message: Message) -> bool:
    """Return whether a message can be sent again: it is over and did not arrive."""
    return not why_not_resent(message)


def why_not_resent(message: Message) -> str:
    """Return what keeps a message from being sent again, "" for nothing."""
    if message.redacted_at is not None:
        return _("Its text was redacted; write a new message.")
    if waits := _NOT_SENT_YET.get(Status(message.status)):
        return str(waits)
    is_over = message.status in (*_NOT_SENT, Status.UNCERTAIN) or (
        message.status == Status.ACCEPTED and message.state in _NOT_DELIVERED
    )
    return (
        "" if is_over else _("It may arrive yet, or has arrived: it is not sent again.")
    )


def may_have_arrived(message: Message) -> bool:
    """Return whether who sends a message again should be warned."""
    return message.status not in _NOT_SENT


def left_early(message: Message) -> bool:
    """Return whether somebody sent a message ahead of its ``send_at``."""
    ended_at = message.finished_at if message.status in _LEFT else None
    return bool(ended_at and message.send_at and ended_at < message.send_at)


def planned_time(message: Message) -> datetime | None:
    """Return the ``send_at`` that still counts: not that of what left before it."""
    return None if left_early(message) else message.send_at


@checks_keywords
@private
def resend(
    messages: Message | Iterable[Message],
    *,
    by: User | None,
    scenario: str | None = None,
    line: str | None = None,
    line2: str | None = None,
    template: int | str | None = None,
) -> ActionReport:
    """Queue a new message for each of these that is over and did not arrive.

    That is what was rejected, cancelled, expired or not delivered, and what is
    uncertain, which may arrive twice: that is the caller's decision. The new row
    points at the old one (``resend_of``); there is one at the most, however often this
    is called. It has the old one's idempotency key where that was never sent, leaves at
    its ``send_at`` where that is still to come, unless the old one was sent before it,
    may wait as long as it could from then on, and goes its way, unless another
    ``scenario``, ``line`` or ``template`` is given. What was redacted, or cannot go
    that way, is skipped. Raise InvalidMessage for a scenario that is none.
    """
    using = write_alias()
    scenario = scenario and read_choice("scenario", scenario, Scenario)
    way = {"scenario": scenario, "line": line, "line2": line2, "template": template}
    done, skipped = 0, []
    for message in several(messages):
        reason = _resend_one(message.pk, by, way, using)
        if reason:
            skipped.append((message.pk, reason))
        else:
            done += 1
            wake(message.account, using)
    return ActionReport(done, tuple(skipped))


@private
def refuse_unfit_way(messages: Iterable[Message], way: Mapping[str, Any]) -> None:
    """Raise InvalidMessage, with the field, for a way that one of these cannot go.

    ``way`` has the keywords of ``resend``. What cannot be sent again for another reason
    is left to it, which skips it with that reason.
    """
    if all(value is None for value in way.values()):
        return
    now = database_now(write_alias())
    for message in filter(may_resend, messages):
        try:
            _copy(message, None, way, now)
        except InvalidMessage as error:
            if error.field in way:
                raise


def _resend_one(pk: int, by: User | None, way: Mapping[str, Any], using: str) -> str:
    """Queue the copy of one message; return why not, or "" when it is done."""
    with transaction.atomic(using=using):
        old = Message.objects.using(using).select_for_update().filter(pk=pk).first()
        if old is None:
            return _("There is no such message any more.")
        if reason := why_not_resent(old):
            return reason
        if Message.objects.using(using).resends_of([pk]).exists():
            return _("It was sent again already.")
        try:
            with transaction.atomic(using=using):
                copy = _copy(old, by, way, database_now(using))
                hand_over_key(old, copy, using)
                copy.save(using=using)
        except InvalidMessage as error:
            return str(error.reason)
        except IntegrityError:
            return _("It was sent again already.")
    return ""


def _copy(
    old: Message, by: User | None, way: Mapping[str, Any], now: datetime
) -> Message:
    given = {name: value for name, value in way.items() if value is not None}
    # What somebody sent before its time is not to wait for that time now.
    send_at = planned_time(old)
    copy = compose(
        old.mobile,
        old.text,
        now=now,
        send_at=send_at if send_at and send_at > now else None,
        expires_in=old.lifetime,
        created_by=by,
        **{name: getattr(old, name) for name in _COPIED},
        **way_of(old, given),
    )
    copy.resend_of = old
    # A time that has passed too, as whoever repeats the call under its key asks for it.
    copy.send_at = send_at
    return copy


_COPIED = ("account", "priority", "sensitive", "source", "group")
