"""What a person decides: to send again, or what an uncertain message was."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, overload

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from negin_sms import conf
from negin_sms.choices import Scenario, State, Status
from negin_sms.error_reports import private
from negin_sms.exceptions import InvalidMessage, NeginSmsError
from negin_sms.gateway.cleaning import clean
from negin_sms.gateway.codes import LARGEST_SUSPECT_ID
from negin_sms.models import Message
from negin_sms.querysets import DbNow, MessageQuerySet, database_now, from_now
from negin_sms.retries import next_poll_age
from negin_sms.services.announcements import announce_outcomes, announce_settled
from negin_sms.services.database import write_alias
from negin_sms.services.outbox import transitions
from negin_sms.services.outbox.shared_ids import flag_shared_ids
from negin_sms.services.reports import ActionReport
from negin_sms.services.statistics.daily_counts import invalidate_days
from negin_sms.services.submission.arguments import User, several, user_key
from negin_sms.services.submission.compose import compose, way_of
from negin_sms.services.submission.keywords import checks_keywords, read_choice
from negin_sms.services.submission.wakers import wake

logger = logging.getLogger("negin_sms")

_NOT_SENT = (Status.REJECTED, Status.CANCELLED, Status.EXPIRED)
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
    is_over = message.status in (*_NOT_SENT, Status.UNCERTAIN) or (
        message.status == Status.ACCEPTED and message.state in _NOT_DELIVERED
    )
    return is_over and message.redacted_at is None


def may_have_arrived(message: Message) -> bool:
    """Return whether who sends a message again should be warned."""
    return message.status not in _NOT_SENT


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
    is called. It goes the old one's way, unless another ``scenario``, ``line`` or
    ``template`` is given. What was redacted, or cannot go that way, is skipped. Raise
    InvalidMessage for a scenario that is none.
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


@overload
def resolve(
    messages: Message,
    status: str,
    *,
    by: User | None,
    why: str,
    gateway_id: str = "",
    claim: str = "",
) -> Message: ...


@overload
def resolve(
    messages: Iterable[Message], status: str, *, by: User | None, why: str
) -> ActionReport: ...


def resolve(
    messages: Message | Iterable[Message],
    status: str,
    *,
    by: User | None,
    why: str,
    gateway_id: str = "",
    claim: str = "",
) -> Message | ActionReport:
    """Decide what one uncertain message was, or many: ``accepted`` or ``rejected``.

    Of many, those that are not uncertain any more are skipped with the reason. One is
    returned, and NeginSmsError raised when there is nothing to decide. ``why`` is kept
    on the row. Of one only: with ``gateway_id`` (from the panel) an accepted message is
    asked about like the others, without it is settled; ``claim`` (from a line of the
    log) proves that this is the sending's own result, which is written late.
    """
    if isinstance(messages, Message):
        return _resolve_one(
            messages, status, by=by, why=why, gateway_id=gateway_id, claim=claim
        )
    if gateway_id or claim:
        raise InvalidMessage(
            "gateway_id", _("Each message has its own: resolve them one by one.")
        )
    done, skipped = 0, []
    for message in several(messages):
        try:
            _resolve_one(message, status, by=by, why=why)
        except InvalidMessage:
            raise
        except NeginSmsError as error:
            skipped.append((message.pk, str(error)))
        else:
            done += 1
    return ActionReport(done, tuple(skipped))


@private
def _resolve_one(
    message: Message,
    status: str,
    *,
    by: User | None,
    why: str,
    gateway_id: str = "",
    claim: str = "",
) -> Message:
    """Decide one; with a ``claim`` also what is still ``sending``."""
    refuse_unfit_decision(status, why, gateway_id)
    who = user_key(by)
    using = write_alias()
    found = _to_poll(message.account, gateway_id) if gateway_id else {}
    settled: list[int] = []
    with transaction.atomic(using=using):
        undecided = _undecided(message.pk, claim, using)
        changed = transitions.resolve(undecided, status, clean(why), **found)
        if changed and gateway_id:
            settled = flag_shared_ids(message.account, [gateway_id], using=using)
        if changed and not gateway_id and status == Status.ACCEPTED:
            settled = _settle(message.pk, using)
        message.refresh_from_db(using=using)
        invalidate_days([message.finished_at] if changed else [], using=using)
    if not changed:
        raise NeginSmsError(_why_not(message, claim))
    logger.info("SMS %s was resolved as %s by %s", message.pk, status, who or "-")
    announce_outcomes({message.pk: status}, using)
    announce_settled(settled, using)
    return message


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


def _why_not(message: Message, claim: str) -> str:
    words = _("Message %(pk)s is not uncertain (%(status)s); nothing was changed.")
    if claim and message.status in (Status.UNCERTAIN, Status.SENDING):
        words = _("Message %(pk)s was sent again already; nothing was changed.")
        if message.claim != claim:
            words = _(
                "The claim is not that of the last sending of message %(pk)s; nothing "
                "was changed. Copy it whole from the line of the log."
            )
    return words % {"pk": message.pk, "status": message.get_status_display()}


def _to_poll(alias: str, gateway_id: str) -> dict[str, Any]:
    """Return the columns of a message that is asked about like the others."""
    first_age = next_poll_age(0, conf.get_account(alias).poll_schedule)
    return {"gateway_id": gateway_id, "poll_at": from_now(first_age or 0)}


def _settle(pk: int, using: str) -> list[int]:
    """Settle an accepted message that nobody can ask about: it has no id."""
    rows = Message.objects.using(using).filter(pk=pk, settled_at__isnull=True)
    return [pk] * rows.update(settled_at=DbNow())


def _undecided(pk: int, claim: str, using: str) -> MessageQuerySet:
    rows = Message.objects.using(using)
    if not claim:
        return rows.filter(pk=pk, status=Status.UNCERTAIN)
    # Locked, so that no resend comes between the look and the step.
    rows.select_for_update().filter(pk=pk).first()
    if rows.resends_of([pk]).exists():
        return rows.none()
    undecided = (Status.UNCERTAIN, Status.SENDING)
    return rows.filter(pk=pk, claim=claim, status__in=undecided)


def _resend_one(pk: int, by: User | None, way: Mapping[str, Any], using: str) -> str:
    """Queue the copy of one message; return why not, or "" when it is done."""
    with transaction.atomic(using=using):
        old = Message.objects.using(using).select_for_update().filter(pk=pk).first()
        if old is None:
            return _("There is no such message any more.")
        if old.redacted_at is not None:
            return _("Its text was redacted; write a new message.")
        if waits := _NOT_SENT_YET.get(Status(old.status)):
            return str(waits)
        if not may_resend(old):
            return _("It may arrive yet, or has arrived: it is not sent again.")
        if Message.objects.using(using).resends_of([pk]).exists():
            return _("It was sent again already.")
        try:
            with transaction.atomic(using=using):
                _copy(old, by, way, database_now(using)).save(using=using)
        except InvalidMessage as error:
            return str(error.reason)
        except IntegrityError:
            return _("It was sent again already.")
    return ""


def _copy(
    old: Message, by: User | None, way: Mapping[str, Any], now: datetime
) -> Message:
    given = {name: value for name, value in way.items() if value is not None}
    copy = compose(
        old.mobile,
        old.text,
        now=now,
        created_by=by,
        **{name: getattr(old, name) for name in _COPIED},
        **way_of(old, given),
    )
    copy.resend_of = old
    return copy


_COPIED = ("account", "priority", "sensitive", "source", "group")


def refuse_unfit_decision(status: str, why: str, gateway_id: str) -> None:
    """Raise InvalidMessage, with the field, for a decision that cannot be."""
    if status not in (Status.ACCEPTED, Status.REJECTED):
        raise InvalidMessage("status", _("Decide for accepted or rejected."))
    if not why.strip():
        raise InvalidMessage("why", _("Say how you know: the reason is empty."))
    if not gateway_id:
        return
    if status != Status.ACCEPTED:
        raise InvalidMessage(
            "gateway_id", _("Only an accepted message has a gateway id.")
        )
    sane = gateway_id.isascii() and gateway_id.isdigit() and len(gateway_id) <= 32
    if not sane or int(gateway_id) <= LARGEST_SUSPECT_ID:
        raise InvalidMessage(
            "gateway_id",
            _("A gateway id is a number above %(limit)s.")
            % {"limit": LARGEST_SUSPECT_ID},
        )
