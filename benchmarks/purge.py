"""A purge of a large table while a dispatcher works, by hand.

python -m benchmarks.purge sqlite
python -m benchmarks.purge postgres://postgres@127.0.0.1:5432/x --messages 1000000

Prints the longest transaction of the purge, and how the dispatcher fared meanwhile:
its rate before and during the purge, and the longest time it stood still.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.gateway import serving
from benchmarks.project import project

ROOT = Path(__file__).resolve().parent.parent
DAYS = 100
CHUNK = 500
TIMES = ("created_at", "finished_at", "state_at", "settled_at")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("database", help="a server's URL, or: sqlite")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--queued", type=int, default=60_000)
    parser.add_argument("--latency", type=float, default=0.02, help="seconds")
    parser.add_argument("--alone", type=float, default=15.0, help="seconds")
    parser.add_argument("--redact", action="store_true")
    parser.add_argument("--at-most", type=float, default=3600.0, help="seconds")
    given = parser.parse_args()
    for name in ("messages", "queued"):  # both are copied in chunks
        if getattr(given, name) % CHUNK or not getattr(given, name):
            parser.error(f"--{name}: a multiple of {CHUNK}")
    with serving(given.latency) as url, project(given.database, url):
        started = time.monotonic()
        fill(given.messages, given.queued)
        print(f"{given.database.partition(':')[0]}: {given.messages:,} old messages")
        print(f"filled in {time.monotonic() - started:.0f} s", flush=True)
        with dispatcher():
            alone = rate_over(lambda: time.sleep(given.alone))
            print(f"dispatcher alone: {alone:.0f} messages/s", flush=True)
            measure(given.redact, given.at_most)


def fill(messages: int, queued: int) -> None:
    """Insert settled messages over many days, a report of each, and a queue."""
    from django.db import connection
    from django.utils import timezone

    from negin_sms.models import DeliveryState, Message

    now = timezone.now()
    first = now - timedelta(days=4 + DAYS)
    wish = {"mobile": "+989395213300", "text": "x" * 70, "line": "9830003300"}
    ending = {"status": "accepted", "gateway_id": "5001", "state": 1}
    times = dict.fromkeys((*TIMES, "begins_at", "due_at", "expires_at"), first)
    some = [Message(**wish, **ending, **times) for _ in range(CHUNK)]
    Message.objects.bulk_create(some)
    for number in range(1, messages // CHUNK):
        copy(first + timedelta(days=DAYS) * (number * CHUNK / messages), number)
    times = dict.fromkeys(("created_at", "begins_at", "due_at"), now)
    times["expires_at"] = now + timedelta(days=1)
    for _chunk in range(queued // CHUNK):
        some = [Message(**wish, **times, status="queued") for _ in range(CHUNK)]
        Message.objects.bulk_create(some)
    states, rows = DeliveryState._meta.db_table, Message._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {states} (message_id, code, reported_at, source) "
            f"SELECT id, 1, finished_at, 'poll' FROM {rows} WHERE status = 'accepted'"
        )
        cursor.execute("ANALYZE")


def copy(at: datetime, number: int) -> None:
    """Copy the first chunk of messages, ended at another moment, with other ids.

    With one gateway id for all, statistics would keep SQLite from that index.
    """
    from django.db import connection

    from negin_sms.models import Message

    columns = [field.column for field in Message._meta.fields if field.column != "id"]
    quoted = {name: connection.ops.quote_name(name) for name in columns}
    text = "CHAR" if connection.vendor == "mysql" else "VARCHAR"
    own = dict.fromkeys(TIMES, "%s")
    own["gateway_id"] = f"CAST({number * CHUNK} + id AS {text}(32))"
    values = [own.get(name, quoted[name]) for name in columns]
    moment = connection.ops.adapt_datetimefield_value(at)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {Message._meta.db_table} ({', '.join(quoted.values())}) "
            f"SELECT {', '.join(values)} FROM {Message._meta.db_table} "
            f"ORDER BY id LIMIT {CHUNK}",
            [moment] * len(TIMES),
        )


@contextlib.contextmanager
def dispatcher() -> Iterator[None]:
    """Run a dispatcher in a process of its own, until the block ends."""
    command = [sys.executable, "-m", "django", "dispatch_sms_queue", "--forever"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            time.sleep(3)
            yield
        finally:
            process.terminate()


def rate_over(work: Any) -> float:
    """Do some work; return how many messages a second left meanwhile."""
    from negin_sms.models import Message

    def waiting() -> int:
        return Message.objects.filter(status="queued").count()

    before, started = waiting(), time.monotonic()
    work()
    left = waiting()
    if not left:
        print("the queue ran dry: give a larger --queued")
    return (before - left) / (time.monotonic() - started)


def measure(redact: bool, at_most: float) -> None:
    from django.utils import timezone

    from negin_sms import services

    reports, stop = [], threading.Event()
    timer = threading.Timer(at_most, stop.set)
    timer.start()
    began_at, started = timezone.now(), time.monotonic()

    def purge() -> None:
        age = timedelta(days=3)
        reports.append(services.purge_messages(age, redact=redact, stop=stop))

    rate = rate_over(purge)
    timer.cancel()
    took = time.monotonic() - started
    (report,) = reports
    done = "redacted" if redact else "deleted"
    print(f"{report.messages:,} {done} in {took:.0f} s")
    print(f"longest transaction: {report.longest_seconds:.3f} s")
    print(f"dispatcher meanwhile: {rate:.0f} messages/s")
    print(f"dispatcher stood still for at most {longest_pause(began_at):.2f} s")


def longest_pause(began_at: datetime) -> float:
    """Return the longest time, in seconds, in which no message was accepted."""
    from negin_sms.models import Message

    rows = Message.objects.filter(status="accepted", finished_at__gte=began_at)
    ends = rows.order_by("finished_at").values_list("finished_at", flat=True)
    pairs = itertools.pairwise(ends)
    return max(((b - a).total_seconds() for a, b in pairs if a and b), default=0.0)


if __name__ == "__main__":
    main()
