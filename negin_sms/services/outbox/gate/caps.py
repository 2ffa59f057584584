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
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import connections, transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from negin_sms import conf
from negin_sms.models import CapCount, Message
from negin_sms.querysets import MessageQuerySet, from_now
from negin_sms.services.accounts import unknown_accounts
from negin_sms.services.database import retry_deadlocks
from negin_sms.services.outbox.transitions import WAITING

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


class Over(NamedTuple):
    """How many of some messages are over their numbers' caps, and the account's."""

    by_number: int
    by_account: int


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
            if counted_for is not None and _contains(period, counted_for):
                continue
            if not _take(period, most, using, force=message.ignores_caps):
                transaction.set_rollback(True, using=using)
                return False
        if counted_for is not None and counted_for > at:
            # It leaves before the place that was kept for it.
            held = (period for period, _most in _periods(message, counted_for))
            _give_back([p for p in held if not _contains(p, at)], using)
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
        if counted_for is None or not _contains(period, counted_for)
        if _counts(period, using).filter(messages__gte=most).exists()
    ]
    return max(full, key=lambda each: each.period.ends_at, default=None)


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
        _room(period, most, using) for period, most in _account_periods(account, now)
    )
    return min(rooms, default=None)


def may_exceed(account: conf.Account, now: datetime, using: str) -> Q:
    """Return the condition of what may leave although the account's caps are used up.

    It ignores them, or has its place in each period that is full.
    """
    full = (
        period.began_at
        for period, most in _account_periods(account, now)
        if _counts(period, using).filter(messages__gte=most).exists()
    )
    return Q(ignores_caps=True) | Q(counted_for__gte=max(full, default=now))


def count_over(messages: MessageQuerySet, account: conf.Account, at: datetime) -> Over:
    """Return how many of these find no place in the periods of a moment; reads only.

    What is queued and has not left is not counted yet, unless a place is kept for it;
    what is over its number's cap is not counted for the account's, unless that one's
    period ends later: it is the one that they wait for.
    """
    using = messages.db
    used_up = [
        period
        for period, most in _account_periods(account, at)
        if not _room(period, most, using)
    ]
    is_full = Q()
    for seconds, most in account.mobile_caps:
        period = _period(account.alias, seconds, at, "")
        counts = period._asdict()
        del counts["mobile"]
        full = CapCount.objects.using(using).filter(**counts, messages__gte=most)
        numbers = full.exclude(mobile="").values("mobile")
        over = Q(mobile__in=numbers) & ~_has_place(period)
        for longer in used_up:
            if longer.ends_at > period.ends_at:
                over &= _has_place(longer)
        is_full |= over
    by_number = messages.filter(is_full).count() if is_full else 0
    fit = messages.exclude(is_full) if is_full else messages
    by_account = 0
    for period, most in _account_periods(account, at):
        asking = fit.exclude(_has_place(period)).count()
        by_account = max(by_account, asking - _room(period, most, using))
    return Over(by_number, by_account)


def _has_place(period: Period) -> Q:
    """Return the condition of what waits and is counted in a period already."""
    return Q(
        status__in=WAITING,
        counted_for__isnull=False,
        counted_for__gte=period.began_at,
        counted_for__lt=period.ends_at,
    )


def forget_old(using: str) -> int:
    """Delete counts of periods that are long over; return how many."""
    rows = CapCount.objects.using(using)
    old = rows.filter(began_at__lt=from_now(-_KEPT)).order_by("pk")
    keys = list(old.values_list("pk", flat=True)[:_SWEEP])
    return rows.filter(pk__in=keys).delete()[0] if keys else 0


def _periods(message: Message, at: datetime) -> Iterator[tuple[Period, int]]:
    account = conf.get_account(message.account)
    # Who asks for the account alone has no number.
    for seconds, most in account.mobile_caps if message.mobile else ():
        yield _period(account.alias, seconds, at, message.mobile), most
    yield from _account_periods(account, at)


def _account_periods(
    account: conf.Account, at: datetime
) -> Iterator[tuple[Period, int]]:
    for seconds, most in account.account_caps:
        yield _period(account.alias, seconds, at, ""), most


def _period(alias: str, seconds: int, at: datetime, mobile: str) -> Period:
    began_at = datetime.fromtimestamp(at.timestamp() // seconds * seconds, tz=UTC)
    return Period(alias, seconds, began_at, mobile)


def _contains(period: Period, moment: datetime) -> bool:
    return period.began_at <= moment < period.ends_at


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
