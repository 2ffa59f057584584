"""Idempotency keys: whoever asks again gets the row that there is."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from negin_sms.exceptions import CapExceeded, IdempotencyConflict
from negin_sms.models import Message
from negin_sms.services.database import retry_deadlocks
from negin_sms.services.outbox import caps

_Key = tuple[str, str | None]
_KEYS_ASKED = 500  # a statement; SQLite takes so many thousand values and no more


def save_once(message: Message, using: str) -> tuple[Message, bool]:
    """Insert a message, or return the row that its idempotency key belongs to.

    Raise IdempotencyConflict when that row would send something else, or when
    only the database's collation takes the two keys for one; CapExceeded when a
    cap is used up.
    """
    try:
        retry_deadlocks(lambda: _insert(message, using), using=using)
    except (IntegrityError, CapExceeded):
        existing = _owner_of_key(message, using)
        if existing is None:
            raise
        return _same_or_conflict(existing, message), False
    return message, True


def _insert(message: Message, using: str) -> None:
    message.pk = None  # a try before this one may have set it
    with transaction.atomic(using=using):
        caps.count([message], message.created_at, using)
        message.save(using=using, force_insert=True)


def reuse_keys(
    messages: list[Message], using: str
) -> tuple[list[Message], list[Message]]:
    """Replace the messages whose idempotency key is taken by the rows that have it.

    Return all of them, in order, and those to be inserted, each once.
    """
    keyed = [m for m in messages if m.idempotency_key]
    if not keyed:
        return messages, messages
    owners = _owners_of_keys(keyed, using)
    rows, new = [], []
    for message in messages:
        owner = message
        if message.idempotency_key:
            owner = owners.setdefault(_key(message), message)
        rows.append(_same_or_conflict(owner, message))
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


def _key(message: Message) -> _Key:
    return message.account, message.idempotency_key


def _owner_of_key(message: Message, using: str) -> Message | None:
    if not message.idempotency_key:
        return None
    return (
        Message.objects.using(using)
        .filter(account=message.account, idempotency_key=message.idempotency_key)
        .first()
    )


def _same_or_conflict(owner: Message, message: Message) -> Message:
    if owner is message:
        return message
    same_key = owner.idempotency_key == message.idempotency_key
    if same_key and owner.is_same_wish(message):
        return owner
    if owner.pk is None:
        raise IdempotencyConflict(
            _(
                "An idempotency key is given to several messages that say different things."
            )
        )
    if not same_key:
        raise IdempotencyConflict(
            _(
                "The database's collation takes the idempotency key for that of message "
                "%(pk)s: keys have to differ in more than capitals, accents or emoji."
            )
            % {"pk": owner.pk}
        )
    raise IdempotencyConflict(
        _("The idempotency key belongs to message %(pk)s, which says something else.")
        % {"pk": owner.pk}
    )
