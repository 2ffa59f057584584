"""Caps: so many messages a minute, an hour, a day, for a number and for an account.

Against a form that is misused to text people, or to spend the account's money. A
message is counted once in each period, when it leaves (the gate asks): the counts are
rows, changed by one conditional UPDATE each, so a cap holds for all processes. What is
over its number's cap gets a place in the next period, counted there at once. Periods
begin at whole minutes, hours and days (UTC).
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import connections, transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from negin_sms import conf
from negin_sms.models import CapCount, Message
from negin_sms.querysets import from_now
from negin_sms.services.accounts import unknown_accounts
from negin_sms.services.database import retry_deadlocks

_KEPT = 2 * 24 * 3600.0
_SWEEP = 500


class Period(NamedTuple):
    """One count: whose, of which length in seconds, and when it began."""

    account: str
    seconds: int
    began_at: datetime
    mobile: str  # "" for the account's own

    @property
    def ends_at(self) -> datetime:
        """Return the first moment of the next one."""
        return self.began_at + timedelta(seconds=self.seconds)

    def contains(self, moment: datetime) -> bool:
        """Return whether a moment lies within."""
        return self.began_at <= moment < self.ends_at


class Full(NamedTuple):
    """A period with no place left, and how many it has."""

    period: Period
    most: int

    @property
    def scope(self) -> str:
        """Return whose cap it is: "mobile" or "account"."""
        return "mobile" if self.period.mobile else "account"

    @property
    def reason(self) -> str:
        """Return it in words for people."""
        if self.period.mobile:
            words = ngettext(
                "At most %(most)s message in %(period)s goes to one number.",
                "At most %(most)s messages in %(period)s go to one number.",
                self.most,
            )
        else:
            words = ngettext(
                "The account sends at most %(most)s message in %(period)s.",
                "The account sends at most %(most)s messages in %(period)s.",
                self.most,
            )
        return words % {"most": self.most, "period": _WORDS[self.period.seconds]}


_WORDS = {60: _("a minute"), 3600: _("an hour"), 86400: _("a day")}


def take_place(
    message: Message, at: datetime, counted_for: datetime | None, using: str
) -> bool:
    """Count a message in all periods of a moment, or in none; return whether it was.

    ``counted_for`` is a moment whose periods have counted it already: whoever tries
    again takes no second place. The row says so by the same commit, so a gate that
    breaks off leaves no place that nobody has.
    """
    take = functools.partial(_take_all, message, at, counted_for, using)
    return retry_deadlocks(take, using=using)


def _take_all(
    message: Message, at: datetime, counted_for: datetime | None, using: str
) -> bool:
    with transaction.atomic(using=using):
        # The row first, as who cancels or edits it does: nobody waits crosswise.
        Message.objects.using(using).filter(pk=message.pk).update(counted_for=at)
        for period, most in _periods(message, at):
            if counted_for is not None and period.contains(counted_for):
                continue
            if not _take(period, most, using, force=message.ignores_caps):
                transaction.set_rollback(True, using=using)
                return False
        if counted_for is not None and counted_for > at:
            # It leaves before the place that was kept for it.
            held = (period for period, _most in _periods(message, counted_for))
            _give_back([p for p in held if not p.contains(at)], using)
    return True


def find_full(
    message: Message, at: datetime, counted_for: datetime | None, using: str
) -> Full | None:
    """Return the period of a moment that has no place for it, the one that ends last.

    Reads only.
    """
    if message.ignores_caps:
        return None
    full = [
        Full(period, most)
        for period, most in _periods(message, at)
        if counted_for is None or not period.contains(counted_for)
        if _counts(period, using).filter(messages__gte=most).exists()
    ]
    return longest(full) if full else None


def longest(full: Sequence[Full]) -> Full:
    """Return the one that ends last: it is the one that a message waits for."""
    return max(full, key=lambda each: each.period.ends_at)


def give_back_places(
    places: Iterable[tuple[Message, datetime | None]], now: datetime, using: str
) -> None:
    """Take messages that do not leave out of the counts that still matter.

    Beside each is the moment whose periods have counted it, None for none.
    """
    places = list(places)
    gone = unknown_accounts({message.account for message, _at in places})
    held = (
        period
        for message, counted_for in places
        if counted_for is not None and message.account not in gone
        for period, _most in _periods(message, counted_for)
    )
    _give_back([period for period in held if period.ends_at > now], using)


def account_room(account: conf.Account, now: datetime, using: str) -> int | None:
    """Return how many messages an account's caps let go now, None for no limit."""
    rooms = (
        _room(period, most, using) for period, most in account_periods(account, now)
    )
    return min(rooms, default=None)


