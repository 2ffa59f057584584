"""Idempotency keys: whoever asks again gets the row that there is.

A row that was cancelled or expired was never sent: it gives its key back to whoever
asks for it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from negin_sms.characters import listed
from negin_sms.choices import Status
from negin_sms.exceptions import IdempotencyConflict
from negin_sms.models import Message
from negin_sms.services.accounts import find_account
from negin_sms.services.database import retry_deadlocks

_Key = tuple[str, str | None]
_KEYS_ASKED = 500  # a statement; SQLite takes so many thousand values and no more
_CHUNK = 500
_TRIES = 3
_NEVER_SENT = (Status.CANCELLED, Status.EXPIRED)


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
    while True:
        keyed = [message for message in messages if message.idempotency_key]
        owners = _owners_of_keys(keyed, using)
        unsent = [row.pk for row in owners.values() if row.status in _NEVER_SENT]
        rows, new = _reuse_keys(messages, owners)
        try:
            insert = functools.partial(_insert, new, unsent, using)
            retry_deadlocks(insert, using=using)
        except IntegrityError:
            # Somebody else took a key in this moment; or it is about no key at all.
            _refuse_alike(messages, owners)
            tries -= 1
            if not tries or not _owners_of_keys(keyed, using).keys() - owners.keys():
                raise
        else:
            return rows, new


def _insert(messages: Sequence[Message], unsent: Sequence[int], using: str) -> None:
    """Insert; take their keys from rows that were never sent."""
    for message in messages:
        message.pk = None  # a try before this one may have set it
    with transaction.atomic(using=using):
        if unsent:
            rows = Message.objects.using(using).filter(status__in=_NEVER_SENT)
            rows.filter(pk__in=unsent).update(idempotency_key=None)
        if len(messages) == 1:
            messages[0].save(using=using, force_insert=True)
            return
        for start in range(0, len(messages), _CHUNK):
            # A call for each, as one for all would keep their keys until its end.
            Message.objects.using(using).bulk_create(messages[start : start + _CHUNK])


def _reuse_keys(
    messages: Sequence[Message], owners: Mapping[_Key, Message]
) -> tuple[list[Message], list[Message]]:
    """Put in the place of messages whose key is taken the rows that have it."""
    found = {k: row for k, row in owners.items() if row.status not in _NEVER_SENT}
    rows, new = [], []
    for position, message in enumerate(messages):
        owner = message
        if message.idempotency_key:
            owner = found.setdefault(_key(message), message)
        rows.append(_same_or_conflict(owner, message, position))
        if owner is message:
            new.append(message)
    return rows, new


def _owners_of_keys(messages: Sequence[Message], using: str) -> dict[_Key, Message]:
    """Return the rows that have these messages' keys, by account and key."""
    owners = {}
    for start in range(0, len(messages), _KEYS_ASKED):
        some = messages[start : start + _KEYS_ASKED]
        taken = Message.objects.using(using).filter(
            account__in={m.account for m in some},
            idempotency_key__in=[m.idempotency_key for m in some],
        )
        owners.update({_key(row): row for row in taken})
    return owners


def _refuse_alike(messages: Sequence[Message], owners: Mapping[_Key, Message]) -> None:
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
                raise IdempotencyConflict(reason % {"pk": owner.pk}, position=position)


def _key(message: Message) -> _Key:
    return message.account, message.idempotency_key


def _same_or_conflict(owner: Message, message: Message, position: int) -> Message:
    if owner is message:
        return message
    others = _differences(owner, message)
    if owner.idempotency_key == message.idempotency_key and not others:
        return owner
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
