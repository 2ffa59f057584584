"""The queries that a large table stands or falls by use their indexes.

On a table with few rows that matter among many that do not, and statistics, so that
the planners choose as they would in earnest.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin import site
from django.db import connection
from django.test import RequestFactory, TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from negin_sms import conf, services
from negin_sms.admin.filters import _STATES, SentFilter
from negin_sms.admin.paging import FEW, CappedPaginator
from negin_sms.admin.search_terms import search_condition
from negin_sms.choices import Flag, Priority, Status
from negin_sms.models import Message
from negin_sms.services.delivery.states import due_rows
from negin_sms.services.operations.health.findings import CAP
from negin_sms.services.outbox.claims import expire_overdue
from negin_sms.services.outbox.engines import engine_for
from negin_sms.services.outbox.engines.returning import ReturningEngine
from negin_sms.services.statistics.batch_progress import (
    failed_of,
    rows_of_batch,
    waiting_of,
)
from negin_sms.services.statistics.daily_counts import day_bounds, day_of
from negin_sms.services.submission import batches
from tests.factories import MOBILE

pytestmark = [pytest.mark.database, pytest.mark.long]

NOW = timezone.now()
SETTLED = 5000
QUEUED = 5 * CAP  # a queue longer than what is counted
ASKED = 1000
RARE = 12


def _row(at: datetime, **fields: Any) -> Message:
    times = dict.fromkeys(("created_at", "due_at", "begins_at"), at)
    times["expires_at"] = NOW + timedelta(days=1)
    wish = {"mobile": MOBILE, "text": "x", "line": "98"}
    return Message(**{**times, **wish, "status": Status.QUEUED, **fields})


def _rows() -> Iterator[Message]:
    """Yield many settled messages, a long queue, many to ask about, a few rare ones."""
    for number in range(SETTLED):
        at = NOW - timedelta(days=40) + timedelta(minutes=10 * number)
        yield _row(
            at,
            status=Status.ACCEPTED,
            finished_at=at,
            settled_at=at,
            state=1,
            mobile=f"+98939521{number:04}",
            gateway_id=str(10_000 + number),
            group=f"batch-{number // 20}",
            # Of a site that sends many codes, long redacted.
            sensitive=number % 2 == 0,
            redacted_at=at if number % 2 == 0 else None,
        )
    soon, asked = (
        NOW - timedelta(minutes=5),
        {"status": Status.ACCEPTED, "poll_at": NOW},
    )
    for number in range(QUEUED):
        due_at = soon + timedelta(seconds=number % 100)
        yield _row(soon, due_at=due_at, priority=Priority.values[number % 4])
    for number in range(ASKED):
        poll_at = NOW + timedelta(seconds=number - 100)
        yield _row(soon, **asked | {"poll_at": poll_at}, finished_at=soon, state=8)
    for _number in range(RARE):
        yield _row(soon, **asked, finished_at=soon, state=9, flag=Flag.UNKNOWN_CODE)
        yield _row(soon, status=Status.UNCERTAIN, finished_at=soon)
        yield _row(soon, status=Status.SENDING, claimed_until=NOW)


class LargeTable(TestCase):
    """The rows, with statistics; filled once for all tests of a class."""

    @classmethod
    def setUpTestData(cls) -> None:
        Message.objects.bulk_create(_rows(), batch_size=1000)
        analyze = "ANALYZE TABLE" if connection.vendor == "mysql" else "ANALYZE"
        with connection.cursor() as cursor:
            cursor.execute(f"{analyze} negin_sms_message")

    @classmethod
    def tearDownClass(cls) -> None:
        super().tearDownClass()
        if is_mysql():
            # ANALYZE TABLE has committed the rows: nothing was left to roll back.
            Message.objects.all().delete()


def index_of(queryset: Any) -> set[str]:
    """Return the indexes that a query reads; "" stands for the whole table."""
    if is_mysql():
        # A string within a string, as Django hands it on.
        return _of_mysql(json.loads(json.loads(queryset.explain(format="JSON"))))
    return _of_text(queryset.explain())


def index_of_sql(sql: str) -> set[str]:
    """Return the indexes that a captured query reads."""
    plan = plan_of(sql)
    return _of_mysql(json.loads(plan)) if is_mysql() else _of_text(plan)


def plan_of(sql: str) -> str:
    kind = {"sqlite": "QUERY PLAN ", "mysql": "FORMAT=JSON "}
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {kind.get(connection.vendor, '')}{sql}")
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


def _of_text(plan: str) -> set[str]:
    if connection.vendor == "postgresql":
        used = re.findall(
            r"Index (?:Only )?Scan(?: Backward)? (?:using|on) (\w+)", plan
        )
        return {*used, *([""] if "Seq Scan" in plan else [])}
    used = re.findall(r"USING (?:COVERING )?INDEX (\w+)", plan)
    return {*used, *([""] if re.search(r"SCAN \w+(?! USING)\b", plan) else [])}


def _of_mysql(plan: Any) -> set[str]:
    if isinstance(plan, list):
        return set(itertools.chain(*map(_of_mysql, plan)))
    if not isinstance(plan, dict):
        return set()
    found = set(itertools.chain(*map(_of_mysql, plan.values())))
    kind = plan.get("access_type")
    if kind in (None, "index_merge"):
        return found
    # "index" reads all of an index: right for a page in its order, and only then.
    return found | {"" if kind == "ALL" else plan["key"]}


def sorts(queryset: Any) -> bool:
    """Return whether the rows are sorted, not read in the order of the index."""
    plan = queryset.explain(**({"format": "JSON"} if is_mysql() else {}))
    return bool(re.search(r"filesort|Sort Key|TEMP B-TREE", plan))


def is_mysql() -> bool:
    return connection.vendor == "mysql"


def most_rows(plan: dict[str, Any]) -> float:
    """Return how many rows a part of a plan read at most, those it threw away too."""
    thrown = plan.get("Rows Removed by Filter", 0)
    parts = map(most_rows, plan.get("Plans", []))
    return max([float(plan["Actual Rows"] + thrown), *parts])


def explained(how: str) -> Iterator[tuple[str, Any]]:
    """Give the overview's queries of messages, each with the rows of its plan."""
    with CaptureQueriesContext(connection) as queries:
        services.overview()
    for query in [q["sql"] for q in queries if "negin_sms_message" in q["sql"]]:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {how} {query}")
            yield query, cursor.fetchall()


