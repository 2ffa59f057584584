"""What callers hand in besides the words of a message: rows, and who asks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.translation import gettext as _

from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message

User = AbstractBaseUser


def one(message: object) -> Message:
    """Return the row that a call is about; raise InvalidMessage for what is none."""
    if isinstance(message, Message):
        return message
    reason = _("Give a Message, not a value of type %(type)s.")
    raise InvalidMessage("message", reason % {"type": type(message).__name__})


def several(messages: Message | Iterable[Message]) -> list[Message]:
    """Return the rows that a call is about, of which one may come by itself.

    Raise InvalidMessage for anything else, such as their numbers.
    """
    if isinstance(messages, Iterable):
        return [one(message) for message in messages]
    return [one(messages)]


def user_key(user: User | None, field: str = "by") -> Any:
    """Return the key of who asks, None for nobody; InvalidMessage for no user."""
    if user is None or isinstance(getattr(user, "pk", None), int | str | UUID):
        return getattr(user, "pk", None)
    raise InvalidMessage(field, _("Give a user who is saved, or None."))
