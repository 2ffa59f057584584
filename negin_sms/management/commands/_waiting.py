"""Why messages wait: of one, or of the first few of each account's queue."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.dates import plain_words, to_the_second
from negin_sms.exceptions import InvalidConfiguration
from negin_sms.models import Message

# Each is asked by several queries, so few: those that are next.
_LOOKED_AT = 10


def waiting(alias: str) -> list[dict[str, Any]]:
    """Return what keeps the first few of an account's queue, the commonest first.

    ``messages`` says how many of ``of``, and ``until`` when that ends, if one knows. Of
    several reasons that a message has, it is the one that lasts longest.
    """
    queued = Message.objects.filter(status=Status.QUEUED, account=alias)
    rows = list(queued.in_queue_order().defer("text")[:_LOOKED_AT])
    found: Counter[tuple[str, datetime | None]] = Counter()
    for row in rows:
        found.update(sorted(reasons(row), key=_end, reverse=True)[:1])
    return [
        {
            "account": alias,
            "reason": reason,
            "until": until,
            "messages": count,
            "of": len(rows),
        }
        for (reason, until), count in found.most_common()
    ]


def reasons(message: Message) -> list[tuple[str, datetime | None]]:
    """Return why a message waits and until when, None where nobody knows."""
    if message.is_held:
        return [(message.detail or str(_("It is held.")), None)]
    try:
        verdicts = services.why_waiting(message)
    except InvalidConfiguration as error:
        return [(str(error), None)]
    return [
        (
            str(each.words),
            to_the_second(each.until) if each.until else None,
        )
        for each in verdicts
    ]


def _end(reason: tuple[str, datetime | None]) -> float:
    # What ends nobody knows when comes behind every moment.
    return reason[1].timestamp() if reason[1] else math.inf


def in_words(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a line for each reason."""
    return [
        f"{each['account']}: {each['messages']} of the first {each['of']} queued wait: "
        f"{_with_end(each['reason'], each['until'])}"
        for each in found
    ]


def of_one(pk: int) -> tuple[dict[str, Any], list[str]]:
    """Return why one message waits, for programs and for people.

    Raise LookupError where there is none.
    """
    message = Message.objects.filter(pk=pk).defer("text").first()
    if message is None:
        raise LookupError(f"There is no message {pk}.")
    found = reasons(message)
    lines = [_with_end(*each) for each in found]
    if message.status == Status.QUEUED and not lines:
        lines = [_("Nothing keeps it: it leaves with the next run.")]
    elif not lines:
        lines = [_("It does not wait.")]
    waits = [{"reason": reason, "until": until} for reason, until in found]
    told = {"id": pk, "status": message.status, "waits": waits}
    status = message.get_status_display()
    return told, [f"Message {pk} ({status}): {line}" for line in lines]


def _with_end(reason: str, until: datetime | None) -> str:
    return f"{reason} (until {plain_words(until)})" if until else reason