def may_exceed(account: conf.Account, now: datetime, using: str) -> Q:
    """Return the condition of what may leave although the account's caps are used up.

    It ignores them, or has its place in each period that is full.
    """
    full = (
        period.began_at
        for period, most in account_periods(account, now)
        if _counts(period, using).filter(messages__gte=most).exists()
    )
    return Q(ignores_caps=True) | Q(counted_for__gte=max(full, default=now))


def forget_old(using: str) -> int:
    """Delete counts of periods that are long over; return how many."""
    rows = CapCount.objects.using(using)
    old = rows.filter(began_at__lt=from_now(-_KEPT)).order_by("pk")
    keys = list(old.values_list("pk", flat=True)[:_SWEEP])
    return rows.filter(pk__in=keys).delete()[0] if keys else 0


def _periods(message: Message, at: datetime) -> Iterator[tuple[Period, int]]:
    account = conf.get_account(message.account)
    if message.mobile:  # who asks for the account alone has no number
        yield from mobile_periods(account, at, message.mobile)
    yield from account_periods(account, at)


def mobile_periods(
    account: conf.Account, at: datetime, mobile: str
) -> Iterator[tuple[Period, int]]:
    """Yield the periods in which a number is counted at a moment, with their caps."""
    for seconds, most in account.mobile_caps:
        yield _period(account.alias, seconds, at, mobile), most


def account_periods(
    account: conf.Account, at: datetime
) -> Iterator[tuple[Period, int]]:
    """Yield those in which the account is counted."""
    for seconds, most in account.account_caps:
        yield _period(account.alias, seconds, at, ""), most


def _period(alias: str, seconds: int, at: datetime, mobile: str) -> Period:
    began_at = datetime.fromtimestamp(at.timestamp() // seconds * seconds, tz=UTC)
    return Period(alias, seconds, began_at, mobile)


def _room(period: Period, most: int, using: str) -> int:
    counted = _counts(period, using).values_list("messages", flat=True).first()
    return max(0, most - (counted or 0))


def _counts(period: Period, using: str) -> QuerySet[CapCount]:
    return CapCount.objects.using(using).filter(**period._asdict())


def _take(period: Period, most: int, using: str, *, force: bool) -> bool:
    counts = _counts(period, using)
    free = counts if force else counts.filter(messages__lt=most)
    if free.update(messages=F("messages") + 1):
        return True
    if counts.exists():
        return False
    _begin(period, using)
    return bool(free.update(messages=F("messages") + 1))


def _give_back(periods: Iterable[Period], using: str) -> None:
    """Give back as many places of each period as it is named times.

    In the order in which the gate takes them, so nobody waits crosswise: numbers'
    before accounts', short periods before long ones.
    """
    times = Counter(periods)
    for period in sorted(times, key=lambda each: (not each.mobile, each)):
        counts, given = _counts(period, using), times[period]
        enough = counts.filter(messages__gte=given)
        if not enough.update(messages=F("messages") - given):
            counts.update(messages=0)


def _begin(period: Period, using: str) -> None:
    """Make the row of a period, unless another process has made it.

    The update changes nothing. It is there since MariaDB and MySQL answer a
    duplicate with a shared lock, on which two such processes would deadlock.
    """
    has_target = connections[using].features.supports_update_conflicts_with_target
    CapCount.objects.using(using).bulk_create(
        [CapCount(**period._asdict(), messages=0)],
        update_conflicts=True,
        update_fields=["seconds"],
        unique_fields=Period._fields if has_target else None,
    )
