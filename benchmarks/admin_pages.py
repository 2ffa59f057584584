"""Server time of the admin's pages on a large table, by hand, on PostgreSQL.

    createdb negin_pages
    TEST_DATABASE_URL=postgres://postgres@127.0.0.1:5432/negin_pages \
        python -m benchmarks.admin_pages --messages 1000000

Fills the empty database once (later runs measure only), keeps the counts of the days
at rest as the poller would, asks for each page a few times through Django's test
client, and prints the median of each in milliseconds with its number of queries.
"""

from __future__ import annotations

import argparse
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
from django.db import connection
from django.test import Client

from negin_sms.models import Message
from negin_sms.services.statistics.daily_counts import rollup_closed_days
from negin_sms.services.statistics.report import LONGEST_REPORT

LIST = "/admin/negin_sms/message/"
DAYS = 90

# As a busy shop would have it: most delivered, one failure in fifty, an outage sixty
# days ago (rejected messages lie together), some hundreds that need somebody, batches
# of 500 in a group. A tenth is due for polling or settled without a report.
FILL = """
INSERT INTO negin_sms_message (
    default_line, default_line2, ignores_caps, begins_at,
    account, mobile, text, scenario, line, line2, template, priority, send_at,
    expires_at, idempotency_key, sensitive, parts, source, "group", created_by_id,
    created_at, resend_of_id, status, due_at, claim, claimed_until, attempts,
    gateway_id, used_line, code, detail, flag, finished_at, state, state_at, poll_at,
    settled_at)
SELECT
    false, false, false, at,
    'default', '+98939521' || lpad((n * 7919 %% 10000)::text, 4, '0'),
    'Your order ' || n || ' is on its way; thank you for buying from us.',
    CASE WHEN n %% 4 = 0 THEN 'chelcheleh' ELSE 'single' END, '9830003300', '', NULL,
    20, NULL, at + interval '1 day', NULL, n %% 100 = 0, 1 + n %% 3, 'shop',
    CASE WHEN n %% 2 = 0 THEN 'batch-' || n / 1000 ELSE '' END, NULL, at, NULL,
    status, at, '', NULL, 1,
    CASE WHEN status = 'accepted' THEN (5000 + n)::text ELSE '' END,
    CASE WHEN status <> 'accepted' THEN ''
         WHEN n %% 4 = 0 AND n %% 5 = 0 THEN '9890001' ELSE '9830003300' END,
    CASE status WHEN 'accepted' THEN -1 WHEN 'rejected' THEN 27 END, '',
    CASE WHEN n %% 5000 = 1 THEN 'shared_id' ELSE '' END,
    CASE WHEN status NOT IN ('draft', 'queued') THEN at END,
    CASE WHEN status <> 'accepted' THEN NULL WHEN n %% 50 = 3 THEN 2
         WHEN n %% 50 = 7 THEN 8 WHEN n %% 50 = 9 THEN NULL
         WHEN n %% 20000 = 11 THEN 9 ELSE 1 END,
    CASE WHEN status = 'accepted' THEN at + (n %% 97) * interval '1 second' END,
    CASE WHEN status = 'accepted' AND n > {messages} - 1000 THEN at END,
    CASE WHEN status = 'accepted' AND n <= {messages} - 1000
         THEN at + interval '1 minute' END
FROM (
    SELECT n, at, CASE
        WHEN n > {messages} - 200 THEN 'queued'
        WHEN n %% 100000 = 5 THEN 'draft'
        WHEN n %% 3000 = 1 THEN 'uncertain'
        WHEN n %% 3000 = 2 THEN 'cancelled'
        WHEN n BETWEEN {messages} / 3 AND {messages} / 3 + {messages} / 100
            THEN 'rejected'
        WHEN n %% 500 = 4 THEN 'rejected'
        ELSE 'accepted' END AS status
    FROM (
        SELECT n, now() - ({messages} - n) * interval '{days} days' / {messages} AS at
        FROM generate_series(1::bigint, {messages}) AS n
    ) AS moments
) AS rows
"""


def fill(messages: int) -> None:
    """Insert the messages in one statement, and have the counts of old days kept."""
    with connection.cursor() as cursor:
        cursor.execute(FILL.format(messages=messages, days=DAYS), [])
        cursor.execute("VACUUM ANALYZE negin_sms_message")


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
        "scenario chelcheleh": "?scenario__exact=chelcheleh",
        "scenario that is not used": "?scenario__exact=second_line",
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
        "scenario and state 2": "?scenario__exact=chelcheleh&state=2",
        "scenario and status rejected": (
            "?scenario__exact=chelcheleh&status__exact=rejected"
        ),
        "unused scenario, accepted": (
            "?scenario__exact=second_line&status__exact=accepted"
        ),
        "unused scenario, not sensitive": (
            "?scenario__exact=second_line&sensitive__exact=0"
        ),
        "sensitive and no report": "?sensitive__exact=1&state=no_report",
        "sensitive, unused scenario": "?sensitive__exact=1&scenario__exact=second_line",
        "30 days, unused scenario": "?sent=30&scenario__exact=second_line",
        "30 days and flag": "?sent=30&flag__exact=shared_id",
        "search and scenario": "?q=0939521&scenario__exact=second_line",
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=7)
    given = parser.parse_args()
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
