"""The outbox by hand and by code: put in, take out, try again, decide."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Unpack

from django.db import IntegrityError, connections, transaction
from django.db.models import DateTimeField, ExpressionWrapper, F
from django.db.models.functions import Coalesce, Greatest
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.exceptions import IdempotencyConflict, InvalidMessage, NeginSmsError
from negin_sms.gateway import wire
from negin_sms.gateway.codes import LARGEST_SUSPECT_ID
from negin_sms.models import Message
from negin_sms.querysets import DbNow, MessageQuerySet, database_now, from_now
from negin_sms.retries import next_poll_age

from .reports import ActionReport
from .transactions import after_commit, write_alias
from .wishes import QueueFields, User, compose, reuse_keys, save_once

logger = logging.getLogger("negin_sms")

_CHUNK = 500
_WAITING = (Status.DRAFT, Status.QUEUED)
_RESENDABLE = (Status.UNCERTAIN, Status.REJECTED)


@sensitive_variables()
def queue_sms(mobile: object, text: str, **fields: Unpack[QueueFields]) -> Message:
    """Put one message in the outbox and return its row; nothing is sent here.

    The row is part of the caller's transaction. The dispatcher sends it when
    ``send_at`` has come. Raise InvalidMessage or IdempotencyConflict.
    """
    using = write_alias()
    message = compose(mobile, text, now=database_now(using), **fields)
    message, _created = save_once(message, using)
    wake(message.account, using)
    return message


@sensitive_variables()
def queue_many(
    messages: Iterable[Mapping[str, Any]], **fields: Unpack[QueueFields]
) -> list[Message]:
    """Put many messages in the outbox, all or none; return their rows in order.

    Each mapping holds ``mobile``, ``text`` and any field of ``queue_sms``;
    ``fields`` are for all of them. Raise InvalidMessage, with the position of the
    mapping at fault in ``position``, before anything is saved. One INSERT a
    chunk; MySQL gives the rows no primary keys.
    """
    using = write_alias()
    now = database_now(using)
    composed = [
        _compose_at(position, {**fields, **dict(mapping)}, now)
        for position, mapping in enumerate(messages)
    ]
    rows = reuse_keys(composed, using)
    new = {id(row): row for row in rows if row.pk is None}
    try:
        with transaction.atomic(using=using):
            Message.objects.using(using).bulk_create(new.values(), batch_size=_CHUNK)
    except IntegrityError:
        raise IdempotencyConflict(
            _("An idempotency key was taken while the messages were saved; call again.")
        ) from None
    for alias in {row.account for row in rows}:
        wake(alias, using)
    return rows


def queue_messages(messages: Iterable[Message]) -> ActionReport:
    """Put these drafts in the queue; others are skipped."""
    using = write_alias()
    keys = [message.pk for message in messages]
    rows = Message.objects.using(using).filter(pk__in=keys)
    with transaction.atomic(using=using):
        before = _statuses(rows, using)
        drafts = [pk for pk, status in before.items() if status == Status.DRAFT]
        queue_drafts(rows.filter(pk__in=drafts), using)
    for alias in set(rows.values_list("account", flat=True)):
        wake(alias, using)
    return _split(keys, before, (Status.DRAFT,))


def queue_drafts(rows: MessageQuerySet, using: str) -> int:
    """Step the drafts among these rows to queued; return how many.

    Their lifetime begins now, or when they wish to be sent.
    """
    lifetime = F("expires_at") - F("due_at")
    due_at = Greatest(Coalesce("send_at", DbNow()), DbNow())
    # In this order: MariaDB and MySQL read a column that the same UPDATE has set
    # with its new value.
    return rows.filter(status=Status.DRAFT).update(
        expires_at=ExpressionWrapper(due_at + lifetime, output_field=DateTimeField()),
        due_at=due_at,
        status=Status.QUEUED,
    )


def cancel(messages: Iterable[Message]) -> ActionReport:
    """Cancel these messages where they are drafts or queued; skip the others."""
    using = write_alias()
    keys = [message.pk for message in messages]
    rows = Message.objects.using(using).filter(pk__in=keys)
    with transaction.atomic(using=using):
        before = _statuses(rows, using)
        rows.filter(status__in=_WAITING).update(
            status=Status.CANCELLED, detail=_("Cancelled."), finished_at=DbNow()
        )
    return _split(keys, before, _WAITING)


def resend(messages: Iterable[Message], *, by: User | None) -> ActionReport:
    """Queue a new message for each of these that is uncertain or rejected.

    The new row points at the old one (``resend_of``); there is one at the most,
    however often and from however many places this is called. It may arrive
    twice when the old one was uncertain: that is the caller's decision.
    """
    using = write_alias()
    done, skipped = 0, []
    for message in messages:
        reason = _resend_one(message.pk, by, using)
        if reason:
            skipped.append((message.pk, reason))
        else:
            done += 1
            wake(message.account, using)
    return ActionReport(done, tuple(skipped))


def resolve(
    message: Message,
    status: str,
    *,
    by: User | None,
    why: str,
    gateway_id: str = "",
) -> Message:
    """Decide what an uncertain message was: ``accepted`` or ``rejected``.

    ``why`` is kept on the row. With the gateway's id (from the panel) the message
    is asked about like the others. Raise NeginSmsError when it is not uncertain
    any more, InvalidMessage for arguments that do not fit.
    """
    _refuse_unfit_decision(status, why, gateway_id)
    using = write_alias()
    fields: dict[str, Any] = {
        "status": status,
        "detail": wire.clean(why),
        "finished_at": Coalesce("finished_at", DbNow()),
    }
    if gateway_id:
        account = conf.get_account(message.account)
        first_age = next_poll_age(0, account.poll_schedule)
        fields |= {"gateway_id": gateway_id, "poll_at": from_now(first_age or 0)}
    changed = (
        Message.objects.using(using)
        .filter(pk=message.pk, status=Status.UNCERTAIN)
        .update(**fields)
    )
    message.refresh_from_db(using=using)
    if not changed:
        raise NeginSmsError(
            _("Message %(pk)s is not uncertain (%(status)s); nothing was changed.")
            % {"pk": message.pk, "status": message.get_status_display()}
        )
    logger.info("SMS %s was resolved as %s by %s", message.pk, status, _who(by))
    return message


def wake(alias: str, using: str) -> None:
    """Call the account's waker once the caller's work is durable, if it has one."""
    waker = conf.get_account(alias).waker
    if waker:
        after_commit(using, functools.partial(_call_waker, waker, alias))


def _call_waker(waker: str, alias: str) -> None:
    # A broker that is down costs delay, never the caller's request.
    try:
        import_string(waker)(alias)
    except Exception as error:
        kind = type(error).__name__
        logger.error("The waker of SMS account %r failed with %s", alias, kind)


@sensitive_variables()
def _compose_at(position: int, wish: dict[str, Any], now: Any) -> Message:
    try:
        return compose(wish.pop("mobile", ""), wish.pop("text", ""), now=now, **wish)
    except InvalidMessage as error:
        error.position = position
        raise


def _resend_one(pk: int, by: User | None, using: str) -> str:
    """Queue the copy of one message; return why not, or "" when it is done."""
    with transaction.atomic(using=using):
        old = Message.objects.using(using).select_for_update().filter(pk=pk).first()
        if old is None:
            return _("There is no such message any more.")
        if old.status not in _RESENDABLE:
            return _("Only uncertain and rejected messages can be sent again.")
        if Message.objects.using(using).filter(resend_of=pk).exists():
            return _("It was sent again already.")
        try:
            with transaction.atomic(using=using):
                _copy(old, by, database_now(using)).save(using=using)
        except IntegrityError:
            return _("It was sent again already.")
    return ""


def _copy(old: Message, by: User | None, now: Any) -> Message:
    account = conf.get_account(old.account)
    return Message(
        **{name: getattr(old, name) for name in _COPIED},
        resend_of=old,
        created_by_id=getattr(by, "pk", None),
        created_at=now,
        due_at=now,
        expires_at=now + timedelta(seconds=account.expires_in),
        status=Status.QUEUED,
    )


_COPIED = (
    *("account", "mobile", "text", "scenario", "line", "line2", "template"),
    *("priority", "sensitive", "parts", "source", "group"),
)


def _refuse_unfit_decision(status: str, why: str, gateway_id: str) -> None:
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


def _statuses(rows: MessageQuerySet, using: str) -> dict[int, str]:
    if connections[using].features.has_select_for_update:
        rows = rows.select_for_update()
    return dict(rows.order_by("pk").values_list("pk", "status"))


def _split(
    keys: Sequence[int], before: Mapping[int, str], wanted: Iterable[str]
) -> ActionReport:
    """Say which of the messages had one of the wanted statuses."""
    allowed = set(wanted)
    skipped = tuple(
        (key, _unfit(before.get(key))) for key in keys if before.get(key) not in allowed
    )
    return ActionReport(len(keys) - len(skipped), skipped)


def _unfit(status: str | None) -> str:
    if status is None:
        return _("There is no such message any more.")
    return _("Its status does not allow it (%(status)s).") % {
        "status": Status(status).label
    }


def _who(by: User | None) -> str:
    return str(getattr(by, "pk", "-"))
