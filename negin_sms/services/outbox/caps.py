"""Caps: so many messages a minute, an hour, a day, for a number and for an account.

Against a form that is misused to text people, or to spend the account's money. The
counts are rows, changed by one conditional UPDATE each, so a cap holds for all
processes; they are part of the transaction that saves the message, and roll back
with it. Periods begin at whole minutes, hours and days (UTC).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from django.db import connections
from django.db.models import F, QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from negin_sms import conf
from negin_sms.exceptions import CapExceeded
from negin_sms.models import CapCount, Message
from negin_sms.querysets import from_now

_KEPT = 2 * 24 * 3600.0
_SWEEP = 500
_FEW = 8  # periods; one that has begun costs a statement, many cost three together
_CHUNK = 500


class _Period(NamedTuple):
    """One count: whose, of which period, and when that began; in the order of locks."""

    account: str
    seconds: int
    began_at: datetime
    mobile: str  # "" for the account's own


class _Wish(NamedTuple):
    """How many messages more, and how many there may be."""

    more: int
    most: int


def count(messages: Iterable[Message], now: datetime, using: str) -> None:
    """Count these messages against their caps; raise CapExceeded for the first.

    Call it inside the transaction that saves them.
    """
    wanted: Counter[_Period] = Counter()
    limits: dict[_Period, int] = {}
    for message in messages:
        for period, most in _periods_of(message, now):
            wanted[period] += 1
            limits[period] = most
    # In one order for everybody, so that two transactions cannot lock each other.
    wishes = {
        period: _Wish(wanted[period], limits[period]) for period in sorted(wanted)
    }
    if len(wishes) > _FEW:
        _take_together(wishes, now, using)
        return
    for period, wish in wishes.items():
        _take(period, wish, now, using)


def forget_old(using: str) -> int:
    """Delete counts of periods that are long over; return how many."""
    rows = CapCount.objects.using(using)
    old = rows.filter(began_at__lt=from_now(-_KEPT)).order_by("pk")
    keys = list(old.values_list("pk", flat=True)[:_SWEEP])
    return rows.filter(pk__in=keys).delete()[0] if keys else 0


def _periods_of(message: Message, now: datetime) -> Iterator[tuple[_Period, int]]:
    account = conf.get_account(message.account)
    for mobile, caps in (
        (message.mobile, account.mobile_caps),
        ("", account.account_caps),
    ):
        for seconds, most in caps:
            began_at = datetime.fromtimestamp(
                now.timestamp() // seconds * seconds, tz=UTC
            )
            yield _Period(account.alias, seconds, began_at, mobile), most


def _take(period: _Period, wish: _Wish, now: datetime, using: str) -> None:
    counts = CapCount.objects.using(using).filter(**period._asdict())
    free = counts.filter(messages__lte=wish.most - wish.more)
    if free.update(messages=F("messages") + wish.more):
        return
    if not counts.exists():
        _begin([period], using)
        if free.update(messages=F("messages") + wish.more):
            return
    raise _exceeded(period, wish.most, now)


def _take_together(wishes: Mapping[_Period, _Wish], now: datetime, using: str) -> None:
    """Do the same for many numbers, some hundreds of them in a few statements."""
    for (account, seconds, began_at), group in groupby(wishes, key=lambda p: p[:3]):
        periods = list(group)
        for start in range(0, len(periods), _CHUNK):
            some = {p.mobile: p for p in periods[start : start + _CHUNK]}
            _begin(some.values(), using)  # which locks them, in this order
            counts = CapCount.objects.using(using).filter(
                account=account, seconds=seconds, began_at=began_at, mobile__in=some
            )
            # For update: a plain read may be older than the locks on MariaDB and MySQL.
            for row in counts.select_for_update().order_by("mobile"):
                wish = wishes[some[row.mobile]]
                if row.messages > wish.most - wish.more:
                    raise _exceeded(some[row.mobile], wish.most, now)
            _add(counts, {p.mobile: wishes[p].more for p in some.values()})


def _add(counts: QuerySet[CapCount], more: Mapping[str, int]) -> None:
    """Count so many more of each number, mostly one of all."""
    by_amount = defaultdict(list)
    for mobile, amount in more.items():
        by_amount[amount].append(mobile)
    for amount, mobiles in by_amount.items():
        some = counts.filter(mobile__in=mobiles)
        some.update(messages=F("messages") + amount)


def _begin(periods: Iterable[_Period], using: str) -> None:
    """Make the rows of periods, but those that another process has made.

    The update changes nothing. It is there since MariaDB and MySQL answer a
    duplicate with a shared lock, on which two such processes would deadlock.
    """
    has_target = connections[using].features.supports_update_conflicts_with_target
    CapCount.objects.using(using).bulk_create(
        [CapCount(**period._asdict(), messages=0) for period in periods],
        update_conflicts=True,
        update_fields=["seconds"],
        unique_fields=_Period._fields if has_target else None,
    )


def _exceeded(period: _Period, most: int, now: datetime) -> CapExceeded:
    ends_at = period.began_at + timedelta(seconds=period.seconds)
    retry_after = (ends_at - now).total_seconds()
    if period.mobile:
        reason = ngettext(
            "At most %(most)s message in %(period)s goes to one number; try again in "
            "%(wait)s s.",
            "At most %(most)s messages in %(period)s go to one number; try again in "
            "%(wait)s s.",
            most,
        )
    else:
        reason = ngettext(
            "The account sends at most %(most)s message in %(period)s; try again in "
            "%(wait)s s.",
            "The account sends at most %(most)s messages in %(period)s; try again in "
            "%(wait)s s.",
            most,
        )
    words = {
        "most": most,
        "period": _WORDS[period.seconds],
        "wait": round(retry_after + 0.5),
    }
    scope = "mobile" if period.mobile else "account"
    return CapExceeded(reason % words, scope=scope, retry_after=retry_after)


_WORDS = {60: _("a minute"), 3600: _("an hour"), 86400: _("a day")}
