"""Telling the project's receivers, once what they are told of is durable.

Rows are read again for them, in one query for each kind of news, and only when
somebody listens.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Any

from django.dispatch import Signal

from negin_sms import signals
from negin_sms.choices import Status
from negin_sms.models import Message

from .database import after_commit, in_transaction

logger = logging.getLogger("negin_sms")

_OUTCOMES = {
    Status.ACCEPTED: signals.message_accepted,
    Status.REJECTED: signals.message_rejected,
    Status.UNCERTAIN: signals.message_uncertain,
}


def announce_outcomes(outcomes: Mapping[int, str], using: str) -> None:
    """Tell how sending ended, given as the new status by primary key."""
    for status, signal in _OUTCOMES.items():
        keys = [pk for pk, its in outcomes.items() if its == status]
        _announce(signal, dict.fromkeys(keys, _NOTHING_MORE), using)


def announce_states(changes: Mapping[int, int | None], using: str) -> None:
    """Tell that states moved up, given as the previous state by primary key."""
    news = {pk: {"previous": previous} for pk, previous in changes.items()}
    _announce(signals.state_changed, news, using)


def announce_settled(keys: Iterable[int], using: str) -> None:
    """Tell that polling has ended for these messages."""
    news = dict.fromkeys(keys, _NOTHING_MORE)
    _announce(signals.message_settled, news, using)


_NOTHING_MORE: dict[str, Any] = {}


def _announce(signal: Signal, news: Mapping[int, dict[str, Any]], using: str) -> None:
    if not news or not signal.has_listeners(Message):
        return
    send = functools.partial(_send, signal, news, using)
    if in_transaction(using):
        after_commit(using, send)
    else:
        send()


# The signals whose receivers are at work in this context.
_telling: ContextVar[tuple[Signal, ...]] = ContextVar("_telling", default=())


def _send(signal: Signal, news: Mapping[int, dict[str, Any]], using: str) -> None:
    telling = _telling.get()
    if signal in telling:
        # A receiver has sent a message, whose outcome would call the receiver again.
        logger.error("SMS %s: its outcome ended a loop of receivers", min(news))
        return
    rows = Message.objects.using(using).in_bulk(list(news))
    token = _telling.set((*telling, signal))
    try:
        for pk, arguments in news.items():
            if pk in rows:
                signal.send_robust(sender=Message, message=rows[pk], **arguments)
    finally:
        _telling.reset(token)
