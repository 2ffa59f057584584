"""How long messages wait, by month's volume, latency, workers and pace: a simulation.

    python -m benchmarks.pace
    python -m benchmarks.pace --month 3000000 --latency 0.2 --workers 16 --rate 50

No gateway, no database: the busiest hour and what follows it, message by message. A
share of what arrives is urgent and goes first; a share of the attempts surely does not
leave, and is tried again after a pause. What the app and its database can do a second,
as measured on your machine (``benchmarks.dispatch``), goes in as ``--most``.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import statistics
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

HOUR = 3600.0
DAYS = 30


def main() -> None:
    given = parser().parse_args()
    print(
        f"{given.processes} x {given.workers} workers, {given.latency * 1000:g} ms, "
        f"busiest hour {given.peak:g} of a day's average hour"
    )
    print("a month      arrive/s  can leave/s  urgent p99  other p50  other p99  queue")
    for month in given.month:
        print(line(month, simulate(given, month), given))


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    add = parser.add_argument
    months = [1_000_000, 10_000_000, 100_000_000]
    add("--month", type=int, nargs="+", default=months, help="messages a month")
    add("--peak", type=float, default=4.0, help="busiest hour / average hour")
    add("--latency", type=float, default=0.15, help="seconds, the median")
    add("--workers", type=int, default=16, help="in each process")
    add("--processes", type=int, default=2)
    add("--rate", type=float, default=math.inf, help="RATE of each process, a second")
    add("--most", type=float, default=800.0, help="what one process can do, a second")
    add("--urgent", type=float, default=0.2, help="share of codes")
    add("--campaign", type=int, default=0, help="others that are due as it begins")
    add("--unsent", type=float, default=0.005, help="share of attempts tried again")
    add("--pause", type=float, default=5.0, help="seconds before they are")
    add("--seed", type=int, default=1)
    return parser


@dataclass
class Found:
    """Seconds from due to gone, and how many waited at most."""

    urgent: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)
    longest: int = 0


def simulate(given: argparse.Namespace, month: int) -> Found:
    """Run the busiest hour, and on until its queue is empty or as long has passed."""
    chance = random.Random(given.seed)
    arrivals = arriving(chance, month / DAYS / 24 / HOUR * given.peak, given.urgent)
    between = 1 / (given.processes * min(given.rate, given.most))
    free = [0.0] * (given.workers * given.processes)  # when each worker is free again
    again: list[tuple[float, float, bool]] = []  # tried again at, due at, urgent
    campaign = deque([0.0] * given.campaign)
    waiting: dict[bool, deque[float]] = {True: deque(), False: campaign}
    found, may_leave = Found(), 0.0
    coming = next(arrivals, None)
    while coming or again or any(waiting.values()):
        now = max(free[0], may_leave)
        if not any(waiting.values()):
            now = max(now, min(coming[0] if coming else math.inf, again_at(again)))
        if now > 2 * HOUR:
            break
        while coming and coming[0] <= now:
            waiting[coming[1]].append(coming[0])
            coming = next(arrivals, None)
        while again and again[0][0] <= now:
            _at, due, urgent = heapq.heappop(again)
            waiting[urgent].appendleft(due)
        found.longest = max(found.longest, sum(map(len, waiting.values())))
        urgent = bool(waiting[True])
        due = waiting[urgent].popleft()
        taken = given.latency * chance.lognormvariate(0, 0.5)
        heapq.heapreplace(free, now + taken)
        may_leave = now + between
        if chance.random() < given.unsent:
            heapq.heappush(again, (now + taken + given.pause, due, urgent))
        else:
            (found.urgent if urgent else found.others).append(now - due)
    return found


def again_at(again: list[tuple[float, float, bool]]) -> float:
    return again[0][0] if again else math.inf


def arriving(
    chance: random.Random, rate: float, urgent: float
) -> Iterator[tuple[float, bool]]:
    """Yield when each message of an hour is due, and whether it is urgent."""
    at = 0.0
    while (at := at + chance.expovariate(rate)) < HOUR:
        yield at, chance.random() < urgent


def line(month: int, found: Found, given: argparse.Namespace) -> str:
    arrive = month / DAYS / 24 / HOUR * given.peak
    each = min(given.rate, given.most, given.workers / given.latency / 1.13)
    urgent, others = sorted(found.urgent), sorted(found.others)
    return (
        f"{month:11,} {arrive:9.1f} {given.processes * each:12.1f} "
        f"{at_share(urgent, 0.99):>11} {words(statistics.median(others)):>10} "
        f"{at_share(others, 0.99):>10} {found.longest:6,}"
    )


def at_share(seconds: list[float], share: float) -> str:
    return words(seconds[int(share * (len(seconds) - 1))]) if seconds else "-"


def words(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 60 else f"{seconds / 60:.0f} min"


if __name__ == "__main__":
    main()
