"""The ways to get a queue to the gateway that benchmarks.dispatch runs side by side.

A way prepares (fills its queue, has its processes ready) and returns what is timed.
The first is what the others are compared with: a loop of requests that leaves its
environment alone, as the app does.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks import bare


@dataclass(frozen=True)
class Cell:
    """A gateway, and how many messages are sent by how many workers in each process."""

    url: str
    workers: int
    processes: int
    messages: int


# Runs the way; returns the processor seconds of its processes, where they are ours.
Go = Callable[[], float | None]


class Way(NamedTuple):
    name: str
    prepare: Callable[[Cell], Go]


def our_ways() -> list[Way]:
    return [
        Way("Session, no environment", functools.partial(sessions, trust_env=False)),
        Way("Session", functools.partial(sessions, trust_env=True)),
        Way("urllib3", pools),
        Way("ours", dispatch),
    ]


@contextlib.contextmanager
def peer_ways(workers: int, processes: int) -> Iterator[list[Way]]:
    from benchmarks import peers_celery

    with peers_celery.Workers(workers, processes) as celery:
        yield [
            Way("post-office 100", functools.partial(post_office, batch=100)),
            Way("post-office all", functools.partial(post_office, batch=10**6)),
            Way("Celery", functools.partial(by_task, celery)),
        ]


def sessions(cell: Cell, trust_env: bool) -> Go:
    return bare_loops(cell, "session_post", f"{cell.url!r}, {trust_env}")


def pools(cell: Cell) -> Go:
    return bare_loops(cell, "urllib3_post", f"{cell.url!r}, {cell.workers}")


def bare_loops(cell: Cell, post: str, arguments: str) -> Go:
    each = cell.messages // cell.processes
    code = f"from benchmarks import bare\npost = bare.{post}({arguments})"
    run = f"bare.run(post, {each}, {cell.workers})"
    return bare.Processes(code, run, cell.processes).go


DISPATCH = """
import django
django.setup()
from django.db import connection
from negin_sms import services
from negin_sms.gateway import get_gateway
connection.ensure_connection()
get_gateway()
services.dispatch_queue()
"""


def dispatch(cell: Cell) -> Go:
    clear()
    run = f"services.dispatch_queue(workers={cell.workers})"
    # As one that runs for ever: it has found nothing to do once.
    processes = bare.Processes(DISPATCH, run, cell.processes)
    fill(cell.messages)

    def go() -> float:
        spent = processes.go()
        assert accepted() == cell.messages
        return spent

    return go


def post_office(cell: Cell, batch: int) -> Go:
    from benchmarks import peers_post_office

    peers_post_office.fill(cell.messages)
    run = f"send({cell.workers}, {cell.processes}, {batch})"
    # One process, which makes as many as it is told by itself.
    processes = bare.Processes(peers_post_office.SEND, run, 1)

    def go() -> float:
        spent = processes.go()
        assert peers_post_office.sent() == cell.messages
        return spent

    return go


def by_task(celery: object, cell: Cell) -> Go:
    from benchmarks import peers_celery

    assert isinstance(celery, peers_celery.Workers)
    fill(cell.messages)
    peers_celery.fill(cell.url)
    return functools.partial(celery.send, cell.messages)


def clear() -> None:
    from negin_sms.models import Message

    Message.objects.all()._raw_delete("default")


def fill(count: int) -> None:
    from negin_sms import services

    clear()
    wish = {"mobile": bare.MOBILE, "text": bare.TEXT}
    services.queue_many([wish] * count)


def accepted() -> int:
    from negin_sms.models import Message

    return Message.objects.filter(status="accepted").count()
