"""The async twins: same results, and a slow gateway holds nobody else up."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.exceptions import InvalidMessage, Rejected
from negin_sms.gateway import memory
from negin_sms.models import Message
from negin_sms.services import asynchronous
from negin_sms.services.reports import PollReport
from tests.factories import MOBILE

pytestmark = pytest.mark.django_db(transaction=True)


class SlowGateway(memory.MemoryGateway):
    """Answers after half a second; notes the threads it was called in."""

    threads: set[int] = set()
    seconds = 0.5

    def send(self, request, *, start_by=0.0):
        self.threads.add(threading.get_ident())
        time.sleep(self.seconds)
        return super().send(request)

    def states(self, ids):
        self.threads.add(threading.get_ident())
        time.sleep(self.seconds)
        return dict.fromkeys(ids, 1)


@pytest.fixture
def slow(use_account):
    SlowGateway.threads = set()
    use_account(BACKEND="tests.services.test_asynchronous.SlowGateway")


def test_asend_sends_and_returns_the_row(slow):
    row = async_to_sync(services.asend_sms)(MOBILE, "سلام")
    assert (row.status, len(memory.outbox)) == (Status.ACCEPTED, 1)
    assert Message.objects.get().gateway_id == row.gateway_id


def test_asend_raises_what_send_raises(sandbox, use_account):
    use_account(sandbox.url)
    with pytest.raises(InvalidMessage):
        async_to_sync(services.asend_sms)("021", "x")
    with pytest.raises(Rejected) as caught:
        async_to_sync(services.asend_sms)("09000000005", "x")
    assert caught.value.message.status == Status.REJECTED


def test_aqueue_queues(slow):
    row = async_to_sync(services.aqueue_sms)(MOBILE, "x", priority=0)
    assert (row.status, row.priority, memory.outbox) == (Status.QUEUED, 0, [])


@pytest.mark.parametrize("asked", ["a message", "a list", "a queryset"])
def test_arefresh_learns_the_states(slow, asked):
    row = services.send_sms(MOBILE, "x")
    kinds: dict[str, Any] = {"a message": row, "a list": [row]}
    given = kinds.get(asked, Message.objects.all())

    async def refresh() -> PollReport:  # the given, as it is, meets a running loop
        return await services.arefresh_states(given)

    report = async_to_sync(refresh)()
    row.refresh_from_db()
    assert (report.asked, report.settled, row.state) == (1, 1, 1)


@pytest.mark.long
def test_slow_gateway_keeps_no_other_request_from_its_queries(slow, monkeypatch):
    """While three sends and a refresh wait for the gateway, queries go on."""
    old = services.send_sms(MOBILE, "x")
    monkeypatch.setattr(SlowGateway, "seconds", 1.5)
    longest = 0.0

    async def ask_the_database(stop: asyncio.Event) -> int:
        nonlocal longest
        queries = 0
        while not stop.is_set():
            started = time.monotonic()
            await Message.objects.acount()
            longest = max(longest, time.monotonic() - started)
            queries += 1
            await asyncio.sleep(0.01)
        return queries

    async def both() -> int:
        stop = asyncio.Event()
        other = asyncio.create_task(ask_the_database(stop))
        work: list[Any] = [services.asend_sms(MOBILE, str(n)) for n in range(3)]
        if connection.vendor != "sqlite":  # in memory it has one connection only
            work.append(services.arefresh_states([old]))
        await asyncio.gather(*work)
        stop.set()
        return await other

    assert async_to_sync(both)() > 10
    assert longest < 1.2  # a busy machine takes its time, but no exchange's
    assert Message.objects.filter(status=Status.ACCEPTED).count() == 4


def test_exchange_leaves_the_database_thread(slow):
    async def send() -> int:
        await services.asend_sms(MOBILE, "x")
        return await sync_to_async(threading.get_ident)()

    assert async_to_sync(send)() not in SlowGateway.threads


def test_cancelled_call_still_writes_its_result(slow):
    async def cancel_midway() -> None:
        call = asyncio.create_task(services.asend_sms(MOBILE, "x"))
        while not SlowGateway.threads:
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        while not await Message.objects.filter(status=Status.ACCEPTED).aexists():
            await asyncio.sleep(0.01)

    async_to_sync(asyncio.wait_for)(cancel_midway(), 30)
    row = Message.objects.get()
    assert (row.status, len(memory.outbox)) == (Status.ACCEPTED, 1)


def test_without_a_thread_it_is_done_at_once_and_once(monkeypatch):
    done: list[str] = []

    def refuse(*args: Any) -> None:
        raise RuntimeError("can't start new thread")

    with ThreadPoolExecutor(1) as executor:
        monkeypatch.setattr(asynchronous, "_executor", lambda pid: executor)
        with monkeypatch.context() as patch:
            patch.setattr("threading.Thread.start", refuse)
            first = asynchronous._beside(lambda: done.append("first"))
        assert done == ["first"]
        # The executor has kept it, and gets a thread now.
        asynchronous._beside(lambda: done.append("second")).result(timeout=5)
    assert (first.exception(), done) == (None, ["first", "second"])
