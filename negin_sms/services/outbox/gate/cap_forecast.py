"""How many of some messages will be over a cap: asked beforehand, and read only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db.models import Q

from negin_sms import conf
from negin_sms.models import CapCount
from negin_sms.querysets import MessageQuerySet
from negin_sms.services.outbox.gate.caps import (
    Full,
    Period,
    account_periods,
    longest,
    mobile_periods,
)
from negin_sms.services.outbox.transitions import WAITING


class Over(NamedTuple):
    """How many of some messages are over their numbers' caps, and the account's."""

    by_number: int
    by_account: int


def count_over(messages: MessageQuerySet, account: conf.Account, at: datetime) -> Over:
    """Return how many of these find no place in the periods of a moment.

    One after the other, as the gate does: of two to one number the second may be over.
    Others that are queued and have not left are not counted, unless a place is kept for
    them. Each is over the cap that it waits for, that of its number or the account's.
    """
    of_numbers = list(mobile_periods(account, at, ""))
    of_account = list(account_periods(account, at))
    if not (of_numbers or of_account):
        return Over(0, 0)
    counted = _counted(messages, [period for period, _most in of_numbers + of_account])
    over: Counter[str] = Counter()
    for mobile, place, is_forced in _asking(messages):
        own = ((period._replace(mobile=mobile), most) for period, most in of_numbers)
        asked = [
            (period, most)
            for period, most in (*own, *of_account)
            if place is None or not period.contains(place)
        ]
        full = [Full(period, most) for period, most in asked if counted[period] >= most]
        if full and not is_forced:
            over[longest(full).scope] += 1
        else:
            counted.update(period for period, _most in asked)
    return Over(over["mobile"], over["account"])


def _counted(messages: MessageQuerySet, periods: Sequence[Period]) -> Counter[Period]:
    """Return what these periods have seen, of these messages' numbers and in all."""
    of_these = Q()
    for period in periods:
        of_these |= Q(
            account=period.account, seconds=period.seconds, began_at=period.began_at
        )
    numbers = Q(mobile="") | Q(mobile__in=messages.order_by().values("mobile"))
    rows = CapCount.objects.using(messages.db).filter(of_these, numbers)
    counts: Iterable[tuple[Period, int]] = (
        (Period(*key), seen)
        for *key, seen in rows.values_list(*Period._fields, "messages")
    )
    return Counter(dict(counts))


def _asking(messages: MessageQuerySet) -> Iterator[tuple[str, datetime | None, bool]]:
    """Yield each one's number, its place, and whether it ignores caps; in their order.

    What is sent again has no place, and does not ignore them any more.
    """
    columns = ("mobile", "status", "counted_for", "ignores_caps")
    rows = messages.in_queue_order().values_list(*columns)
    for mobile, status, counted_for, ignores_caps in rows:
        waits = status in WAITING
        yield mobile, counted_for if waits else None, ignores_caps and waits
