"""Edit or move a message that waits: a draft, queued, or held.

What is given is read by ``compose`` as if it were new, so nothing can be edited into
what could not be queued. The row is locked, and written only while it waits: who is
late is told that it has left. Who changed which fields is logged; never what they say.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from negin_sms.choices import Status
from negin_sms.error_reports import private
from negin_sms.exceptions import NeginSmsError
from negin_sms.models import Message
from negin_sms.querysets import MessageQuerySet, database_now
from negin_sms.services.database import write_alias
from negin_sms.services.outbox import transitions
from negin_sms.services.outbox.gate import caps
from negin_sms.services.submission.arguments import User, one, user_key
from negin_sms.services.submission.compose import compose, way_of
from negin_sms.services.submission.keywords import checks_keywords
from negin_sms.services.submission.seen import refuse_changed
from negin_sms.services.submission.wakers import wake

logger = logging.getLogger("negin_sms")


class Unchanged(enum.Enum):
    """The type of ``UNCHANGED``: None already means "the account's own", or "now"."""

    UNCHANGED = "unchanged"

    def __repr__(self) -> str:
        return self.name


UNCHANGED: Final = Unchanged.UNCHANGED

_WAY = ("scenario", "line", "line2", "template")
_LIFETIME = ("expires_in", "expires_at")
_JUDGED = {"priority", *_WAY, "default_line", "default_line2"}
_KEPT = ("account", "mobile", "text", "priority", "sensitive", "source", "group")
# The columns that a keyword writes, where these are not one of its own name.
_COLUMNS: dict[str, tuple[str, ...]] = {
    "text": ("text", "parts"),
    **dict.fromkeys(_WAY, (*_WAY, "default_line", "default_line2")),
    **dict.fromkeys(_LIFETIME, ("begins_at", "expires_at")),
    "send_at": ("send_at", "due_at", "begins_at", "expires_at"),
}


@checks_keywords
@private
def edit(
    message: Message,
    *,
    by: User | None,
    mobile: object = UNCHANGED,
    text: str | Unchanged = UNCHANGED,
    scenario: str | Unchanged = UNCHANGED,
    line: str | Unchanged | None = UNCHANGED,
    line2: str | Unchanged | None = UNCHANGED,
    template: int | str | Unchanged | None = UNCHANGED,
    send_at: datetime | str | Unchanged | None = UNCHANGED,
    expires_in: float | timedelta | Unchanged | None = UNCHANGED,
    expires_at: datetime | str | Unchanged | None = UNCHANGED,
    sensitive: bool | Unchanged = UNCHANGED,
    priority: int | Unchanged = UNCHANGED,
    source: str | Unchanged = UNCHANGED,
    group: str | Unchanged = UNCHANGED,
    seen: str | None = None,
) -> Message:
    """Change what a draft, a queued or a held message asks for; return it, read anew.

    The keywords mean what they do for ``queue_sms``; what is left out stays. Another
    ``scenario`` takes none of the old lines; None for a line is the account's own, None
    for ``send_at`` is now. With another ``send_at`` the message's lifetime moves along,
    unless ``expires_in`` or ``expires_at`` is given too; so it does with the same one
    where that lifetime is over. A place that caps had reserved for it is given up where
    its time or its number changes. With another number it does not wait for what kept
    it before, nor with another priority or way, unless that was a cap. Its idempotency
    key stands for the new wish from now on. ``by`` is logged; for ``seen`` see
    ``queue_messages``.

    Raise InvalidMessage, as ``queue_sms`` does, and NeginSmsError where the message has
    left, or is over, already; nothing was changed then.
    """
    given = {k: v for k, v in locals().items() if k not in ("message", "by", "seen")}
    return _rewrite(message, given, by, seen)


@checks_keywords
@private
def reschedule(
    message: Message,
    send_at: datetime | str | None,
    *,
    by: User | None,
    seen: str | None = None,
) -> Message:
    """Let a draft, a queued or a held message leave at another time; None is now.

    As ``edit`` with ``send_at``: what it may live moves along.
    """
    return _rewrite(message, {"send_at": send_at}, by, seen)


def _rewrite(
    message: Message, wanted: Mapping[str, Any], by: User | None, seen: str | None
) -> Message:
    message, who = one(message), user_key(by)
    using = write_alias()
    given = {k: v for k, v in wanted.items() if v is not UNCHANGED}
    rows = Message.objects.using(using).filter(pk=message.pk)
    with transaction.atomic(using=using):
        row = rows.select_for_update().first()
        if row is None or row.status not in transitions.WAITING:
            raise _too_late(message.pk, row)
        # What is overdue gives its key away: it is not to live on beside who took it.
        if Message.objects.using(using).resends_of([row.pk]).exists():
            raise NeginSmsError(_("It was sent again already."))
        changes = changes_of(row, given, database_now(using))
        if changes:
            if seen is not None:
                refuse_changed(rows, seen)
            _write(rows, row, changes, using)
    message.refresh_from_db(using=using)
    if changes:
        words = message.pk, ", ".join(sorted(given)), who or "-"
        logger.info("SMS %s was edited (%s) by %s", *words)
        wake(message.account, using)
    return message


@private
def changes_of(row: Message, given: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return the columns, with their new values, that the keywords change."""
    wish = compose(now=now, **_options(row, given, now))
    names = {name for key in given for name in _COLUMNS.get(key, (key,))}
    changes = {
        name: getattr(wish, name)
        for name in names
        if getattr(wish, name) != getattr(row, name)
    }
    is_same_time = wish.send_at == row.send_at and row.due_at <= wish.due_at
    is_over = row.status != Status.DRAFT and row.expires_at <= now
    if is_same_time and not is_over and not given.keys() & {*_LIFETIME}:
        # Said again, nothing begins anew.
        changes = {k: v for k, v in changes.items() if k not in _COLUMNS["send_at"]}
    begins_at = max(row.begins_at, now)
    if row.due_at > begins_at and _is_judged_anew(row, changes, now):
        changes.setdefault("due_at", begins_at)
    return changes


