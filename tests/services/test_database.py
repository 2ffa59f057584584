"""Database work that is done again: after a deadlock, and while a server is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from negin_sms import services
from negin_sms.models import Message
from negin_sms.services.database import (
    LastMoment,
    over_by,
    retry_deadlocks,
    retry_on_disconnect,
)

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


class TestLastMoment:
    """Work that is told to stop insists no longer than it may take in all."""

    def insist(self, *, seconds: float = 60.0) -> tuple[int, float]:
        """Insist on a server that is gone; return the tries, and how long it took."""
        tries, action = failing(999, 2006)
        began_at = time.monotonic()
        with pytest.raises(OperationalError):
            retry_on_disconnect(action, using="default", seconds=seconds)
        return len(tries), time.monotonic() - began_at

    def test_without_one_each_step_insists_by_itself(self):
        assert self.insist(seconds=0.2)[0] > 1

    def test_steps_share_what_is_left(self):
        stop = threading.Event()
        stop.set()
        with over_by(LastMoment(stop, 0.3)):
            tries, took = self.insist()
            assert tries > 1
            assert took < 5
            assert self.insist()[0] <= 2  # the rest may be enough for another

    def test_step_that_waits_is_told(self):
        stop = threading.Event()
        threading.Timer(0.3, stop.set).start()
        with over_by(LastMoment(stop, 0.1)):
            assert self.insist()[1] < 5

    def test_it_is_no_limit_before(self):
        last_moment = LastMoment(threading.Event(), 0.0)
        with over_by(last_moment):
            assert self.insist(seconds=0.2)[0] > 1
            last_moment.approach()
            assert self.insist()[0] == 1
