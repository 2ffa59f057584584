"""Does the memory of a dispatcher and a poller stay as it is, hour after hour?

    python -m benchmarks.soak sqlite --minutes 60
    python -m benchmarks.soak postgres://postgres@127.0.0.1:5432/x --no-journal

Queues messages at a steady rate; of a hundred requests the gateway cuts one off before
it answers. Prints the megabytes that each process holds, minute by minute, and at the
end the median of its second quarter beside that of its last one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from benchmarks.bare import MOBILE, TEXT
from benchmarks.gateway import serving
from benchmarks.project import account, project

RUN = """
import signal, threading, django
django.setup()
from negin_sms import services
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
services.{run}(forever=True, interval=1.0, stop=stop)
"""
PAGE = os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    given = parser().parse_args()
    journal = {"STATE_DIR": ""} if given.no_journal else {}
    with (
        project(given.database, ""),
        serving(given.latency, cut=given.cut) as url,
        # A breaker that a single hang-up opens would make this a test of pauses.
        account(url, WORKERS=4, POLL_SCHEDULE=(5, 30), **journal),
    ):
        processes = {
            run: subprocess.Popen([sys.executable, "-c", RUN.format(run=run)])
            for run in ("dispatch_queue", "poll_states")
        }
        try:
            held = soak(given, {name: each.pid for name, each in processes.items()})
        finally:
            for process in processes.values():
                process.terminate()
                process.wait(60)
        report(held)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("database", help="a server's URL, or: sqlite")
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--rate", type=int, default=20, help="messages a second")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds")
    parser.add_argument("--cut", type=int, default=100, help="one request of so many")
    parser.add_argument("--no-journal", action="store_true")
    return parser


def soak(
    given: argparse.Namespace, processes: dict[str, int]
) -> dict[str, list[float]]:
    """Feed the queue; return the megabytes of each process, minute by minute."""
    from negin_sms import services

    held: dict[str, list[float]] = {name: [] for name in processes}
    started = time.monotonic()
    for second in range(given.minutes * 60):
        services.queue_many([{"mobile": MOBILE, "text": TEXT}] * given.rate)
        if second % 60 == 59:
            for name, pid in processes.items():
                held[name].append(megabytes(pid))
            print(second // 60 + 1, *(f"{each[-1]:.1f}" for each in held.values()))
            sys.stdout.flush()
        time.sleep(max(0.0, started + second + 1 - time.monotonic()))
    return held


def megabytes(pid: int) -> float:
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * PAGE / 1024**2


def report(held: dict[str, list[float]]) -> None:
    from negin_sms.models import Message

    for name, seen in held.items():
        quarter = max(1, len(seen) // 4)
        early, late = seen[quarter : 2 * quarter] or seen, seen[-quarter:]
        medians = f"{statistics.median(early):.1f} -> {statistics.median(late):.1f}"
        print(f"{name}: {medians} MB")
    print(dict(Counter(Message.objects.values_list("status", flat=True).iterator())))


if __name__ == "__main__":
    main()