def _is_judged_anew(row: Message, changes: Mapping[str, Any], now: datetime) -> bool:
    """Return whether what put a message off may be no matter any more."""
    has_place = row.counted_for is not None and row.counted_for > now
    return "mobile" in changes or bool(changes.keys() & _JUDGED and not has_place)


def _options(row: Message, given: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return the keywords that compose the row anew, with what is given."""
    is_later = row.send_at is not None and row.send_at > now
    options = {name: getattr(row, name) for name in _KEPT}
    options["send_at"] = row.send_at if is_later else None
    if not given.keys() & {*_LIFETIME}:
        options["expires_in"] = row.lifetime
    way = {name: value for name, value in given.items() if name in _WAY}
    return options | dict(given) | way_of(row, way)


def _write(
    rows: MessageQuerySet, row: Message, changes: dict[str, Any], using: str
) -> None:
    if row.counted_for is not None and changes.keys() & {"mobile", "due_at"}:
        now = database_now(using)
        # At another time of the periods that have begun it is counted already.
        if "mobile" in changes or row.counted_for > now:
            caps.give_back_places([(row, row.counted_for)], now, using)
            changes["counted_for"] = None
    if "due_at" in changes and row.status == Status.QUEUED:
        changes["detail"] = ""  # why it waited for the time before
    if not transitions.rewrite(rows, row.status, **changes):
        raise _too_late(row.pk, rows.first())


def _too_late(pk: int, row: Message | None) -> NeginSmsError:
    if row is None:
        return NeginSmsError(_("There is no such message any more."))
    if row.status in (Status.CANCELLED, Status.EXPIRED):
        words = _("Message %(pk)s is over (%(status)s); nothing was changed.")
    elif row.status == Status.SENDING:
        words = _(
            "Message %(pk)s is being sent at this moment; nothing was changed. Look "
            "again: if it could not be sent it waits again."
        )
    else:
        words = _("Message %(pk)s has already left (%(status)s); nothing was changed.")
    return NeginSmsError(words % {"pk": pk, "status": row.get_status_display()})
