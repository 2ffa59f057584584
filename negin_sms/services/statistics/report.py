"""What became of the messages of some days: the numbers of the report page."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from negin_sms.models import CountedDay, DailyCount
from negin_sms.services.database import write_alias
from negin_sms.written_dates import read_day

from . import daily_counts
from .counts import COUNTERS, Counts, add_up
from .daily_counts import Key

LONGEST_REPORT = 92
"""Days of one report at the most: a quarter."""

_GROUPS = 20


@dataclass(frozen=True, slots=True)
class ReportRow:
    """The counts of the messages that have a value in common.

    ``value`` is None for all the groups that are too small to be shown.
    """

    value: str | None
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStatistics:
    """Messages by the day on which their sending ended, and by what they share.

    Rows come with the most messages first; ``reasons`` are the gateway's codes, as
    text, of those that were rejected, "" where there was none. ``parts_by_line`` has
    the parts that were sent, of each account and line.
    """

    first: date
    last: date
    account: str | None
    total: Counts
    days: tuple[tuple[date, Counts], ...]
    lines: tuple[ReportRow, ...]
    parts_by_line: Mapping[tuple[str, str], int]
    scenarios: tuple[ReportRow, ...]
    templates: tuple[ReportRow, ...]
    groups: tuple[ReportRow, ...]
    reasons: tuple[ReportRow, ...]


def delivery_statistics(
    first: date | str, last: date | str, *, account: str | None = None
) -> DeliveryStatistics:
    """Return the report of the days from the first to the last, both included.

    Days are those of the project's time zone: dates, or text in either calendar
    (InvalidMessage for what is no day). The cost is that of the days that
    have not come to rest, the kept counts of the others are read. Raise ValueError
    for a range that is reversed or longer than 92 days.
    """
    first, last = read_day(first, "first"), read_day(last, "last")
    if not 0 <= (last - first).days < LONGEST_REPORT:
        raise ValueError(f"A report covers 1 to {LONGEST_REPORT} days.")
    wanted = daily_counts.days_between(first, last)
    by_day, by_dimension, parts_by_line = _sorted_out(wanted, account)
    days = tuple((day, add_up(counts)) for day, counts in by_day.items())
    others = add_up(by_dimension[daily_counts.OTHER_GROUPS][""])
    return DeliveryStatistics(
        first=first,
        last=last,
        account=account,
        total=add_up(counts for _day, counts in days),
        days=days,
        lines=_rows(by_dimension[daily_counts.LINE]),
        parts_by_line=parts_by_line,
        scenarios=_rows(by_dimension[daily_counts.SCENARIO]),
        templates=_rows(by_dimension[daily_counts.TEMPLATE]),
        groups=_largest(_rows(by_dimension[daily_counts.GROUP]), others),
        reasons=_rows(by_dimension[daily_counts.REASON]),
    )


def _sorted_out(
    days: Iterable[date], account: str | None
) -> tuple[
    dict[date, list[Counts]],
    dict[str, dict[str, list[Counts]]],
    Counter[tuple[str, str]],
]:
    """Return the counts by day, and by value of each thing that they are counted by.

    And the parts by account and line.
    """
    parts: Counter[tuple[str, str]] = Counter()
    by_day: dict[date, list[Counts]] = {day: [] for day in days}
    by_dimension: dict[str, dict[str, list[Counts]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for day, (alias, dimension, value), counts in _counted(by_day, write_alias()):
        if account not in (None, alias):
            continue
        if dimension == daily_counts.DAY:
            by_day[day].append(counts)
        else:
            by_dimension[dimension][value].append(counts)
        if dimension == daily_counts.LINE and counts.parts:
            parts[alias, value] += counts.parts
    return by_day, by_dimension, parts


def _counted(days: Iterable[date], using: str) -> Iterator[tuple[date, Key, Counts]]:
    """Yield the counts of the days, kept ones where there are, fresh ones else."""
    wanted = list(days)
    ready = CountedDay.objects.using(using).filter(
        day__range=(wanted[0], wanted[-1]), counted_at__isnull=False
    )
    kept = set(ready.values_list("day", flat=True))
    rows = DailyCount.objects.using(using).filter(day__in=kept)
    for day, alias, dimension, value, times, *numbers in rows.values_list(
        "day", "account", "dimension", "value", "times", *COUNTERS
    ):
        named = dict(zip(COUNTERS, numbers, strict=True))
        yield day, (alias, dimension, value), Counts(**named, times=tuple(times))
    for day in wanted:
        if day not in kept:
            for key, counts in daily_counts.count_day(day, using=using).items():
                yield day, key, counts


def _rows(values: dict[str, list[Counts]]) -> tuple[ReportRow, ...]:
    rows = [ReportRow(value, add_up(counts)) for value, counts in values.items()]
    return tuple(sorted(rows, key=lambda row: (-row.counts.total, row.value or "")))


def _largest(groups: tuple[ReportRow, ...], others: Counts) -> tuple[ReportRow, ...]:
    """Keep the largest groups apart and add the rest up."""
    rest = add_up([others, *(row.counts for row in groups[_GROUPS:])])
    return groups[:_GROUPS] + ((ReportRow(None, rest),) if rest.total else ())
