"""The same dispatch and poll beside ten thousand, and beside a million other rows.

    python -m benchmarks.scale sqlite
    python -m benchmarks.scale postgres://postgres@127.0.0.1:5432/x --rounds 9

Makes a database of each size, three in ten of its rows queued for tomorrow, the others
settled or waiting to be asked about; then, in turns, queues 3,000 messages in each,
dispatches them and polls their states, in a fresh process. Prints what a message costs,
median of the rounds, and as a ratio to the smallest table; and what a dispatch and a
poll cost that find nothing to do.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.gateway import serving
from benchmarks.project import KEYS
from tests.chaos import fresh_database

SIZES = (10_000, 100_000, 1_000_000)
STEP = """
import django, json, sys
django.setup()
from benchmarks import scale_steps
print(json.dumps(scale_steps.{step}))
"""

Figures = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("database", help="a server's URL, or: sqlite")
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        gateway = stack.enter_context(serving())
        account = {**KEYS, "BASE_URL": gateway, "WORKERS": given.workers}
        os.environ["CHAOS_ACCOUNT"] = json.dumps(account)
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.chaos_settings"
        urls = {
            size: stack.enter_context(fresh_database(given.database, folder))
            for size in given.sizes
        }
        for size, url in urls.items():
            started = time.monotonic()
            run(url, f"fill({size})")
            print(f"{size:,} rows in {time.monotonic() - started:.0f} s", flush=True)
        turns: dict[int, list[Figures]] = {size: [] for size in urls}
        for _round in range(given.rounds):
            for size, url in urls.items():
                turns[size].append(run(url, f"measure({given.messages})"))
    print(f"{given.database.partition(':')[0]}, {given.messages} messages, medians")
    report({size: medians(each) for size, each in turns.items()})


def run(url: str, step: str) -> Figures:
    env = {**os.environ, "CHAOS_DATABASE_URL": url}
    command = [sys.executable, "-c", STEP.format(step=step)]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True)
    figures: Figures = json.loads(done.stdout)
    return figures


def medians(turns: list[Figures]) -> Figures:
    return {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}


def report(of_sizes: dict[int, Figures]) -> None:
    first, *_others = of_sizes.values()
    print(f"{'':26}" + "".join(f"{size:>20,}" for size in of_sizes))
    for name in first:
        cells = (
            f"{each[name]:12.3f} ({each[name] / first[name]:5.2f})"
            for each in of_sizes.values()
        )
        print(f"{name:26}" + "".join(cells))


if __name__ == "__main__":
    main()
