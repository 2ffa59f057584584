"""Rows of recipients become the drafts of one batch, all or none, once a page.

What this may cost is bounded before anything is multiplied: rows, columns and cells
where the table is read, the text and its placeholders here.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Unpack

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from negin_sms import conf
from negin_sms.characters import listed
from negin_sms.choices import Status
from negin_sms.error_reports import private
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message
from negin_sms.querysets import MessageQuerySet, database_now
from negin_sms.segments import measure
from negin_sms.services.accounts import find_account
from negin_sms.services.database import retry_deadlocks, write_alias
from negin_sms.texts import Template, fold_name, parse

from .batches import delete_drafts, drafts_of
from .compose import QueueOptions, compose
from .recipients.tables import MOST_RECIPIENTS, Row, Sheet
from .seen import refuse_changed
from .text_length import longest_text, refuse_parts

_CHUNK = 500
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
    have or need. ``is_repeat``: the same was composed before, and is what the group
    has. ``remarks`` say what was guessed.
    """

    group: str = ""
    is_repeat: bool = False
    remarks: tuple[str, ...] = ()
    kept: tuple[Row, ...] = ()
    merged: int = 0
    refused: tuple[Refusal, ...] = ()
    columns: tuple[str, ...] = ()


@private
def draft_batch(
    text: str,
    sheets: Iterable[Sheet],
    *,
    leave_out: bool = False,
    once: str = "",
    replaces: str = "",
    seen: str = "",
    **fields: Unpack[QueueOptions],
) -> Drafted:
    """Write a draft for each recipient, under one new group; all or none.

    ``text`` may hold placeholders for the sheets' columns (``negin_sms.texts``).
    Nothing is written while any row is refused, unless ``leave_out`` is set. Of the
    fields, which are those of ``queue_sms``, ``group`` only begins the group's name.
    Replaced are the drafts of the page that ``once`` names and of the group
    ``replaces``, while they are drafts. Raise InvalidMessage, with the field: of what
    is wrong with all, "recipients" for none, "seen" for another digest of ``replaces``.
    """
    using = write_alias()
    given = tuple(sheets)
    rows = [row for sheet in given for row in sheet.rows]
    refuse_amount(len(rows))
    template = parse(text)
    columns = _columns(template, given)
    group = fields["group"] = _new_group(fields.get("group", ""))
    composing = _Composing(template, database_now(using), fields)
    for row in rows:
        composing.add(row)
    drafts = list(composing.drafts.values())
    written = ""
    if drafts and (leave_out or not composing.refused):
        written = _Writing(drafts, once, replaces, seen, using).write()
    return composing.drafted(
        group=written,
        is_repeat=written not in ("", group),
        remarks=tuple(dict.fromkeys(each for s in given for each in s.remarks)),
        columns=columns,
    )


class _Composing:
    """Rows become drafts, one a number; what cannot is kept with its reason."""

    def __init__(self, template: Template, now: datetime, fields: QueueOptions) -> None:
        self.template = template
        self.now = now
        self.fields = fields
        self.account = find_account(fields.get("account", conf.DEFAULT_ALIAS))
        # A text without placeholders is everybody's: so is what is wrong with it.
        self.row_fields = {"mobile", "text"} if template.names else {"mobile"}
        self.drafts: dict[str, Message] = {}
        self.kept: list[Row] = []
        self.refused: list[Refusal] = []
        self.merged = 0
        # What is too long for everybody is found before anything is multiplied.
        refuse_parts(measure("".join(template.literals)).parts, self.account)

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

    def drafted(self, **of_all: Any) -> Drafted:
        """Return what became of the rows, with what is to be said of all of them."""
        return Drafted(
            kept=tuple(self.kept),
            merged=self.merged,
            refused=tuple(self.refused),
            **of_all,
        )

    def _compose(self, row: Row) -> Message:
        if row.problem:
            raise InvalidMessage("mobile", row.problem)
        if self.template.length(row.values) > longest_text(self.account):
            reason = _("With its values the text gets too long.")
            raise InvalidMessage("text", reason)
        filled = self.template.fill(row.values)
        return compose(
            row.mobile, filled, now=self.now, status=Status.DRAFT, **self.fields
        )

    def _refuse(self, row: Row, reason: str) -> None:
        self.refused.append(Refusal(row, reason))


