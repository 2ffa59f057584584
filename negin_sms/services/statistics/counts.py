"""Counts of messages by what became of them; pure, and addable over days."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from itertools import accumulate, pairwise

# Upper bounds, in seconds, of the buckets that delivery times are counted in; one
# more bucket holds what took longer. Fine where the poll schedule is.
TIME_EDGES = (
    *(5, 10, 15, 20, 30, 45, 60, 90, 120, 180),
    *(300, 600, 900, 1800, 3600, 7200, 14400, 28800, 57600, 86400),
)
NO_TIMES = (0,) * (len(TIME_EDGES) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many messages ended how; every message is in one of the first eight.

    ``waiting`` were accepted and have no report yet, ``not_sent`` expired or were
    cancelled. ``parts`` are those of sent messages, ``fallback`` the sent messages
    that left from another line. ``times`` has a number for each bucket.
    """

    delivered: int = 0
    undelivered: int = 0
    at_operator: int = 0
    waiting: int = 0
    no_report: int = 0
    rejected: int = 0
    uncertain: int = 0
    not_sent: int = 0
    fallback: int = 0
    parts: int = 0
    times: tuple[int, ...] = NO_TIMES

    @property
    def sent(self) -> int:
        """Return how many messages the gateway accepted."""
        return (
            self.delivered
            + self.undelivered
            + self.at_operator
            + self.waiting
            + self.no_report
        )

    @property
    def total(self) -> int:
        """Return how many messages there are."""
        return self.sent + self.rejected + self.uncertain + self.not_sent

    @property
    def last_words(self) -> int:
        """Return of how many sent messages it is known whether they arrived."""
        return self.delivered + self.undelivered

    @property
    def delivery_rate(self) -> float | None:
        """Return the delivered share of those with a last word, 0 to 1.

        What is on its way, or has no report, says nothing: None where all do so.
        """
        return self.delivered / self.last_words if self.last_words else None

    @property
    def median_seconds(self) -> float | None:
        """Return the median time from acceptance to the report of delivery.

        Worked out within its bucket, as if that were evenly filled; None without
        any delivery.
        """
        half = sum(self.times) / 2
        if not half:
            return None
        reached = [0, *accumulate(self.times)]
        edges = [0, *TIME_EDGES, TIME_EDGES[-1]]
        for (before, after), (low, high) in zip(
            pairwise(reached), pairwise(edges), strict=True
        ):
            if after >= half:
                return low + (high - low) * (half - before) / (after - before)
        raise AssertionError("half of the sum is within the sum")


def add_up(counts: Iterable[Counts]) -> Counts:
    """Return the sum, field by field."""
    rows = list(counts)
    times = zip(*(row.times for row in rows), strict=True)
    return Counts(
        **{name: sum(getattr(row, name) for row in rows) for name in COUNTERS},
        times=tuple(map(sum, times)) or NO_TIMES,
    )


COUNTERS = tuple(field.name for field in fields(Counts) if field.name != "times")
