"""MariaDB's and MySQL's words."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from negin_sms import conf
from negin_sms.choices import Flag, Status
from negin_sms.models import Message
from negin_sms.services.outbox.engines import engine_for
from negin_sms.services.outbox.engines.mysql import MysqlEngine
from negin_sms.services.outbox.results import record
from tests.factories import MessageFactory, acceptance_of

on_mysql = pytest.mark.skipif(
    connection.vendor != "mysql", reason="asks MariaDB or MySQL"
)


@pytest.fixture
def engine() -> MysqlEngine:
    engine = engine_for("default")
    assert isinstance(engine, MysqlEngine)
    return engine


@pytest.fixture
def other() -> Iterator[Any]:
    """Another connection, in a transaction of its own."""
    other = connection.copy()
    other.set_autocommit(False)
    yield other
    other.rollback()
    other.close()


def claim(limit=10, name="me"):
    return engine_for("default").claim_due(
        conf.get_account(), name, limit, priorities=(0, 10, 20, 30), lease=180
    )


def ask(sql, values=(), *, by=connection) -> list[dict[str, Any]]:
    with by.cursor() as cursor:
        cursor.execute(sql, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.mark.parametrize(
    ("is_mariadb", "version", "can"),
    [
        (True, (10, 5, 29), False),
        (True, (10, 6, 0), True),
        (False, (8, 0, 3), False),
        (False, (8, 0, 4), True),
    ],
)
def test_older_servers_are_left_to_the_orm(is_mariadb, version, can):
    server = SimpleNamespace(mysql_is_mariadb=is_mariadb, mysql_version=version)
    assert MysqlEngine("default").can_serve(server) is can


@on_mysql
@pytest.mark.django_db
def test_server_is_known_by_an_id_that_stays(engine):
    assert engine.server_identity() == engine.server_identity() != ""


@on_mysql
@pytest.mark.django_db
class TestStatements:
    """How many, and what each reads."""

    values = {"alias": "default", "claim": "me", "limit": 5, "lease": 9}

    def keys(self, sql, **more) -> set[str]:
        """Return the indexes by which the messages are found; none is sorted."""
        plan = ask(f"EXPLAIN {sql}", self.values | more)
        assert "filesort" not in str(plan)
        return {row["key"] for row in plan if row["table"] == "negin_sms_message"}

    def test_nothing_due_costs_a_look(self, django_assert_num_queries):
        with django_assert_num_queries(1):
            assert claim() == []

    def test_each_priority_with_something_due_costs_a_statement(
        self, django_assert_num_queries
    ):
        rows = [MessageFactory(priority=priority) for priority in (20, 0, 20)]
        with django_assert_num_queries(4):
            assert claim() == [rows[1], rows[0], rows[2]]

    def test_what_is_left_of_the_limit_is_for_the_next_priority(self):
        MessageFactory.create_batch(2, priority=0)
        MessageFactory.create_batch(3, priority=20)
        assert [row.priority for row in claim(3)] == [0, 0, 20]

    def test_limit_spares_the_priorities_behind_it(self, django_assert_num_queries):
        MessageFactory(priority=20)
        first = MessageFactory(priority=0)
        with django_assert_num_queries(3):
            assert claim(1) == [first]

    def test_acceptances_cost_one(self, engine, django_assert_num_queries):
        rows = [MessageFactory(sending=True) for _ in range(9)]
        results = [acceptance_of(row, str(7001 + n)) for n, row in enumerate(rows)]
        with django_assert_num_queries(1):
            assert engine.accept(results)[0] == {row.pk for row in rows}

    def test_lost_claim_costs_a_question_more(self, engine, django_assert_num_queries):
        ours = MessageFactory(sending=True)
        lost = MessageFactory(sending=True)
        results = [acceptance_of(ours, "7001"), acceptance_of(lost, "7002")]
        Message.objects.filter(pk=lost.pk).update(claim="other:2:x")
        with django_assert_num_queries(2):
            assert engine.accept(results)[0] == {ours.pk}

    def test_claim_reads_the_queue_in_its_order(self, engine):
        # Few rows: the planner would rather read and sort them all.
        MessageFactory.create_batch(20)
        take = engine.take_sql(20)
        assert self.keys(take, line="", line2="") == {"negin_sms_queue", "PRIMARY"}
        for sql in (engine.taken_sql(), engine.ready_sql((20,), False)):
            assert self.keys(sql) == {"negin_sms_queue"}

    def test_acceptance_finds_each_row_by_its_key(self, engine):
        MessageFactory.create_batch(50, accepted=True)
        told, ids = '[[1, "c", "7001", "98", -1, "", "", 10]]', ["7001"]
        keys = self.keys(engine.accept_sql(), told=told, ids=ids)
        assert keys == {"PRIMARY", "negin_sms_gateway_id"}


@on_mysql
@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    @pytest.fixture(autouse=True, params=["READ COMMITTED", "REPEATABLE READ"])
    def level(self, request, other):
        set_level = "SET SESSION TRANSACTION ISOLATION LEVEL "
        for each in (connection, other):
            each.cursor().execute(set_level + request.param)
        yield
        connection.close()

    def test_rows_that_somebody_has_locked_are_passed_over(self, other):
        rows = MessageFactory.create_batch(3)
        lock = "SELECT id FROM negin_sms_message WHERE id = %s FOR UPDATE"
        other.cursor().execute(lock, [rows[0].pk])
        connection.cursor().execute("SET SESSION innodb_lock_wait_timeout = 1")
        assert claim() == rows[1:]

    def test_claim_locks_what_it_takes_and_nothing_behind(self, engine, other):
        MessageFactory.create_batch(3, priority=0)
        MessageFactory.create_batch(3, priority=20)
        values = {"alias": "default", "claim": "me", "limit": 2, "lease": 1, "line": ""}
        free = "SELECT id FROM negin_sms_message FOR UPDATE SKIP LOCKED"
        with transaction.atomic():
            taken = engine.take({**values, "line2": ""}, (0, 20), if_healthy=False)
            left = {row["id"] for row in ask(free, by=other)}
        assert len(taken) == 2
        assert left == set(Message.objects.values_list("pk", flat=True)) - {
            row[0] for row in taken
        }


@on_mysql
@pytest.mark.django_db
class TestAcceptances:
    def test_keep_any_character_of_the_answer(self):
        row, words = MessageFactory(sending=True), 'ارسال شد 😀 "\\ %s'
        record([acceptance_of(row, code=-7, msg=words)], using="default")
        row.refresh_from_db()
        assert (row.flag, row.detail) == (Flag.UNKNOWN_CODE, words)

    def test_that_a_lost_answer_hides_are_found(self, engine):
        """The commit came through, its answer did not: it is asked once more."""
        row = MessageFactory(sending=True)
        results = [acceptance_of(row, "7001")]
        assert engine.accept(results) == engine.accept(results) == ({row.pk}, [])

    def test_that_others_wrote_are_not_ours(self, engine):
        row = MessageFactory(sending=True)
        engine.accept([acceptance_of(row, "7001")])
        assert engine.accept([acceptance_of(row, "7002")]) == (set(), [])


@on_mysql
@pytest.mark.django_db(transaction=True)
class TestCollation:
    """What JSON gives has another than the columns, as on many a server."""

    @pytest.fixture(autouse=True, params=["utf8mb4_unicode_ci", "utf8mb4_bin"])
    def columns(self, request):
        (before,) = ask("SHOW FULL COLUMNS FROM negin_sms_message LIKE 'claim'")
        self.collate(request.param)
        yield
        self.collate(before["Collation"])

    def collate(self, collation):
        connection.cursor().execute(
            "ALTER TABLE negin_sms_message "
            f"MODIFY claim VARCHAR(128) COLLATE {collation} NOT NULL, "
            f"MODIFY gateway_id VARCHAR(32) COLLATE {collation} NOT NULL"
        )

    def test_makes_no_difference(self, engine):
        known = MessageFactory(accepted=True)
        row, again = MessageFactory(sending=True), MessageFactory(sending=True)
        results = [acceptance_of(row, "7001"), acceptance_of(again, known.gateway_id)]
        assert engine.accept(results)[0] == {row.pk}


@on_mysql
@pytest.mark.django_db
def test_statement_chosen_to_end_a_deadlock_is_run_again():
    row = MessageFactory()
    tries: list[str] = []

    def refuse_once(execute, sql, params, many, context):
        if sql.startswith("UPDATE") and not tries:
            tries.append(sql)
            raise OperationalError(1213, "Deadlock found")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse_once):
        assert claim() == [row]
    row.refresh_from_db()
    assert (row.status, row.attempts, len(tries)) == (Status.SENDING, 1, 1)
