"""Counting the messages of a day, and keeping the counts of days that are over.

A message belongs to the day, in the project's time zone, on which its sending
ended: nothing enters a day that is over. Reading a million messages takes longer
than anybody waits for a page, so the counts of a day are kept (``rollup_day``) once its
states have come to rest. They are a copy, nothing more: what changes a message of
such a day after all (an explicit refresh, a decision about an uncertain message)
calls ``invalidate_days`` in its own transaction, and the day is counted anew. Only a
purge makes the counts the one thing that is left: it seals a day before it takes
the first message from it. Both lock the day's row, so a change is never lost between
them, whichever comes first. A changed TIME_ZONE applies to days counted from then on.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import Case, Count, F, Func, IntegerField, Q, Sum, Value, When
from django.utils import timezone

from negin_sms import conf
from negin_sms.choices import State, Status
from negin_sms.models import CountedDay, DailyCount, Message
from negin_sms.querysets import DbNow, database_now

from .counts import COUNTERS, TIME_EDGES, Counts

logger = logging.getLogger("negin_sms")

# A day's dimensions. Of its groups only the largest are kept apart: there may be as
# many as messages.
DAY, LINE, SCENARIO, TEMPLATE = "day", "line", "scenario", "template"
GROUP, OTHER_GROUPS, REASON = "group", "other_groups", "reason"
GROUPS_A_DAY = 50

# The poll window is 23 h; what is later is late indeed, and reopens the day. So at six
# in the morning the day before yesterday is at rest, and a report counts two by itself.
_REST = timedelta(hours=30)
# Where changes begin to reopen; earlier than _REST, as clocks differ.
_LATE = timedelta(hours=27)
_DAYS_A_RUN = 31

Key = tuple[str, str, str]
"""Account, dimension, value."""


def count_day(day: date, *, using: str) -> dict[Key, Counts]:
    """Count the messages of a day, for each account by each of their dimensions."""
    tallies: dict[Key, Counter[Any]] = defaultdict(Counter)
    for row in _grouped_rows(day, using):
        account, *dimensions, outcome, fell_back, reason, bucket, messages, parts = row
        tally = Counter({outcome: messages})
        if outcome in _SENT:
            tally["parts"] = parts
            tally["fallback"] = messages if fell_back else 0
        if bucket is not None:
            tally[bucket] = messages
        for dimension, value in _dimensions(*dimensions):
            tallies[account, dimension, value].update(tally)
        if outcome == "rejected":
            key = (account, REASON, "" if reason is None else str(reason))
            tallies[key][outcome] += messages
    return {key: _as_counts(tally) for key, tally in tallies.items()}


def rollup_closed_days(*, using: str, limit: int = _DAYS_A_RUN) -> int:
    """Keep the counts of days at rest that have none, the latest first.

    Return how many days were counted. Safe to be called by any number of processes
    at once, and to be killed: each day is a transaction, and counted once.
    """
    try:
        missing = _uncounted_days(using)
        return sum(rollup_day(day, using=using) for day in missing[:limit])
    except DatabaseError as error:
        # Nothing hangs on it: the report counts those days itself meanwhile.
        logger.warning("SMS counts were not kept: %s", type(error).__name__)
        return 0


def rollup_day(day: date, *, using: str, freeze: bool = False) -> bool:
    """Keep the counts of a day, unless they are kept; return whether it was counted.

    With ``freeze`` they stand for good: call it before messages of that day are
    removed.
    """
    _ensure([day], using)
    with transaction.atomic(using=using):
        row = CountedDay.objects.using(using).select_for_update().get(day=day)
        is_due = row.counted_at is None
        if is_due:
            _replace_counts(day, using)
        CountedDay.objects.using(using).filter(day=day).update(
            counted_at=DbNow() if is_due else row.counted_at,
            frozen=row.frozen or freeze,
        )
    return is_due


def invalidate_days(moments: Iterable[datetime | None], *, using: str) -> None:
    """Have the days of changed messages counted anew, given their ``finished_at``.

    To be called in the transaction of the change. Costs nothing for messages of the
    last days; frozen days stay as they are.
    """
    border = timezone.now() - _LATE
    late = {day_of(moment) for moment in moments if moment and moment < border}
    if not late:
        return
    days = sorted(late)
    _ensure(days, using)
    rows = CountedDay.objects.using(using).filter(day__in=days, frozen=False)
    rows.update(counted_at=None)


def day_of(moment: datetime) -> date:
    """Return the day of a moment, in the project's time zone."""
    return timezone.localdate(moment, timezone.get_default_timezone())


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """Return the first moment of a day and of the next, in the project's time zone."""
    zone = timezone.get_default_timezone()
    first, second = (
        datetime.combine(each, time.min, tzinfo=zone)
        for each in (day, day + timedelta(days=1))
    )
    return first, second


def days_between(first: date, last: date) -> Iterator[date]:
    """Yield the days from the first to the last, both included."""
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


class _WholeSeconds(Func):
    """Seconds since some beginning, without fractions: alike on every database."""

    arity = 1
    output_field = IntegerField()
    template = "CAST(STRFTIME('%%%%s', SUBSTR(%(expressions)s, 1, 19)) AS INTEGER)"

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = "FLOOR(DATE_PART('epoch', %(expressions)s))"
        return self.as_sql(compiler, connection, template=template, **extra)

    def as_mysql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = "TO_SECONDS(%(expressions)s)"
        return self.as_sql(compiler, connection, template=template, **extra)


