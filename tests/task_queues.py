"""What the tests of the task queues share: one message, wakers, brokers."""

from __future__ import annotations

import contextlib
import importlib
import socket
import sys
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

import negin_sms
from negin_sms import services
from negin_sms.models import Message
from tests.chaos import reap
from tests.settings import NEGIN_SMS

NUMBER = "09395213300"
BROKERS = {
    "redis": ("redis://127.0.0.1:6379/13", 6379),
    "amqp": ("amqp://guest:guest@127.0.0.1:5672//", 5672),
}


def queue(**fields: Any) -> Message:
    return services.queue_sms(NUMBER, "hello", **fields)


def let_shifts_be_over(monkeypatch) -> None:
    over = threading.Event()
    over.set()
    monkeypatch.setattr(services, "stop_after", lambda: contextlib.nullcontext(over))


def use_waker(settings, waker: str) -> None:
    settings.NEGIN_SMS = {"default": {**NEGIN_SMS["default"], "WAKER": waker}}


def import_without(monkeypatch, name: str, *missing: str) -> Any:
    """Import a module of ours afresh where some packages are not installed."""
    for each in missing:
        monkeypatch.setitem(sys.modules, each, None)
    path = f"negin_sms.{name}"
    monkeypatch.setattr(negin_sms, name, sys.modules.get(path), raising=False)
    monkeypatch.delitem(sys.modules, path, raising=False)
    try:
        return importlib.import_module(path)
    finally:
        sys.modules.pop(path, None)


@pytest.fixture(params=BROKERS)
def broker(request) -> Iterator[dict[str, str]]:
    """Give the environment of a broker's users; leave nothing in the broker."""
    pytest.importorskip("celery")
    url, port = BROKERS[request.param]
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        pytest.skip(f"no broker answers at 127.0.0.1:{port} ({request.param})")
    name = f"negin_sms_{uuid.uuid4().hex[:12]}"
    yield {"CHAOS_BROKER": url, "CHAOS_QUEUE": name}
    reap()
    clean_up(url, name)


def clean_up(url: str, name: str) -> None:
    if url.startswith("redis"):
        import redis

        with redis.Redis.from_url(url) as client:
            for key in client.scan_iter(f"{name}.*"):
                client.delete(key)
        return
    from kombu import Connection

    with Connection(url) as connection:
        channel: Any = connection.default_channel
        channel.queue_delete(name)
        channel.exchange_delete(name)


def celery_app(broker: str, **conf: Any) -> Any:
    celery = pytest.importorskip("celery")
    app = celery.Celery("tests", broker=broker)
    app.conf.update(conf)
    app.set_current()
    return app


@pytest.fixture
def tasks() -> Iterator[Any]:
    """Give negin_sms.tasks, and leave no app of the test's as the current one."""
    state = pytest.importorskip("celery._state")
    before = state._tls.current_app
    yield importlib.import_module("negin_sms.tasks")
    state._tls.current_app = before
    from kombu import pools

    pools.reset()


def boxed(app: Any, name: str) -> list[Any]:
    """Take the tasks out of a queue: each its name and what it is given."""
    with app.connection_for_read() as connection:
        box = connection.SimpleQueue(name)
        taken = [box.get(timeout=1) for _ in range(len(box))]
        box.close()
    return [(each.headers["task"], each.payload[0]) for each in taken]
