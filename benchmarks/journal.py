"""What the journal costs a message: the dispatcher with it and without, in turns.

    python -m benchmarks.journal sqlite
    python -m benchmarks.journal postgres://postgres@127.0.0.1:5432/x --messages 5000

Prints each round's processor time a message, of this process with its threads: on a
busy machine the clock on the wall says little.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time

from benchmarks.bare import MOBILE, TEXT
from benchmarks.gateway import serving
from benchmarks.project import account, project


def main() -> None:
    given = parser().parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        project(given.database, ""),
        serving(0.0) as url,
    ):
        costs: dict[str, list[float]] = {"": [], folder: []}
        dispatch(url, "", given.messages // 4)  # what is loaded once
        for number in range(given.rounds):
            # Each goes first in turn, for the table grows.
            for state_dir in list(costs)[:: -1 if number % 2 else 1]:
                costs[state_dir].append(dispatch(url, state_dir, given.messages))
    without, with_it = costs.values()
    for name, seen in (("without", without), ("with", with_it)):
        print(f"{name:8}", " ".join(f"{each * 1e6:7.1f}" for each in seen), "µs")
    more = [b - a for a, b in zip(without, with_it, strict=True)]
    print(f"the journal: {statistics.median(more) * 1e6:.1f} µs a message, the median")


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("database", help="a server's URL, or: sqlite")
    parser.add_argument("--messages", type=int, default=2000, help="in each round")
    parser.add_argument("--rounds", type=int, default=5)
    return parser


def dispatch(url: str, state_dir: str, messages: int) -> float:
    """Send so many; return the processor's seconds a message."""
    from negin_sms import services

    with account(url, STATE_DIR=state_dir):
        services.queue_many([{"mobile": MOBILE, "text": TEXT}] * messages)
        before = time.process_time()
        report = services.dispatch_queue(workers=8)
        spent = time.process_time() - before
    assert report.accepted == messages, report
    return spent / messages


if __name__ == "__main__":
    main()