ALL = Message.objects.all


class WorkTests(LargeTable):
    """What the dispatcher and the poller ask for all day."""

    def test_claims_read_the_queue_in_its_order(self):
        rows = ALL().due().filter(account="default", priority=Priority.NORMAL)
        claim = rows.order_by("due_at", "id")[:16]
        assert index_of(claim) == {"negin_sms_queue"}
        assert not sorts(claim)

    def test_due_states_are_read_in_their_order(self):
        account, now = conf.get_account(), timezone.now()
        due = due_rows(account, by=now, since=None, using="default")
        (used,) = index_of(due.order_by("poll_at")[:100])
        assert "poll_at" in used
        assert not sorts(due.order_by("poll_at")[:100])

    def test_what_is_deleted_is_unlinked_by_the_index(self):
        """Although all links are empty, which SQLite takes for one value."""
        if is_mysql():
            self.skipTest("EXPLAIN UPDATE has a form of its own there")
        with CaptureQueriesContext(connection) as queries:
            ALL().filter(pk__in=list(ALL().values_list("pk", flat=True)[:100])).delete()
        (unlink,) = (q["sql"] for q in queries if q["sql"].startswith("UPDATE"))
        assert '"resend_of_id" = NULL' in unlink
        explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
        with connection.cursor() as cursor:
            cursor.execute(f"{explain} {unlink}")
            plan = str(cursor.fetchall())
        assert re.search(r"INDEX sqlite_autoindex|resend_of_id_key", plan), plan

    def test_sweeps_read_what_they_need(self):
        by_status = {"negin_sms_queue", "negin_sms_expiry"}
        stale = ALL().stale().order_by("claimed_until", "id")[:500]
        assert index_of(stale) <= by_status

    def test_overdue_are_read_in_the_order_of_their_index(self):
        with CaptureQueriesContext(connection) as queries:
            expire_overdue(using="default")
        read = [q["sql"] for q in queries if q["sql"].startswith("SELECT")]
        assert len(read) == 2  # queued, and held
        for sql in read:
            assert index_of_sql(sql) == {"negin_sms_expiry"}
            assert "Bitmap" not in plan_of(sql)

    def test_blanking_reads_sensitive_rows_only(self):
        if connection.vendor == "postgresql":
            # To read all costs about as much, in a table as small as this one.
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL enable_seqscan = off")
        with CaptureQueriesContext(connection) as queries:
            services.redact_sensitive_texts()
        read = [q["sql"] for q in queries if q["sql"].startswith("SELECT")]
        assert len(read) == 2  # drafts, and what has ended
        for sql in read:
            assert index_of_sql(sql) == {"negin_sms_redaction"}

    def test_drafts_to_confirm_are_found_by_their_status(self):
        with CaptureQueriesContext(connection) as queries:
            batches.unconfirmed()
        (read,) = [query["sql"] for query in queries]
        assert index_of_sql(read) <= {"negin_sms_queue", "negin_sms_expiry"}


