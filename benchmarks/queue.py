"""queue_many against a bare bulk_create of the same rows.

    python -m benchmarks.queue sqlite
    python -m benchmarks.queue postgres://postgres@127.0.0.1:5432/x --messages 100000

Prints rows a second, side by side: bulk_create of rows that are ready, bulk_create
with the making of the rows, and queue_many of the same numbers and texts; best of
several rounds, in turns. Then, in runs of their own with fewer messages, how much
memory queue_many takes beside the list that stays.
"""

from __future__ import annotations

import argparse
import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.project import project

CHUNK = 500
WEIGHED = (0.05, 0.2)  # of the messages
# How people write numbers: nearly always plainly, now and then for the eye.
SPELLINGS = {
    "plain": ("0912{:07}",),
    "mixed": ("0912{:07}", "+98912{:07}", "98912{:07}", "912{:07}"),
    "odd": ("0912 {:07}",),
}

Make = Callable[[], Iterator[dict[str, Any]]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("database", help="a server's URL, or: sqlite")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--spelling", choices=SPELLINGS, default="plain")
    parser.add_argument("--keys", action="store_true", help="with idempotency keys")
    given = parser.parse_args()

    def make(count: int) -> Iterator[dict[str, Any]]:
        return wishes(count, SPELLINGS[given.spelling], given.keys)

    with project(given.database, "http://127.0.0.1:9/api"):
        print(
            f"{given.database.partition(':')[0]}: {given.messages:,} messages, "
            f"{given.spelling} numbers{', keys' if given.keys else ''}",
            flush=True,
        )
        race(lambda: make(given.messages), given.messages, given.rounds)
        for count in (int(given.messages * share) for share in WEIGHED):
            kept, beside = weigh(make(count))
            print(f"  {count:,} kept: {kept:.1f} MB, and {beside:.1f} MB beside")


def wishes(
    count: int, spellings: tuple[str, ...], keys: bool
) -> Iterator[dict[str, Any]]:
    for number in range(count):
        mobile = spellings[number % len(spellings)].format(number)
        text = f"سلام، سفارش شماره {number} شما آماده است. فروشگاه نگین"
        wish = {"mobile": mobile, "text": text}
        yield {**wish, "idempotency_key": f"order-{number}"} if keys else wish


def race(make: Make, count: int, rounds: int) -> None:
    from negin_sms import services

    ready = list(rows_of(make()))
    ways: dict[str, Callable[[], Any]] = {
        "bulk_create, rows ready": lambda: insert(ready),
        "bulk_create, rows made": lambda: insert(list(rows_of(make()))),
        "queue_many": lambda: services.queue_many(make()),
    }
    best = dict.fromkeys(ways, 0.0)
    for _round in range(rounds):
        for name, way in ways.items():
            clear()
            started = time.perf_counter()
            way()
            best[name] = max(best[name], count / (time.perf_counter() - started))
    for name, each in best.items():
        bare = best["bulk_create, rows ready"]
        print(f"  {name:28} {each:8,.0f} rows/s  {each / bare:.2f}", flush=True)


def rows_of(some: Iterator[dict[str, Any]]) -> Iterator[Any]:
    """Make the rows that queue_many would make, of numbers written plainly."""
    from datetime import timedelta

    from django.utils import timezone

    from negin_sms.models import Message

    now = timezone.now()
    times = dict.fromkeys(("created_at", "begins_at", "due_at"), now)
    times["expires_at"] = now + timedelta(days=1)
    for wish in some:
        mobile = f"+98{wish['mobile'].replace(' ', '')[-10:]}"
        yield Message(
            **{**wish, "mobile": mobile}, line="9830003300", status="queued", **times
        )


def insert(rows: list[Any]) -> list[Any]:
    from negin_sms.models import Message

    for row in rows:
        row.pk = None
    return Message.objects.bulk_create(rows, batch_size=CHUNK)


def clear() -> None:
    from negin_sms.models import Message

    # Nothing hangs on these rows, so nothing need be looked for.
    Message.objects.all()._raw_delete("default")
    gc.collect()


def weigh(some: Iterator[dict[str, Any]]) -> tuple[float, float]:
    """Return the megabytes that are kept, and the most that were taken beside them."""
    from negin_sms import services

    clear()
    tracemalloc.start()
    kept = services.queue_many(some)
    now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept
    return now / 1e6, (peak - now) / 1e6


if __name__ == "__main__":
    main()
