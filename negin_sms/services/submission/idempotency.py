"""Idempotency keys: whoever asks again gets the row that there is.

A row that was cancelled or expired was never sent: it gives its key back to whoever
asks for it, unless a person has sent it again meanwhile. The row that takes the key is
its resend, so nobody sends it again beside that one.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from negin_sms.characters import listed
from negin_sms.choices import Status
from negin_sms.exceptions import IdempotencyConflict
from negin_sms.models import Message
from negin_sms.querysets import DbNow
from negin_sms.services.accounts import find_account
from negin_sms.services.database import retry_deadlocks

_Key = tuple[str, str | None]
_KEYS_ASKED = 500  # a statement; SQLite takes so many thousand values and no more
_CHUNK = 500
_TRIES = 3
_NEVER_SENT = (Status.CANCELLED, Status.EXPIRED)
_WAITING = (Status.QUEUED, Status.HELD)


def save_once(message: Message, using: str) -> tuple[Message, bool]:
    """Insert a message, or return the row that its idempotency key belongs to.

    Return too whether it is new. Raise IdempotencyConflict when that row says
    something else, or when only the database's collation takes two keys for one.
    """
    try:
        retry_deadlocks(lambda: _insert([message], (), using), using=using)
    except IntegrityError:
        if not message.idempotency_key:
            raise
        try:
            (row,), new = save_all_once([message], using)
        except IdempotencyConflict as error:
            error.position = None  # of one message
            raise
        return row, bool(new)
    return message, True


def save_all_once(
    messages: Sequence[Message], using: str
) -> tuple[list[Message], list[Message]]:
    """Insert messages, all or none; those whose key is taken are the rows that have it.

    Return all of them, in order, and those that were inserted. Raise
    IdempotencyConflict, with the position, as ``save_once`` does.
    """
    tries = _TRIES
    owners = _owners_of_keys(messages, using)
    while True:
        rows, new = _reuse_keys(messages, owners)
        free = [owner.row.pk for owner in owners.values() if owner.is_free]
        try:
            insert = functools.partial(_insert, new, free, using)
            retry_deadlocks(insert, using=using)
        except IntegrityError:
            # Somebody else took a key in this moment; or it is about no key at all.
            _refuse_alike(messages, owners)
            tries -= 1
            before, owners = owners, _owners_of_keys(messages, using)
            if not tries or owners == before:
                raise
        else:
            return rows, new


@dataclass(frozen=True, slots=True)
class _Owner:
    """The row that has a key, and what it became: itself, or the last resend of it."""

    row: Message
    last: Message
    is_free: bool


def _insert(messages: Sequence[Message], free: Sequence[int], using: str) -> None:
    """Insert; take their keys from rows that were never sent."""
    for message in messages:
        message.pk = None  # a try before this one may have set it
    with transaction.atomic(using=using):
        if free:
            rows = Message.objects.using(using).filter(pk__in=free)
            overdue = Q(status__in=_WAITING, expires_at__lte=DbNow())
            over = Q(status__in=_NEVER_SENT) | overdue
            rows.filter(over).update(idempotency_key=None)
        if len(messages) == 1:
            messages[0].save(using=using, force_insert=True)
            return
        for start in range(0, len(messages), _CHUNK):
            # A call for each, as one for all would keep their keys until its end.
            Message.objects.using(using).bulk_create(messages[start : start + _CHUNK])


def _reuse_keys(
    messages: Sequence[Message], owners: Mapping[_Key, _Owner]
) -> tuple[list[Message], list[Message]]:
    """Put in the place of messages whose key is taken the rows that have it."""
    firsts: dict[_Key, Message] = {}
    rows, new = [], []
    for position, message in enumerate(messages):
        owner = owners.get(_key(message)) if message.idempotency_key else None
        if owner and not owner.is_free:
            _refuse_other(owner.row, message, position)
            rows.append(owner.last)
            continue
        first = message
        if message.idempotency_key:
            first = firsts.setdefault(_key(message), message)
            _refuse_other(first, message, position)
        rows.append(first)
        if first is message:
            message.resend_of = owner.last if owner else None
            new.append(message)
    return rows, new


def _owners_of_keys(messages: Sequence[Message], using: str) -> dict[_Key, _Owner]:
    """Return the rows that have these messages' keys, by account and key."""
    keyed = [message for message in messages if message.idempotency_key]
    rows: list[Message] = []
    for start in range(0, len(keyed), _KEYS_ASKED):
        some = keyed[start : start + _KEYS_ASKED]
        rows += Message.objects.using(using).filter(
            account__in={m.account for m in some},
            idempotency_key__in=[m.idempotency_key for m in some],
        )
    now = max((message.created_at for message in keyed), default=None)
    lasts = _last_resends(rows, now, using)
    return {
        _key(row): _Owner(row, lasts[row.pk], _is_over(lasts[row.pk], now))
        for row in rows
    }


