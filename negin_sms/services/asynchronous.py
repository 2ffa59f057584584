"""The async twins: what is durable happens in threads that outlive the event loop.

The row is saved in the thread that async Django does its database work in. From then on
a thread of our own sends, writes the result and closes its connection, whether the
client hangs up, the call is cancelled or the loop ends: what may have been sent gets
its result, and no connection is left behind.
"""

from __future__ import annotations

import asyncio
import functools
import os
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections
from django.views.decorators.debug import sensitive_variables

from negin_sms.choices import Priority, Scenario
from negin_sms.conf import DEFAULT_ALIAS
from negin_sms.error_reports import private
from negin_sms.models import Message

from .database import write_alias
from .delivery.refresh import refresh_states
from .dispatch.sending import (
    Attempt,
    OnNotSent,
    ask,
    conclude,
    prepare,
    write_down,
)
from .reports import PollReport
from .submission.arguments import User
from .submission.keywords import checks_keywords
from .submission.queueing import queue_sms

T = TypeVar("T")

_MOST_THREADS = 64  # at once; more sends wait for one of them


@checks_keywords
@sensitive_variables()
async def asend_sms(
    mobile: object,
    text: str = "",
    *,
    template_name: str | None = None,
    context: Mapping[str, object] | None = None,
    language: str | None = None,
    scenario: str = Scenario.SINGLE,
    line: str | None = None,
    line2: str | None = None,
    template: int | str | None = None,
    account: str = DEFAULT_ALIAS,
    idempotency_key: str | None = None,
    expires_in: float | timedelta | None = None,
    expires_at: datetime | str | None = None,
    sensitive: bool = False,
    priority: int = Priority.NORMAL,
    footer: bool | None = None,
    source: str = "",
    group: str = "",
    created_by: User | None = None,
    fail_silently: bool = False,
    on_not_sent: OnNotSent = "queue",
) -> Message:
    """Send one message now and return its row; see ``send_sms``."""
    options = dict(locals())
    del options["fail_silently"]
    attempt = await _to_its_end(_send(options))
    return await _in_thread(lambda: conclude(attempt, fail_silently))


@checks_keywords
@sensitive_variables()
async def aqueue_sms(
    mobile: object,
    text: str = "",
    *,
    template_name: str | None = None,
    context: Mapping[str, object] | None = None,
    language: str | None = None,
    scenario: str = Scenario.SINGLE,
    line: str | None = None,
    line2: str | None = None,
    template: int | str | None = None,
    account: str = DEFAULT_ALIAS,
    idempotency_key: str | None = None,
    expires_in: float | timedelta | None = None,
    expires_at: datetime | str | None = None,
    send_at: datetime | str | None = None,
    sensitive: bool = False,
    priority: int = Priority.NORMAL,
    footer: bool | None = None,
    source: str = "",
    group: str = "",
    created_by: User | None = None,
) -> Message:
    """Put one message in the outbox and return its row; see ``queue_sms``."""
    options = dict(locals())
    return await _in_thread(lambda: queue_sms(**options))


async def arefresh_states(messages: Message | Iterable[Message]) -> PollReport:
    """Ask for the states of these messages now; see ``refresh_states``."""
    # Read in the thread that asks: a queryset may not be on the event loop.
    refresh = functools.partial(refresh_states, messages)
    return await _to_its_end(_refresh(refresh))


@sensitive_variables()
async def _send(options: dict[str, object]) -> Attempt:
    attempt, ended = await _in_thread(lambda: _begin_sending(options))
    if ended is not None:
        await asyncio.wrap_future(ended)
    else:
        result = await asyncio.to_thread(ask, attempt)
        await _in_thread(lambda: write_down(attempt, result))
    return attempt


async def _refresh(refresh: Callable[[], PollReport]) -> PollReport:
    if await _in_thread(_is_tests_own):
        return await _in_thread(refresh)
    return await asyncio.wrap_future(_beside(refresh))


async def _in_thread(work: Callable[[], T]) -> T:
    """Do database work; what is called has no arguments, which error reports show."""
    done: T = await sync_to_async(private(work))()
    return done


@sensitive_variables()
def _begin_sending(options: dict[str, object]) -> tuple[Attempt, Future[None] | None]:
    """Save the row and start its sending, in one step that no loop interrupts."""
    attempt = prepare(**options)  # type: ignore[arg-type]
    if attempt.job is None or _is_tests_own():
        return attempt, None
    # Each request of an async site has a thread and a connection of its own. Any number
    # may wait for a slow gateway; a database has few connections.
    connections[write_alias()].close_if_unusable_or_obsolete()
    return attempt, _beside(lambda: write_down(attempt, ask(attempt)))


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Wait for what was begun; who cancels this waits for it, too.

    So a server that is told to stop waits: some end by a signal, which no thread
    outlives. A second cancellation waits for nothing.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _is_tests_own() -> bool:
    """Return whether no other connection can write what this one has begun.

    So it is in a TestCase, whose transaction is never committed, and with SQLite in
    memory, where two connections stand in each other's way.
    """
    connection: Any = connections[write_alias()]
    in_memory = connection.vendor == "sqlite" and connection.is_in_memory_db()
    return bool(connection.in_atomic_block or in_memory)


def _beside(work: Callable[[], T]) -> Future[T]:
    """Do it in a thread of ours; here, where this machine has none left."""
    done: Future[T] = Future()
    begin = threading.Lock()

    def work_once() -> None:
        if not begin.acquire(blocking=False):
            return
        try:
            done.set_result(_close_connections_after(work))
        except BaseException as error:
            done.set_exception(error)

    try:
        _executor(os.getpid()).submit(work_once)
    except RuntimeError:  # though it may be done by the threads that are there
        work_once()
    return done


def _close_connections_after(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        connections.close_all()


@functools.cache
def _executor(pid: int) -> ThreadPoolExecutor:
    """Return this process's threads; a fork has none of its parent's."""
    return ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="negin-sms-async")
