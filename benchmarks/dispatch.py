"""The dispatcher against bare loops, and peers, that post the same messages.

    python -m benchmarks.dispatch sqlite --workers 16
    python -m benchmarks.dispatch postgres://postgres@127.0.0.1:5432/x --latency 0.05
    python -m benchmarks.dispatch sqlite --table

Prints messages a second and processor time a message, side by side: a loop of
requests.Session().post in as many threads, without and with a look at its
environment, urllib3 alone (the limit), ours, django-post-office and a Celery task a
message (the peers need the extra ``bench``; they leave the environment alone as well);
medians of several rounds, in turns. With ``--processes`` each
runs in so many processes, with so many workers in each. ``--table`` goes through
latencies, workers and processes with as many messages as a bare loop posts in
``--seconds``, and prints ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import math
import os
import statistics
import time
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.gateway import serving
from benchmarks.project import account, project
from benchmarks.ways import Cell, Way, our_ways, peer_ways

LATENCIES = (0.0, 0.02, 0.05, 0.1)  # seconds
WORKERS = (8, 16, 64)
PROCESSES = (1, 2)
PEERS = "benchmarks.peers_settings"


def main() -> None:
    given = parser().parse_args()
    peers = not given.no_peers
    if peers and not all(map(importlib.util.find_spec, ("post_office", "celery"))):
        peers = False
        print('without the peers: pip install -e ".[bench]"')
    with project(given.database, "", settings=PEERS if peers else None):
        print(f"{given.database.partition(':')[0]}, {os.cpu_count()} cores")
        if given.table:
            table(given, peers)
        else:
            single(given, peers)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("database", help="a server's URL, or: sqlite")
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--workers", type=int, default=16, help="in each process")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--seconds", type=float, default=1.0, help="a cell's loop")
    parser.add_argument("--at-most", type=float, default=220.0, help="seconds in all")
    return parser


def single(given: argparse.Namespace, peers: bool) -> None:
    with serving(given.latency) as url, account(url, WORKERS=given.workers):
        cell = Cell(url, given.workers, given.processes, given.messages)
        with ways_of(given.workers, given.processes, peers) as ways:
            found = race(ways, cell, given.rounds)
    print(
        f"{given.messages} messages, {given.workers} workers in each of "
        f"{given.processes} processes, {given.latency * 1000:g} ms"
    )
    bare = next(iter(found.values()))
    for name, each in found.items():
        spent = f"{each.spent * 1000:.2f} ms  {each.spent / bare.spent:.2f}"
        print(f"  {name:28} {each.rate:8,.0f}/s  {each.rate / bare.rate:.2f}   {spent}")


def table(given: argparse.Namespace, peers: bool) -> None:
    """Print a line of ratios for each latency, number of workers and of processes."""
    ends_at = time.monotonic() + given.at_most
    heading = ""
    with contextlib.ExitStack() as stack:
        urls = {each: stack.enter_context(serving(each)) for each in LATENCIES}
        for processes in PROCESSES:
            for workers in WORKERS:
                with ways_of(workers, processes, peers) as ways:
                    if not heading:
                        heading = " ".join(f"{way.name:>15}" for way in ways)
                        print(f"processes, workers, ms {heading}")
                    for latency, url in urls.items():
                        if time.monotonic() > ends_at:
                            print(f"the rest was left out after {given.at_most:g} s")
                            return
                        cell = cell_of(url, workers, processes, latency, given.seconds)
                        with account(url, WORKERS=workers):
                            found = race(ways, cell, 1)
                        print_line(processes, workers, latency, found)


def print_line(
    processes: int, workers: int, latency: float, found: dict[str, Figures]
) -> None:
    bare, *others = (each.rate for each in found.values())
    ratios = " ".join(f"{each / bare:15.2f}" for each in others)
    place = f"{processes:9}, {workers:7}, {latency * 1000:3g}"
    print(f"{place} {bare:13,.0f}/s {ratios}", flush=True)


def cell_of(
    url: str, workers: int, processes: int, latency: float, seconds: float
) -> Cell:
    """Choose as many messages as a bare loop posts in that time, on two cores."""
    threads = workers * processes
    rate = min(1200.0, threads / latency) if latency else 1200.0
    messages = max(int(rate * seconds), 4 * threads)
    return Cell(url, workers, processes, messages)


@contextlib.contextmanager
def ways_of(workers: int, processes: int, peers: bool) -> Iterator[list[Way]]:
    with contextlib.ExitStack() as stack:
        ways = our_ways()
        if peers:
            ways += stack.enter_context(peer_ways(workers, processes))
        yield ways


class Figures(NamedTuple):
    rate: float  # messages a second
    spent: float  # processor seconds a message; not a number where nobody knows


def race(ways: list[Way], cell: Cell, rounds: int) -> dict[str, Figures]:
    """Return the medians of each way."""
    found: dict[str, list[Figures]] = {way.name: [] for way in ways}
    for _round in range(rounds):
        for way in ways:
            go = way.prepare(cell)
            started = time.perf_counter()
            spent = go()
            rate = cell.messages / (time.perf_counter() - started)
            spent = math.nan if spent is None else spent / cell.messages
            found[way.name].append(Figures(rate, spent))
    return {
        name: Figures(*map(statistics.median, zip(*each, strict=True)))
        for name, each in found.items()
    }


if __name__ == "__main__":
    main()
