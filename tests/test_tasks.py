"""Celery's tasks, and its waker."""

from __future__ import annotations

import contextlib
import importlib
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

import negin_sms
from negin_sms import services
from negin_sms.choices import Status
from negin_sms.exceptions import InvalidConfiguration
from negin_sms.models import Message
from negin_sms.services.operations import shutdown
from tests.chaos import reap
from tests.settings import NEGIN_SMS

NUMBER = "09395213300"
BROKERS = {
    "redis": ("redis://127.0.0.1:6379/13", 6379),
    "amqp": ("amqp://guest:guest@127.0.0.1:5672//", 5672),
}


def queue(**fields: Any) -> Message:
    return services.queue_sms(NUMBER, "hello", **fields)


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


@pytest.mark.django_db(transaction=True)
class TestCelery:
    def test_names_and_results(self, tasks):
        app = celery_app("memory://")
        for name in ("negin_sms.dispatch", "negin_sms.poll"):
            assert app.tasks[name].ignore_result
            assert app.tasks[name].time_limit > shutdown._SHIFT + 90

    def test_dispatch_sends_what_is_due(self, tasks):
        queue()
        celery_app("memory://")
        assert tasks.dispatch("default") is None
        assert Message.objects.get().status == Status.ACCEPTED
        assert tasks.poll() is None

    def test_wake_puts_one_task_into_the_broker(self, tasks, settings):
        name = uuid.uuid4().hex
        app = celery_app("memory://", task_default_queue=name)
        use_waker(settings, "negin_sms.tasks.wake")
        with transaction.atomic():
            queue()
            queue()
        assert boxed(app, name) == [("negin_sms.dispatch", ["default"])]

    def test_a_shift_that_is_over_asks_for_the_next(self, tasks, monkeypatch):
        name = uuid.uuid4().hex
        app = celery_app("memory://", task_default_queue=name)
        let_shifts_be_over(monkeypatch)
        tasks.dispatch("default")
        assert boxed(app, name) == [("negin_sms.dispatch", ["default"])]

    def test_eager_tasks_need_no_broker(self, tasks, settings):
        celery_app("redis://127.0.0.1:9", task_always_eager=True)
        use_waker(settings, "negin_sms.tasks.wake")
        assert queue().status == Status.QUEUED
        assert Message.objects.get().status == Status.ACCEPTED

    @pytest.mark.parametrize("scheme", ["redis", "amqp"])
    def test_refused_broker_costs_no_time(self, tasks, settings, caplog, scheme):
        celery_app(f"{scheme}://127.0.0.1:9", result_backend="redis://127.0.0.1:9")
        use_waker(settings, "negin_sms.tasks.wake")
        queue()  # imports the transport
        started = time.monotonic()
        with transaction.atomic():
            queue()
        assert time.monotonic() - started < 0.5
        assert Message.objects.filter(status=Status.QUEUED).count() == 2
        assert "The waker of SMS account 'default' failed" in caplog.text

    @pytest.mark.chaos
    @pytest.mark.parametrize("scheme", ["redis", "amqp"])
    def test_silent_broker_costs_two_seconds(self, tasks, settings, caplog, scheme):
        transport = {"redis": "redis", "amqp": "pyamqp"}[scheme]
        importlib.import_module(f"kombu.transport.{transport}")  # takes its own time
        with socket.create_server(("127.0.0.1", 0)) as silent:
            celery_app(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}")
            use_waker(settings, "negin_sms.tasks.wake")
            started = time.monotonic()
            assert queue().status == Status.QUEUED
            assert 1.5 < time.monotonic() - started < 4
        assert "The waker of SMS account 'default' failed" in caplog.text


def test_without_celery_it_says_what_to_install(monkeypatch):
    tasks = import_without(monkeypatch, "tasks", "celery")
    with pytest.raises(InvalidConfiguration, match=r'pip install "celery\[redis\]"'):
        tasks.wake("default")
