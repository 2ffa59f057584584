"""Idempotency keys: whoever asks again gets the row that there is.

A row that was cancelled or expired was never sent: its key goes to the row that is
sent in its place, a person's resend or the next call that comes with the key.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from negin_sms.characters import listed
from negin_sms.choices import Status
from negin_sms.exceptions import IdempotencyConflict
from negin_sms.models import Message
from negin_sms.querysets import MessageQuerySet
from negin_sms.services.accounts import find_account
from negin_sms.services.database import retry_deadlocks

_Key = tuple[str, str | None]
_KEYS_ASKED = 500  # a statement; SQLite takes so many thousand values and no more
_CHUNK = 500
_TRIES = 10  # each of which somebody else has won
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
    tries, asked = _TRIES, {_key(message) for message in messages}
    owners = _owners_of_keys(messages, using)
    while True:
        rows, new = _reuse_keys(messages, owners)
        free = [
            owner.pk
            for key, owner in owners.items()
            if key in asked and _is_over(owner, messages[0].created_at)
        ]
        try:
            insert = functools.partial(_insert, new, free, using)
            retry_deadlocks(insert, using=using)
        except IntegrityError:
            # Somebody else took a key in this moment; or it is about no key at all.
            _refuse_alike(messages, owners)
            tries -= 1
            if not tries:
                raise
            owners = _owners_of_keys(messages, using)
        else:
            return rows, new


def hand_over_key(old: Message, new: Message, using: str) -> None:
    """Let the row that is about to be sent in place of another one have its key.

    Not where the other one may have been sent: its key tells what became of that.
    """
    if old.status in _NEVER_SENT and old.idempotency_key:
        new.idempotency_key = old.idempotency_key
        rows = Message.objects.using(using).filter(pk=old.pk)
        rows.update(idempotency_key=None)


def _insert(messages: Sequence[Message], free: Sequence[int], using: str) -> None:
    """Insert; take their keys from rows that were never sent."""
    for message in messages:
        # A try before this one may have set it.
        message.pk, message._state.adding = None, True
    with transaction.atomic(using=using):
        if free:
            rows = Message.objects.using(using).filter(pk__in=free)
            over = rows.filter(status__in=_NEVER_SENT) | rows.overdue()
            over.update(idempotency_key=None)
            _forget_purged(messages, rows)
        if len(messages) == 1:
            messages[0].save(using=using, force_insert=True)
            return
        for start in range(0, len(messages), _CHUNK):
            # A call for each, as one for all would keep their keys until its end.
            Message.objects.using(using).bulk_create(messages[start : start + _CHUNK])


def _forget_purged(messages: Sequence[Message], olds: MessageQuerySet) -> None:
    """Let no message be the resend of a row that was deleted since it was found."""
    left = set(olds.select_for_update().values_list("pk", flat=True))
    for message in messages:
        if message.resend_of_id not in left:
            message.resend_of = None


def _reuse_keys(
    messages: Sequence[Message], owners: Mapping[_Key, Message]
) -> tuple[list[Message], list[Message]]:
    """Put in the place of messages whose key is taken the rows that have it."""
    firsts: dict[_Key, Message] = {}
    rows, new = [], []
    for position, message in enumerate(messages):
        owner = owners.get(_key(message)) if message.idempotency_key else None
        if owner and not _is_over(owner, message.created_at):
            _refuse_other(owner, message, position)
            rows.append(owner)
            continue
        first = message
        if message.idempotency_key:
            first = firsts.setdefault(_key(message), message)
            _refuse_other(first, message, position)
        rows.append(first)
        if first is message:
            # So nobody sends the old one beside it.
            is_resend = owner is not None and owner.mobile in ("", message.mobile)
            message.resend_of = owner if is_resend else None
            new.append(message)
    return rows, new


def _owners_of_keys(messages: Sequence[Message], using: str) -> dict[_Key, Message]:
    """Return the rows that have these messages' keys, by account and key."""
    keys: dict[str, list[str]] = {}
    for message in messages:
        if message.idempotency_key:
            keys.setdefault(message.account, []).append(message.idempotency_key)
    rows: list[Message] = []
    for account, all_of_it in keys.items():
        own = Message.objects.using(using).filter(account=account)
        for start in range(0, len(all_of_it), _KEYS_ASKED):
            some = all_of_it[start : start + _KEYS_ASKED]
            rows += own.filter(idempotency_key__in=some)
    return {_key(row): row for row in rows}


def _is_over(row: Message, now: datetime) -> bool:
    """Return whether a row was never sent and will not be, swept already or not."""
    if row.status in _NEVER_SENT:
        return True
    return row.status in _WAITING and row.expires_at <= now


def _refuse_alike(messages: Sequence[Message], owners: Mapping[_Key, Message]) -> None:
    """Refuse a key that only the database's collation takes for another one."""
    wanted = {_key(message) for message in messages}
    for found, owner in owners.items():
        if found in wanted:
            continue
        alike = (
            position
            for position, message in enumerate(messages)
            if message.idempotency_key and message.account == found[0]
            if _key(message) not in owners
        )
        reason = _(
            "The database takes the idempotency key for that of message %(pk)s, as its "
            "collation does: choose one that differs in more than letter case or "
            "accents."
        ) % {"pk": owner.pk}
        raise IdempotencyConflict(reason, position=next(alike, None))


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
    it was, and keeping a hash of a short code would be keeping the code. Nor is the way
    of a row that was sent in place of another: who did may have chosen a new one.
    """
    compared = ["account", "mobile", "text", "send_at"]
    if one.redacted_at is not None or other.redacted_at is not None:
        compared.remove("text")
    if not (one.mobile and other.mobile):
        compared.remove("mobile")
    if one._state.adding or one.resend_of_id is None:
        compared += ["scenario", "template", *_lines_compared(one, other)]
    return [name for name in compared if _asked(one, name) != _asked(other, name)]


def _lines_compared(one: Message, other: Message) -> list[str]:
    """Return which lines at least one of them has named."""
    return [
        name
        for name in ("line", "line2")
        if not all(getattr(each, f"default_{name}") for each in (one, other))
    ]


def _asked(message: Message, name: str) -> object:
    """Return what a message asks for; for a line, the account's where it named none."""
    own: object = getattr(message, name)
    if own or not getattr(message, f"default_{name}", False):
        return own
    return getattr(find_account(message.account), name)