class _Bucket(Func):
    """The number of edges at or below a number: its bucket among TIME_EDGES."""

    arity = 1
    output_field = IntegerField()
    _edges = ", ".join(map(str, TIME_EDGES))
    _cases = " ".join(f"WHEN s < {edge} THEN {n}" for n, edge in enumerate(TIME_EDGES))
    _case = f"CASE {_cases} ELSE {len(TIME_EDGES)} END"

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        # It would work the seconds out for each edge, which is half of a day's count.
        template = "(SELECT %(case)s FROM (SELECT %(expressions)s AS s LIMIT 1))"
        extra["case"] = self._case
        return self.as_sql(compiler, connection, template=template, **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = f"WIDTH_BUCKET(%(expressions)s, ARRAY[{self._edges}]::float8[])"
        return self.as_sql(compiler, connection, template=template, **extra)

    def as_mysql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = f"INTERVAL(%(expressions)s, {self._edges})"
        return self.as_sql(compiler, connection, template=template, **extra)


_SENT = ("delivered", "undelivered", "at_operator", "waiting", "no_report")
# As the badges of the list read: settled without a last word is "no report".
_OUTCOME = Case(
    When(status=Status.REJECTED, then=Value("rejected")),
    When(status=Status.UNCERTAIN, then=Value("uncertain")),
    When(~Q(status=Status.ACCEPTED), then=Value("not_sent")),
    When(state=State.DELIVERED, then=Value("delivered")),
    When(state__in=(State.UNDELIVERED, State.REFUSED), then=Value("undelivered")),
    When(settled_at__isnull=False, then=Value("no_report")),
    When(state=State.AT_OPERATOR, then=Value("at_operator")),
    default=Value("waiting"),
)
_FELL_BACK = Case(
    When(~Q(line="") & ~Q(used_line="") & ~Q(used_line=F("line")), then=Value(1)),
    default=Value(0),
)
_REASON = Case(When(status=Status.REJECTED, then=F("code")))
_TIME = Case(
    When(
        status=Status.ACCEPTED,
        state=State.DELIVERED,
        then=_Bucket(_WholeSeconds("state_at") - _WholeSeconds("finished_at")),
    )
)


def _grouped_rows(day: date, using: str) -> Any:
    start, end = day_bounds(day)
    rows = Message.objects.using(using).order_by()
    rows = rows.filter(finished_at__gte=start, finished_at__lt=end)
    sizes = rows.values("group").annotate(messages=Count("pk"))
    largest = sizes.order_by("-messages", "group")[:GROUPS_A_DAY]
    groups = [group for group, _messages in largest.values_list("group", "messages")]
    if not groups:
        return ()
    return (
        rows.annotate(
            own_line=_own_line(),
            shown_group=Case(When(group__in=groups, then=F("group"))),
            outcome=_OUTCOME,
            fell_back=_FELL_BACK,
            reason=_REASON,
            time=_TIME,
        )
        .values_list(
            *("account", "own_line", "scenario", "template", "shown_group"),
            *("outcome", "fell_back", "reason", "time"),
        )
        .annotate(messages=Count("pk"), spent=Sum("parts"))
    )


def _own_line() -> Case:
    """Return the line of messages; the account's, of what ended before it was taken."""
    unnamed = Q(line="", default_line=True)
    return Case(
        *(
            When(unnamed, account=each.alias, then=Value(each.line))
            for each in conf.get_accounts()
        ),
        default=F("line"),
    )


def _dimensions(
    line: str, scenario: str, template: int | None, group: str | None
) -> tuple[tuple[str, str], ...]:
    return (
        (DAY, ""),
        (LINE, line),
        (SCENARIO, scenario),
        (TEMPLATE, "" if template is None else str(template)),
        (OTHER_GROUPS, "") if group is None else (GROUP, group),
    )


def _as_counts(tally: Counter[Any]) -> Counts:
    times = tuple(tally[bucket] for bucket in range(len(TIME_EDGES) + 1))
    return Counts(**{name: tally[name] for name in COUNTERS}, times=times)


def _uncounted_days(using: str) -> list[date]:
    """Return the days at rest whose counts are not kept, the latest first."""
    ended = Message.objects.using(using).filter(finished_at__isnull=False)
    earliest = ended.order_by("finished_at").values_list("finished_at", flat=True)
    oldest = earliest.first()
    if oldest is None:
        return []
    first = day_of(oldest)
    last = day_of(database_now(using) - _REST) - timedelta(days=1)
    kept = CountedDay.objects.using(using).filter(
        day__gte=first, counted_at__isnull=False
    )
    counted = set(kept.values_list("day", flat=True))
    return [day for day in days_between(first, last) if day not in counted][::-1]


def _ensure(days: list[date], using: str) -> None:
    """Make the rows that are locked, for days that have none."""
    rows = [CountedDay(day=day) for day in days]
    CountedDay.objects.using(using).bulk_create(rows, ignore_conflicts=True)


def _replace_counts(day: date, using: str) -> None:
    kept = DailyCount.objects.using(using)
    kept.filter(day=day).delete()
    kept.bulk_create(
        DailyCount(
            day=day,
            account=account,
            dimension=dimension,
            value=value,
            times=list(counts.times),
            **{name: getattr(counts, name) for name in COUNTERS},
        )
        for (account, dimension, value), counts in count_day(day, using=using).items()
    )