class SurpriseTests(TestCase):
    """A queue that the statistics have not seen yet: a campaign just confirmed."""

    def setUp(self):
        engine = engine_for("default")
        if not isinstance(engine, ReturningEngine):
            self.skipTest("it looks how many there are when it plans")
        self.engine = engine
        Message.objects.bulk_create(itertools.islice(_rows(), SETTLED), batch_size=1000)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE negin_sms_message")
        queued = (_row(NOW) for _number in range(QUEUED))
        Message.objects.bulk_create(queued, batch_size=1000)

    def claim(self) -> str:
        values = {"alias": "default", "claim": "of a plan", "limit": 16}
        values |= {"lease": self.engine.interval(300), "line": "98", "line2": ""}
        with CaptureQueriesContext(connection) as queries:
            sql = self.engine.claim_sql(Priority.values, False)
            assert len(self.engine.fetch(sql, values)) == 16
        return queries[-1]["sql"]

    def test_claim_reads_no_more_of_it_than_it_takes(self):
        plan = plan_of(self.claim())
        of_messages = re.findall(
            r"negin_sms_(?:queue|message_pkey)|INTEGER PRIMARY", plan
        )
        assert len(set(of_messages)) == 2, plan
        assert not re.search(r"negin_sms_expiry|SCAN negin_sms|Seq Scan|Sort", plan), (
            plan
        )

    def test_claim_expects_a_queue_although_there_was_none(self):
        """With one row to expect, any index would do that the status begins."""
        if connection.vendor != "postgresql":
            self.skipTest("it prefers the index that has the order")
        expected = re.search(
            r"negin_sms_queue on .*? rows=(\d+)", plan_of(self.claim())
        )
        assert expected is not None
        assert int(expected[1]) > 100


