"""Celery's tasks, and its waker."""

from __future__ import annotations

import importlib
import socket
import time
import uuid

import pytest
from django.db import transaction

from negin_sms.choices import Status
from negin_sms.exceptions import InvalidConfiguration
from negin_sms.models import Message
from negin_sms.services.operations import shutdown
from tests.task_queues import (
    boxed,
    celery_app,
    import_without,
    let_shifts_be_over,
    queue,
    tasks,
    use_waker,
)

__all__ = ["tasks"]  # a fixture


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
