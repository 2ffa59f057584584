"""The async twins: database work in Django's own thread, exchanges beside it.

Only the exchange leaves the thread that async Django does its database work in, so
a slow gateway keeps no other request from its queries. A call that is cancelled
goes on to its end in the background: what may have been sent gets its result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar, Unpack

from asgiref.sync import sync_to_async
from django.views.decorators.debug import sensitive_variables

from negin_sms.models import Message
from negin_sms.services.delivery.account_poller import AccountPoller
from negin_sms.services.delivery.refresh import prepare_refresh
from negin_sms.services.dispatch.attempts import (
    Attempt,
    OnNotSent,
    conclude,
    prepare,
    record_result,
)
from negin_sms.services.submission.queueing import queue_sms
from negin_sms.services.submission.text_templates import OutboxFields, SendFields

from .error_reports import private
from .reports import PollReport

T = TypeVar("T")

# The loop itself holds its tasks by weak references only.
_under_way: set[asyncio.Task[Any]] = set()


@sensitive_variables()
async def asend_sms(
    mobile: object,
    text: str = "",
    *,
    fail_silently: bool = False,
    on_not_sent: OnNotSent = "queue",
    **fields: Unpack[SendFields],
) -> Message:
    """Send one message now and return its row; see ``send_sms``."""
    attempt = await _to_its_end(_send(mobile, text, on_not_sent, fields))
    return await _in_thread(lambda: conclude(attempt, fail_silently))


@sensitive_variables()
async def aqueue_sms(
    mobile: object, text: str = "", **fields: Unpack[OutboxFields]
) -> Message:
    """Put one message in the outbox and return its row; see ``queue_sms``."""
    return await _in_thread(lambda: queue_sms(mobile, text, **fields))


async def arefresh_states(messages: Iterable[Message]) -> PollReport:
    """Ask for the states of these messages now; see ``refresh_states``."""
    return await _to_its_end(_refresh(list(messages)))


@sensitive_variables()
async def _send(
    mobile: object, text: str, on_not_sent: OnNotSent, fields: SendFields
) -> Attempt:
    attempt = await _in_thread(lambda: prepare(mobile, text, on_not_sent, fields))
    if attempt.exchange is not None:
        result = await asyncio.to_thread(attempt.exchange)
        await _in_thread(lambda: record_result(attempt, result))
    return attempt


async def _refresh(messages: list[Message]) -> PollReport:
    refresh = await sync_to_async(prepare_refresh)(messages)
    for poller, asked in refresh.pollers:
        try:
            poller.submit(asked)
            await _answers_of(poller)
        finally:
            await sync_to_async(poller.finish)()
    return refresh.report()


async def _answers_of(poller: AccountPoller) -> None:
    while poller.is_under_way:
        answers = await asyncio.to_thread(poller.wait)
        await sync_to_async(poller.take)(answers)


async def _in_thread(work: Callable[[], T]) -> T:
    """Do database work; what is called has no arguments, which error reports show."""
    done: T = await sync_to_async(private(work))()
    return done


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.create_task(work)
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    return await asyncio.shield(task)
