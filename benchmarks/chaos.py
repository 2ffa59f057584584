"""The storm of tests/guarantees/test_chaos.py at any size, by hand.

    python -m benchmarks.chaos postgres://postgres@127.0.0.1:5432/x --kills 100

Prints what was sent and what was left uncertain; exits with 1 when the promise broke.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.badgateway import BadGateway
from tests.chaos import Chaos, fresh_database, reap


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("database", help="a server's URL, or: sqlite")
    parser.add_argument("--sends", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--latency", type=float, default=0.01, help="seconds")
    parser.add_argument("--no-journal", action="store_true")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        fresh_database(given.database, Path(folder)) as url,
        BadGateway(latency=given.latency) as gateway,
    ):
        journal = {"STATE_DIR": ""} if given.no_journal else {}
        chaos = Chaos(url, gateway, **journal)
        chaos.do("queue", count=given.sends)
        started = time.monotonic()
        try:
            chaos.storm(
                queued=given.sends,
                processes=given.processes,
                workers=given.workers,
                kills=given.kills,
                patience=3600,
            )
        finally:
            reap()
        took = time.monotonic() - started
        rows = chaos.settle()
    at_most = chaos.kills * 2 * given.workers
    broken = chaos.verdict(rows, queued=given.sends, uncertain_at_most=at_most)
    statuses = Counter(row["status"] for row in rows)
    sent = chaos.sent()
    uncertain = [row for row in rows if row["status"] == "uncertain"]
    print(f"{given.sends} messages, {chaos.kills} kills, {took:.0f} s")
    print(f"statuses: {dict(statuses)}; allowed uncertain: {at_most}")
    print(
        f"of the uncertain the gateway had {sum(r['text'] in sent for r in uncertain)}"
    )
    print(f"sent more than once: {sum(len(ids) > 1 for ids in sent.values())}")
    print("the promise held" if not broken else f"BROKEN: {broken}")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
