"""A batch: composed for many recipients, looked at, then confirmed or discarded.

The drafts of a batch share a ``group`` that belongs to them alone. Confirming is one
UPDATE from draft to queued, so however often it is clicked it happens once; nothing
is sent here.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Unpack

from django.db import transaction
from django.db.models import Count, Max, Min, Sum
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from negin_sms.choices import Status
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message
from negin_sms.querysets import MessageQuerySet, database_now, from_now
from negin_sms.services.database import write_alias
from negin_sms.texts import fill, names

from .compose import QueueFields, compose, find_account
from .queueing import queue_drafts, wake
from .recipients import MOST_RECIPIENTS, Row, Sheet

_CHUNK = 500
_SAMPLES = 5
_TOKEN_BYTES = 4


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that cannot be sent to, and why."""

    row: Row
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """What became of the rows: ``kept`` are fit, ``merged`` repeated one of them.

    ``group`` is empty where nothing was written; ``columns`` are those that the rows
    have or need.
    """

    group: str = ""
    kept: tuple[Row, ...] = ()
    merged: int = 0
    refused: tuple[Refusal, ...] = ()
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The drafts of a group: how many, how many parts, and the first few of them."""

    group: str
    recipients: int
    total_parts: int
    fewest_parts: int
    most_parts: int
    samples: tuple[Message, ...]


@sensitive_variables()
def draft_batch(
    text: str,
    sheets: Iterable[Sheet],
    *,
    leave_out: bool = False,
    **fields: Unpack[QueueFields],
) -> Drafted:
    """Write a draft for each recipient, under one new group; all or none.

    ``text`` may hold placeholders for the sheets' columns (``negin_sms.texts``).
    Nothing is written while any row is refused, unless ``leave_out`` is set. The
    fields are those of ``queue_sms``; ``group`` only begins the group's name. Raise
    InvalidMessage for what is wrong with all of them, with "recipients" as the field
    where there is none.
    """
    using = write_alias()
    given = tuple(sheets)
    rows = [row for sheet in given for row in sheet.rows]
    _refuse_amount(len(rows))
    columns = _columns(text, given)
    group = fields["group"] = _new_group(fields.get("group", ""))
    composing = _Composing(text, database_now(using), fields)
    for row in rows:
        composing.add(row)
    drafts = list(composing.drafts.values())
    wanted = bool(drafts) and (leave_out or not composing.refused)
    if wanted:
        with transaction.atomic(using=using):
            Message.objects.using(using).bulk_create(drafts, batch_size=_CHUNK)
    return Drafted(
        group=group if wanted else "",
        kept=tuple(composing.kept),
        merged=composing.merged,
        refused=tuple(composing.refused),
        columns=columns,
    )


def look_at(group: str) -> Batch | None:
    """Return what a group's drafts come to, None where it has none."""
    drafts = _drafts(group, write_alias())
    totals = drafts.aggregate(
        recipients=Count("pk"),
        total_parts=Sum("parts"),
        fewest_parts=Min("parts"),
        most_parts=Max("parts"),
    )
    if not totals["recipients"]:
        return None
    samples = tuple(drafts.order_by("pk")[:_SAMPLES])
    return Batch(group=group, samples=samples, **totals)


def confirm(group: str) -> int:
    """Queue a group's drafts by one UPDATE; return how many these were.

    The second of two confirmations finds none. Raise InvalidMessage for an account
    that is not configured any more.
    """
    using = write_alias()
    drafts = _drafts(group, using)
    aliases = set(drafts.order_by().values_list("account", flat=True).distinct())
    for alias in aliases:
        find_account(alias)
    queued = queue_drafts(drafts, using)
    for alias in aliases:
        wake(alias, using)
    return queued


def discard(group: str) -> int:
    """Delete a group's drafts; return how many these were."""
    using = write_alias()
    return _delete(_drafts(group, using), using)


def purge_drafts(older_than: timedelta) -> int:
    """Delete the drafts that nobody confirmed in so long; return how many."""
    using = write_alias()
    return _delete(_abandoned(older_than, using), using)