class ListTests(LargeTable):
    """What the change list asks for, the newest first."""

    def test_first_message_of_a_batch_is_found_by_its_group(self):
        first = rows_of_batch(ALL(), "batch-97").order_by("pk")
        assert index_of(first.values_list("created_at")[:1]) == {"negin_sms_group"}

    def test_rare_values_are_found_by_their_index(self):
        for condition, index in (
            ({"flag": "unknown_code"}, "negin_sms_flag"),
            ({"state": 16}, "negin_sms_state"),
            ({"group": "batch-7"}, "negin_sms_group"),
        ):
            found = ALL().filter(**condition).order_by("-id")[: FEW + 1]
            with self.subTest(condition):
                assert index_of(found) == {index}

    def test_rare_statuses_are_found_by_an_index_that_begins_with_them(self):
        for status in ("expired", "uncertain"):
            found = CappedPaginator(ALL().filter(status=status).order_by("-id"), 50)
            with CaptureQueriesContext(connection) as queries, self.subTest(status):
                assert found.few_keys is not None
                read = queries[0]["sql"]
                assert index_of_sql(read) <= {"negin_sms_queue", "negin_sms_expiry"}

    def test_unsettled_states_are_found_among_the_polled(self):
        for state in ("0", "other"):
            with self.subTest(state):
                found = ALL().filter(_STATES[state])[: FEW + 1]
                assert all(
                    "poll_at" in used or "state" in used for used in index_of(found)
                )

    def test_overview_reads_no_more_than_its_caps(self):
        """All in one statement: a count is limited, a moment is at an index's end."""
        if connection.vendor != "postgresql":
            self.skipTest("only PostgreSQL tells how many rows were really read")
        for query, ((plans,),) in explained("(ANALYZE, FORMAT JSON)"):
            assert most_rows(plans[0]["Plan"]) <= CAP + 1, query

    def test_overview_reads_no_table_whole(self):
        """SQLite takes any value of a column to be as frequent as any other."""
        if connection.vendor != "sqlite":
            self.skipTest("the others know which values are rare")
        ALL().update(flag="")
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE negin_sms_message")
        for query, plan in explained("QUERY PLAN"):
            whole = [row for row in plan if re.search(r"SCAN U\d|AUTOMATIC", row[-1])]
            assert not whole, query

    def test_search_uses_an_index_for_each_column(self):
        for term in ("09395210077", "10077"):
            found = (
                ALL()
                .filter(search_condition(term, ALL(), numbers=True))
                .order_by("-id")[: FEW + 1]
            )
            with self.subTest(term):
                plan = str(found.explain())
                assert "negin_sms_mobile" in plan
                assert "negin_sms_gateway_id" in plan
                assert "" not in index_of(found)

    def test_batch_is_counted_by_the_index_of_groups(self):
        batch = rows_of_batch(ALL(), "batch-7")
        border = batch.order_by("-pk").values_list("pk")[20:21]
        assert index_of(border) == {"negin_sms_group"}
        newest = batch.filter(pk__gt=1)
        assert index_of(newest.values("status")) == {"negin_sms_group"}
        # These may begin with their rare statuses instead.
        for rows in (failed_of(newest), waiting_of(newest)):
            assert "" not in index_of(rows)

    def test_days_deep_in_the_table_are_found_by_their_index(self):
        start = NOW - timedelta(days=30)
        days = ALL().filter(finished_at__range=(start, start + timedelta(days=1)))
        page = days.order_by("-finished_at", "-id")[: FEW + 1]
        assert index_of(page) == {"negin_sms_finished"}

    def test_days_left_open_are_found_so_too(self):
        request = RequestFactory().get("/")
        for asked in ({"sent_from": ["2020-01-01"]}, {"sent_to": ["2030-01-01"]}):
            days = SentFilter(request, asked, Message, site.get_model_admin(Message))
            found = days.queryset(request, ALL())
            page = found.order_by("-finished_at", "-id")[: FEW + 1]
            assert index_of(page) == {"negin_sms_finished"}
            assert not sorts(page)

    def test_page_of_the_whole_list_sorts_nothing(self):
        assert not sorts(ALL().order_by("-id")[:50])


class ReportTests(LargeTable):
    def test_day_is_read_by_its_index(self):
        start, end = day_bounds(day_of(NOW - timedelta(days=30)))
        rows = ALL().filter(finished_at__gte=start, finished_at__lt=end)
        assert index_of(rows.values("group", "status")) == {"negin_sms_finished"}

    def test_first_day_is_read_by_its_index(self):
        ended = ALL().filter(finished_at__isnull=False).order_by("finished_at")
        assert index_of(ended.values_list("finished_at")[:1]) == {"negin_sms_finished"}
