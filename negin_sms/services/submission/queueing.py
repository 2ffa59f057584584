"""The outbox: put in, let out, take out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Unpack

from django.db import IntegrityError, connections, transaction
from django.db.models import DateTimeField, ExpressionWrapper, F
from django.db.models.functions import Coalesce, Greatest
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.exceptions import (
    IdempotencyConflict,
    InvalidConfiguration,
    InvalidMessage,
)
from negin_sms.models import Message
from negin_sms.querysets import DbNow, MessageQuerySet, database_now
from negin_sms.services.database import after_commit_once, retry_deadlocks, write_alias
from negin_sms.services.error_reports import private
from negin_sms.services.outbox import caps
from negin_sms.services.reports import ActionReport

from .compose import compose
from .idempotency import reuse_keys, save_once
from .seen import refuse_changed
from .text_templates import OutboxFields, Templates

logger = logging.getLogger("negin_sms")

_CHUNK = 500
_WAITING = (Status.DRAFT, Status.QUEUED)


@private
def queue_sms(
    mobile: object, text: str = "", **fields: Unpack[OutboxFields]
) -> Message:
    """Put one message in the outbox and return its row; nothing is sent here.

    The row is part of the caller's transaction. The dispatcher sends it when
    ``send_at`` has come. In place of ``text`` give ``template_name`` and its
    ``context``. Raise InvalidMessage, IdempotencyConflict or CapExceeded.
    """
    using = write_alias()
    wish = Templates(using).write(text, fields)
    message = compose(mobile, now=database_now(using), **wish)
    message, _created = save_once(message, using)
    wake(message.account, using)
    return message


@private
def queue_many(
    messages: Iterable[Mapping[str, Any]], **fields: Unpack[OutboxFields]
) -> list[Message]:
    """Put many messages in the outbox, all or none; return their rows in order.

    Each mapping holds ``mobile``, ``text`` and any field of ``queue_sms``;
    ``fields`` are for all of them. Raise InvalidMessage, with the position of the
    mapping at fault in ``position``, IdempotencyConflict or CapExceeded; nothing is
    saved then. One INSERT a chunk, which is also all the memory that is taken beside
    the list, but for a place for each idempotency key and each number with a cap.
    MySQL gives the rows no primary keys.
    """
    using = write_alias()
    now, templates = database_now(using), Templates(using)
    composed = [
        _compose_at(position, {**fields, **dict(mapping)}, now, templates)
        for position, mapping in enumerate(messages)
    ]
    rows, new = reuse_keys(composed, using)
    try:
        retry_deadlocks(lambda: _insert(new, now, using), using=using)
    except IntegrityError:
        raise IdempotencyConflict(
            _("An idempotency key was taken while the messages were saved; call again.")
        ) from None
    for alias in {row.account for row in rows}:
        wake(alias, using)
    return rows


def _insert(messages: Sequence[Message], now: datetime, using: str) -> None:
    with transaction.atomic(using=using):
        caps.count(messages, now, using)
        for start in range(0, len(messages), _CHUNK):
            # A call for each, as one for all would keep their keys until its end.
            Message.objects.using(using).bulk_create(messages[start : start + _CHUNK])


@private
def queue_messages(
    messages: Iterable[Message], *, seen: str | None = None
) -> ActionReport:
    """Put these drafts in the queue; others are skipped.

    Raise InvalidMessage("seen") where the messages are not those any more that
    ``seen`` was the digest of.
    """
    using = write_alias()
    keys = [message.pk for message in messages]
    rows = Message.objects.using(using).filter(pk__in=keys)
    with transaction.atomic(using=using):
        before = _statuses(rows, using)
        if seen is not None:
            refuse_changed(rows, seen)
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


@private
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


def wake(alias: str, using: str) -> None:
    """Call the account's waker once the caller's work is durable, if it has one.

    At most once a transaction, however many messages that queues.
    """
    waker = conf.get_account(alias).waker
    if waker:
        after_commit_once(using, _WakerCall(waker, alias))


@dataclass(frozen=True, slots=True)
class _WakerCall:
    """A call to come; equal to another of the same waker for the same account."""

    waker: str
    alias: str

    def __call__(self) -> None:
        # A broker that is down costs delay, never the caller's request.
        try:
            import_string(self.waker)(self.alias)
        except Exception as error:
            ours = isinstance(error, InvalidConfiguration)
            # Others' words may hold the broker's password.
            why = str(error) if ours else type(error).__name__
            logger.error("The waker of SMS account %r failed: %s", self.alias, why)


@sensitive_variables()
def _compose_at(
    position: int, wish: dict[str, Any], now: datetime, templates: Templates
) -> Message:
    try:
        wish = templates.write(wish.pop("text", ""), wish)
        return compose(wish.pop("mobile", ""), now=now, **wish)
    except InvalidMessage as error:
        error.position = position
        raise


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