def count_drafts(older_than: timedelta) -> int:
    """Return how many drafts ``purge_drafts`` would delete."""
    return _abandoned(older_than, write_alias()).count()


class _Composing:
    """Rows become drafts, one a number; what cannot is kept with its reason."""

    def __init__(self, text: str, now: datetime, fields: QueueFields) -> None:
        self.text = text
        self.now = now
        self.fields = fields
        # A text without placeholders is everybody's: so is what is wrong with it.
        self.row_fields = {"mobile", "text"} if names(text) else {"mobile"}
        self.drafts: dict[str, Message] = {}
        self.kept: list[Row] = []
        self.refused: list[Refusal] = []
        self.merged = 0

    @sensitive_variables()
    def add(self, row: Row) -> None:
        try:
            draft = self._compose(row)
        except InvalidMessage as error:
            if error.field not in self.row_fields:
                raise
            self._refuse(row, str(error.reason))
            return
        first = self.drafts.setdefault(draft.mobile, draft)
        if first is draft:
            self.kept.append(row)
        elif first.text == draft.text:
            self.merged += 1
        else:
            # Two people, two invoices, or one message twice? Nobody knows but the user.
            self._refuse(row, _("The number stands here twice, with different values."))

    def _compose(self, row: Row) -> Message:
        if row.problem:
            raise InvalidMessage("mobile", row.problem)
        filled = fill(self.text, row.values)
        draft = compose(row.mobile, filled, now=self.now, **self.fields)
        draft.status = Status.DRAFT
        return draft

    def _refuse(self, row: Row, reason: str) -> None:
        self.refused.append(Refusal(row, reason))


def _refuse_amount(count: int) -> None:
    if not count:
        raise InvalidMessage("recipients", _("Give at least one mobile number."))
    if count > MOST_RECIPIENTS:
        reason = _("These are too many; give at most %(limit)s recipients at a time.")
        raise InvalidMessage("recipients", reason % {"limit": MOST_RECIPIENTS})


def _columns(text: str, sheets: Sequence[Sheet]) -> tuple[str, ...]:
    """Return all the columns; refuse a placeholder that is none of them."""
    found = tuple(dict.fromkeys(name for sheet in sheets for name in sheet.columns))
    for name in names(text):
        if name in found:
            continue
        if not found:
            reason = _(
                "For {%(name)s} the recipients need a column of that name: a table "
                "whose first line names its columns."
            )
        else:
            reason = _("There is no column “%(name)s”; there are: %(columns)s.")
        words = {"name": name, "columns": ", ".join(found)}
        raise InvalidMessage("text", reason % words)
    return found


def _new_group(name: str) -> str:
    """Return a group that no other batch has, beginning with the user's name for it."""
    token = secrets.token_hex(_TOKEN_BYTES)
    return f"{name} {token}" if name else token


def _drafts(group: str, using: str) -> MessageQuerySet:
    rows = Message.objects.using(using)
    # Without this the empty group would be every single draft of everybody.
    return rows.filter(status=Status.DRAFT, group=group) if group else rows.none()


def _abandoned(older_than: timedelta, using: str) -> MessageQuerySet:
    drafts = Message.objects.using(using).filter(status=Status.DRAFT)
    return drafts.filter(created_at__lt=from_now(-older_than.total_seconds()))


def _delete(drafts: MessageQuerySet, using: str) -> int:
    """Delete in chunks, so that no table stays locked for long."""
    total = 0
    while keys := list(drafts.order_by("pk").values_list("pk", flat=True)[:_CHUNK]):
        with transaction.atomic(using=using):
            # Locked, and looked at again: one that was queued meanwhile must stay.
            locked = drafts.filter(pk__in=keys).select_for_update()
            still = list(locked.values_list("pk", flat=True))
            _all, counts = Message.objects.using(using).filter(pk__in=still).delete()
        total += counts.get(Message._meta.label, 0)
    return total
