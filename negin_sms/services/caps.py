"""Caps: so many messages a minute, an hour, a day, for a number and for an account.

Against a form that is misused to text people, or to spend the account's money. The
counts are rows, changed by one conditional UPDATE each, so a cap holds for all
processes; they are part of the transaction that saves the message, and roll back
with it. Periods begin at whole minutes, hours and days (UTC).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import connections
from django.db.models import F
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from negin_sms import conf
from negin_sms.exceptions import CapExceeded
from negin_sms.models import CapCount, Message
from negin_sms.querysets import from_now

_KEPT = 2 * 24 * 3600.0
_SWEEP = 500


class _Period(NamedTuple):
    """One count: whose, of which period, and when that began."""

    account: str
    mobile: str  # "" for the account's own
    seconds: int
    began_at: datetime


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
    for period in sorted(wanted):
        _take(period, wanted[period], limits[period], now, using)


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
            yield _Period(account.alias, mobile, seconds, began_at), most


def _take(period: _Period, more: int, most: int, now: datetime, using: str) -> None:
    counts = CapCount.objects.using(using).filter(**period._asdict())
    free = counts.filter(messages__lte=most - more)
    if free.update(messages=F("messages") + more):
        return
    if not counts.exists():
        _begin(period, using)
        if free.update(messages=F("messages") + more):
            return
    ends_at = period.began_at + timedelta(seconds=period.seconds)
    raise _exceeded(period, most, (ends_at - now).total_seconds())


def _begin(period: _Period, using: str) -> None:
    """Make the row of a period, unless another process has just done so.

    The update changes nothing. It is there since MariaDB and MySQL answer a
    duplicate with a shared lock, on which two such processes would deadlock.
    """
    has_target = connections[using].features.supports_update_conflicts_with_target
    CapCount.objects.using(using).bulk_create(
        [CapCount(**period._asdict(), messages=0)],
        update_conflicts=True,
        update_fields=["seconds"],
        unique_fields=_Period._fields if has_target else None,
    )


def _exceeded(period: _Period, most: int, retry_after: float) -> CapExceeded:
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
