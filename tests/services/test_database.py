"""A transaction that the database chose to end a deadlock is done again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from negin_sms import services
from negin_sms.models import Message
from negin_sms.services.database import retry_deadlocks

pytestmark = pytest.mark.django_db(transaction=True)


def failing(times: int, code: object) -> tuple[list[int], Callable[[], str]]:
    """Return the tries that were made, and an action that fails so many times."""
    tries: list[int] = []

    def action() -> str:
        tries.append(1)
        if len(tries) <= times:
            raise OperationalError(code, "Deadlock found")
        return "done"

    return tries, action


class PostgreSQLDeadlock(Exception):
    sqlstate = "40P01"


@pytest.mark.parametrize("times", [0, 1, 9])
def test_deadlock_is_no_end(times):
    tries, action = failing(times, 1213)
    assert retry_deadlocks(action, using="default") == "done"
    assert len(tries) == times + 1


def test_deadlock_of_postgresql_is_known_by_its_state():
    tries: list[int] = []

    def action() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise OperationalError("deadlock detected") from PostgreSQLDeadlock()

    retry_deadlocks(action, using="default")
    assert len(tries) == 2


def test_patience_has_an_end():
    tries, action = failing(99, 1213)
    with pytest.raises(OperationalError):
        retry_deadlocks(action, using="default")
    assert len(tries) == 10


def test_other_trouble_is_told_at_once():
    tries, action = failing(1, 2006)
    with pytest.raises(OperationalError):
        retry_deadlocks(action, using="default")
    assert len(tries) == 1


def test_in_the_callers_transaction_it_is_the_callers():
    tries, action = failing(1, 1213)
    with pytest.raises(OperationalError), transaction.atomic():
        retry_deadlocks(action, using="default")
    assert len(tries) == 1


def test_many_are_saved_once_each_when_the_second_chunk_met_a_deadlock():
    inserts = 0

    def choose_us(execute, sql, *rest):
        nonlocal inserts
        inserts += sql.startswith("INSERT")
        if inserts == before_the_second + 1:
            inserts += 1
            raise OperationalError(1213, "Deadlock found")
        return execute(sql, *rest)

    wishes = [{"mobile": "09395213300", "text": f"n {i}"} for i in range(600)]
    with CaptureQueriesContext(connection) as queries:
        services.queue_many(wishes[:500], group="before")
    before_the_second = sum(q["sql"].startswith("INSERT") for q in queries)
    with connection.execute_wrapper(choose_us):
        services.queue_many(wishes)
    assert inserts > 2 * before_the_second
    texts = Message.objects.filter(group="").order_by("pk").values_list("text")
    assert [text for (text,) in texts] == [wish["text"] for wish in wishes]
