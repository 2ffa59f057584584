"""Server time of the admin's pages on a large table, by hand.

    TEST_DATABASE_URL=sqlite:////tmp/pages.sqlite3 python -m benchmarks.admin_pages
    createdb negin_pages
    TEST_DATABASE_URL=postgres://postgres@127.0.0.1:5432/negin_pages \
        python -m benchmarks.admin_pages --messages 1000000

Fills the empty database once (later runs measure only), keeps the counts of the days
at rest as the poller would, asks for each page a few times through Django's test
client, and prints the median of each in milliseconds with its number of queries.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from negin_sms.models import Message
from negin_sms.services.statistics.daily_counts import rollup_closed_days
from negin_sms.services.statistics.report import LONGEST_REPORT

LIST = "/admin/negin_sms/message/"
DAYS = 90
FEWEST = 80_000  # of which there is the batch that is asked for

_CHUNK = 5000


def fill(messages: int) -> None:
    """Insert the messages, and let the planner know of them."""
    names = [connection.ops.quote_name(name) for name in row_of(1, messages, 0, 0)]
    sql = (
        f"INSERT INTO {Message._meta.db_table} ({', '.join(names)}) "
        f"VALUES ({', '.join(['%s'] * len(names))})"
    )
    now, step = timezone.now(), timedelta(days=DAYS) / messages
    numbers = iter(range(1, messages + 1))
    with connection.cursor() as cursor:
        while chunk := list(itertools.islice(numbers, _CHUNK)):
            rows = []
            for n in chunk:
                at = now - (messages - n) * step
                later = (at, at + timedelta(seconds=n % 97), at + timedelta(days=1))
                moments = map(connection.ops.adapt_datetimefield_value, later)
                rows.append(tuple(row_of(n, messages, *moments).values()))
            with transaction.atomic():
                cursor.executemany(sql, rows)
        table = "TABLE " if connection.vendor == "mysql" else ""
        cursor.execute(f"ANALYZE {table}{Message._meta.db_table}")


def row_of(
    n: int, messages: int, at: Any, state_at: Any, expires_at: Any = None
) -> dict[str, Any]:
    """Return the columns of a row as a busy shop would have it.

    Most delivered, one failure in fifty, an outage sixty days ago (rejected messages
    lie together), some hundreds that need somebody, batches of 500 in a group. A tenth
    of a hundred is due for polling.
    """
    status = status_of(n, messages)
    sent, polled = status == "accepted", n > messages - 1000
    line = "9890001" if n % 20 == 0 else "9830003300"
    return {
        **dict.fromkeys(("default_line", "default_line2", "ignores_caps"), False),
        **dict.fromkeys(("created_at", "begins_at", "due_at"), at),
        "account": "default",
        "mobile": f"+98939521{n * 7919 % 10000:04}",
        "text": f"Your order {n} is on its way; thank you for buying from us.",
        "scenario": "single" if n % 4 else "chelcheleh",
        "line": "9830003300",
        **dict.fromkeys(("line2", "claim", "detail"), ""),
        "priority": 20,
        "expires_at": expires_at,
        "sensitive": n % 100 == 0,
        "parts": 1 + n % 3,
        "source": "shop",
        "group": "" if n % 2 else f"batch-{n // 1000}",
        "status": status,
        "attempts": 1,
        "gateway_id": str(5000 + n) if sent else "",
        "used_line": line if sent else "",
        "code": {"accepted": -1, "rejected": 27}.get(status),
        "flag": "shared_id" if n % 5000 == 1 else "",
        "finished_at": None if status in ("draft", "queued") else at,
        "state": state_of(n) if sent else None,
        "state_at": state_at if sent else None,
        "poll_at": at if sent and polled else None,
        "settled_at": state_at if sent and not polled else None,
    }


def status_of(n: int, messages: int) -> str:
    third = messages // 3
    if n > messages - 200:
        return "queued"
    if n % 100_000 == 5:
        return "draft"
    if n % 3000 in (1, 2):
        return "uncertain" if n % 3000 == 1 else "cancelled"
    outage = third <= n <= third + messages // 100
    return "rejected" if outage or n % 500 == 4 else "accepted"


def state_of(n: int) -> int | None:
    if n % 20_000 == 11:
        return 9
    return {3: 2, 7: 8, 9: None}.get(n % 50, 1)


def pages() -> dict[str, str]:
    """Return what is measured: a name and an address each."""
    today = date.today()
    old, month = today - timedelta(days=60), today - timedelta(days=30)
    quarter = today - timedelta(days=LONGEST_REPORT - 1)
    filters = {
        "list": "",
        "list, last page of the cap": "?p=200",
        **{
            f"status {status}": f"?status__exact={status}"
            for status in ("accepted", "rejected", "uncertain", "draft", "expired")
        },
        **{
            f"state {state}": f"?state={state}"
            for state in ("1", "2", "8", "16", "other", "no_report", "none")
        },
        "scenario chelcheleh": "?scenario=chelcheleh",
        "scenario that is not used": "?scenario=second_line",
        "flag shared_id": "?flag__exact=shared_id",
        "flag that is not used": "?flag__exact=regression",
        "sensitive": "?sensitive__exact=1",
        "group": "?group=batch-77",
        "sent, last 7 days": "?sent=7",
        "sent, one old day": f"?sent={old}..{old}",
        "one old day, rejected": f"?sent={old}..{old}&status__exact=rejected",
        "search, whole number": "?q=09395210077",
        "search, part of a number": "?q=0939521",
        "search, gateway id": "?q=77777",
        "search, nothing found": "?q=09120000000",
        "search, last four digits": "?q=0077",
        "search, masked number": "?q=0939•••0077",
        "search, words": "?q=thank you",
        "search, words not there": "?q=nowhere",
        "search, batch": "?q=batch-77",
        "code 27": "?code=27",
        "code that is not used": "?code=14",
        # Two at once, which no index knows together.
        "scenario and state 2": "?scenario=chelcheleh&state=2",
        "scenario and status rejected": ("?scenario=chelcheleh&status__exact=rejected"),
        "unused scenario, accepted": ("?scenario=second_line&status__exact=accepted"),
        "unused scenario, not sensitive": ("?scenario=second_line&sensitive__exact=0"),
        "sensitive and no report": "?sensitive__exact=1&state=no_report",
        "sensitive, unused scenario": "?sensitive__exact=1&scenario=second_line",
        "30 days, unused scenario": "?sent=30&scenario=second_line",
        "30 days and flag": "?sent=30&flag__exact=shared_id",
        "search and scenario": "?q=0939521&scenario=second_line",
        "search and state 2": "?q=09395210077&state=2",
        "oldest first": "?o=1",
        "all of a group": "?group=batch-77&all=",
    }
    return {
        "index": "/admin/negin_sms/",
        "review": f"{LIST}review/",
        "batches": f"{LIST}batches/",
        "a batch": f"{LIST}batch/?batch=batch-77",
        "a message": f"{LIST}77/change/",
        **{name: LIST + query for name, query in filters.items()},
        "report, 14 days": f"{LIST}report/",
        "report, 30 days": f"{LIST}report/?first={month}&last={today}",
        "report, 92 days": f"{LIST}report/?first={quarter}&last={today}",
    }


def measure(
    get: Callable[[str], object], url: str, times: int
) -> tuple[float, float, int]:
    """Return the median and the best milliseconds of a page, and its queries."""
    queries = []

    def count(execute: Any, sql: str, *rest: Any) -> Any:
        queries.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(count):
        get(url)
    took = []
    for _time in range(times):
        started = time.perf_counter()
        get(url)
        took.append(1000 * (time.perf_counter() - started))
    return statistics.median(took), min(took), len(queries)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=7)
    given = parser.parse_args()
    if given.messages < FEWEST:
        parser.error(f"--messages: at least {FEWEST}, or pages find no batch")
    call_command("migrate", verbosity=0)
    if not Message.objects.exists():
        started = time.monotonic()
        fill(given.messages)
        print(f"filled in {time.monotonic() - started:.0f} s")
    started = time.monotonic()
    while folded := rollup_closed_days(using="default"):
        print(f"{folded} days counted after {time.monotonic() - started:.1f} s")
    user = get_user_model().objects.filter(is_superuser=True).first()
    client = Client(raise_request_exception=True)
    client.force_login(
        user or get_user_model().objects.create_superuser("root", "", "x")
    )

    def get(url: str) -> None:
        response = client.get(url)
        assert response.status_code == 200, (url, response.status_code)

    print(f"{'page':<30} {'median ms':>9} {'best':>6} {'queries':>8}")
    for name, url in pages().items():
        median, best, queries = measure(get, url, given.times)
        print(f"{name:<30} {median:>9.0f} {best:>6.0f} {queries:>8}")


if __name__ == "__main__":
    main()