class _Writing:
    """Drafts are written once for each page they were composed on.

    The first of them has the page's key, which the database holds to be the only one
    in its account: of two requests that come at once, one finds what the other wrote.
    """

    def __init__(
        self, drafts: list[Message], once: str, replaces: str, seen: str, using: str
    ) -> None:
        self.drafts = drafts
        self.once = once
        self.replaces = replaces
        self.seen = seen
        self.using = using

    def write(self) -> str:
        """Return the group; raise InvalidMessage where the old drafts are none now."""
        self.drafts[0].idempotency_key = self.once or None
        # What came of the page before has replaced the other one already.
        old = self._composed_before() or self.replaces
        try:
            # Of presses at one moment MariaDB may end one to let another go on.
            retry_deadlocks(lambda: self._put(old), using=self.using)
        except (IntegrityError, InvalidMessage):
            meanwhile = self._composed_before()
            if meanwhile in ("", old):
                raise
            return meanwhile
        return self.drafts[0].group

    def _put(self, old: str) -> None:
        with transaction.atomic(using=self.using):
            self._replace(old)
            self._rows.bulk_create(self.drafts, batch_size=_CHUNK)

    @property
    def _rows(self) -> MessageQuerySet:
        return Message.objects.using(self.using)

    def _composed_before(self) -> str:
        if not self.once:
            return ""
        account = self.drafts[0].account
        rows = self._rows.filter(account=account, idempotency_key=self.once)
        return rows.values_list("group", flat=True).first() or ""

    def _replace(self, group: str) -> None:
        if not group:
            return
        drafts, left = drafts_of(group), self._rows.none()
        if group != self.replaces:
            # What this page wrote: it may have been moved to a batch of others since,
            # and who got some of it would get it again.
            drafts = drafts.filter(created_by=self.drafts[0].created_by_id)
            left = self._rows.filter(group=group).exclude(status=Status.DRAFT)
        elif self.seen:
            refuse_changed(drafts, self.seen)
        if not delete_drafts(drafts) or left.exists():
            reason = _(
                "What was written on this page before was confirmed, edited or "
                "discarded meanwhile; what was edited is under “Unconfirmed batches”. "
                "Begin anew, if there is something else to send."
            )
            raise InvalidMessage("", reason)


def refuse_amount(count: int) -> None:
    """Raise InvalidMessage("recipients") for none, and for too many."""
    if not count:
        raise InvalidMessage("recipients", _("Give at least one mobile number."))
    if count > MOST_RECIPIENTS:
        reason = _("These are too many; give at most %(limit)s recipients at a time.")
        raise InvalidMessage("recipients", reason % {"limit": MOST_RECIPIENTS})


def _columns(template: Template, sheets: Sequence[Sheet]) -> tuple[str, ...]:
    """Return all the columns; refuse a placeholder that is none of them."""
    found: dict[str, str] = {}
    for column in (column for sheet in sheets for column in sheet.columns):
        found.setdefault(fold_name(column), column)
    of_numbers = {fold_name(sheet.number_column) for sheet in sheets}
    for name, written in zip(template.names, template.written, strict=True):
        if name in found:
            continue
        if name in of_numbers:
            reason = _(
                "“%(name)s” is the column of the numbers, which the text cannot have. "
                "Where it should, copy the column and give the copy another name."
            )
        elif not found:
            reason = _(
                "For {%(name)s} the recipients need a column of that name: a table "
                "whose first line names its columns."
            )
        else:
            reason = _("There is no column “%(name)s”; there are: %(columns)s.")
        words = {"name": written, "columns": listed(found.values())}
        raise InvalidMessage("text", reason % words)
    return tuple(found.values())


def _new_group(name: str) -> str:
    """Return a group that no other batch has, beginning with the user's name for it."""
    token = secrets.token_hex(_TOKEN_BYTES)
    return f"{name} {token}" if name else token
