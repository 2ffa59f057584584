"""How many of some messages will be over a cap: asked beforehand, and read only."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from negin_sms import conf
from negin_sms.models import CapCount
from negin_sms.services.outbox.gate.caps import (
    Full,
    Period,
    account_periods,
    longest,
    mobile_periods,
)

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Asking:
    """A message as it will come to the caps.

    ``place`` is the moment whose periods have counted it, None for none; a rule before
    has stopped it where ``is_stopped``.
    """

    mobile: str = field(repr=False)
    at: datetime
    place: datetime | None
    ignores_caps: bool
    is_stopped: bool


class Over(NamedTuple):
    """How many of some messages are over their numbers' caps, and the account's."""

    by_number: int
    by_account: int


def count_over(asking: Sequence[Asking], account: conf.Account, using: str) -> Over:
    """Return how many of these find no place when they come.

    One after the other, as the gate does: of two to one number the second may be over.
    Others that are queued and have not left are not counted, unless a place is kept for
    them. Each is over the cap that it waits for, that of its number or the account's.
    """
    if not asking or not (account.mobile_caps or account.account_caps):
        return Over(0, 0)
    of_number = functools.cache(lambda at: list(mobile_periods(account, at, "")))
    of_account = functools.cache(lambda at: list(account_periods(account, at)))
    counted = _counted(asking, account, using)
    over: Counter[str] = Counter()
    for each in sorted(asking, key=lambda one: one.at):
        # Nothing is claimed for a full account, so what will be stopped waits as well.
        own = [] if each.is_stopped else of_number(each.at)
        asked = [
            *((period._replace(mobile=each.mobile), most) for period, most in own),
            *of_account(each.at),
        ]
        if each.place is not None:
            asked = [(p, most) for p, most in asked if not p.contains(each.place)]
        full = [Full(period, most) for period, most in asked if counted[period] >= most]
        if full and not each.ignores_caps:
            over[longest(full).scope] += 1
        elif not each.is_stopped:
            counted.update(period for period, _most in asked)
    return Over(over["mobile"], over["account"])


def _counted(
    asking: Sequence[Asking], account: conf.Account, using: str
) -> Counter[Period]:
    """Return what the periods have seen that these will come in."""
    moments = [each.at for each in asking]
    began = [
        period.began_at
        for moment in (min(moments), max(moments))
        for periods in (
            mobile_periods(account, moment, ""),
            account_periods(account, moment),
        )
        for period, _most in periods
    ]
    rows = CapCount.objects.using(using).filter(
        account=account.alias, began_at__range=(min(began), max(began))
    )
    numbers = sorted({"", *(each.mobile for each in asking)})
    counted: Counter[Period] = Counter()
    for start in range(0, len(numbers), _CHUNK):
        found = rows.filter(mobile__in=numbers[start : start + _CHUNK])
        for *key, messages in found.values_list(*Period._fields, "messages"):
            counted[Period(*key)] = messages
    return counted