def _last_resends(
    rows: Sequence[Message], now: datetime | None, using: str
) -> dict[int, Message]:
    """Return what became of each row: itself, or what was sent in its place."""
    lasts = {row.pk: row for row in rows}
    asked: dict[int | None, int] = {r.pk: r.pk for r in rows if _is_over(r, now)}
    while asked:
        keys = [key for key in asked if key is not None]
        found: list[Message] = []
        for start in range(0, len(keys), _KEYS_ASKED):
            some = keys[start : start + _KEYS_ASKED]
            found += Message.objects.using(using).resends_of(some)
        lasts |= {asked[row.resend_of_id]: row for row in found}
        asked = {r.pk: asked[r.resend_of_id] for r in found if _is_over(r, now)}
    return lasts


def _is_over(row: Message, now: datetime | None) -> bool:
    """Return whether a row was never sent and will not be, swept already or not."""
    if row.status in _NEVER_SENT:
        return True
    return row.status in _WAITING and now is not None and row.expires_at <= now


def _refuse_alike(messages: Sequence[Message], owners: Mapping[_Key, _Owner]) -> None:
    """Refuse a key that only the database's collation takes for another one."""
    for position, message in enumerate(messages):
        own = message.idempotency_key
        for (account, key), owner in owners.items():
            if own and account == message.account and key != own:
                reason = _(
                    "The database takes the idempotency key for that of message "
                    "%(pk)s, as its collation does: choose one that differs in more "
                    "than letter case or accents."
                )
                pk = {"pk": owner.row.pk}
                raise IdempotencyConflict(reason % pk, position=position)


def _key(message: Message) -> _Key:
    return message.account, message.idempotency_key


def _refuse_other(owner: Message, message: Message, position: int) -> None:
    """Raise IdempotencyConflict where the key's owner asks for something else."""
    others = _differences(owner, message)
    if owner.idempotency_key == message.idempotency_key and not others:
        return
    reason: object
    if owner._state.adding:
        reason = _(
            "An idempotency key is given to several messages that say different things."
        )
    else:
        reason = _(
            "The idempotency key belongs to message %(pk)s, which has another "
            "%(fields)s. Choose another key, or change that message while it waits."
        ) % {"pk": owner.pk, "fields": listed(others)}
    raise IdempotencyConflict(reason, position=position)


def _differences(one: Message, other: Message) -> list[str]:
    """Return in which fields they do not ask for the same, at the same time.

    A text or a number that was redacted is not compared: nobody can say any more what
    it was, and keeping a hash of a short code would be keeping the code. Nor is a line
    that neither named.
    """
    compared = ["account", "mobile", "text", "scenario", "template", "send_at"]
    if one.redacted_at is not None or other.redacted_at is not None:
        compared.remove("text")
    if not (one.mobile and other.mobile):
        compared.remove("mobile")
    found = [name for name in compared if getattr(one, name) != getattr(other, name)]
    for name in ("line", "line2"):
        nobody_named = all(getattr(each, f"default_{name}") for each in (one, other))
        if not nobody_named and _line(one, name) != _line(other, name):
            found.append(name)
    return found


def _line(message: Message, name: str) -> str:
    """Return the line that a message leaves from: its own, or its account's."""
    own: str = getattr(message, name)
    if own or not getattr(message, f"default_{name}"):
        return own
    line: str = getattr(find_account(message.account), name)
    return line
