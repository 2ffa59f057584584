"""Django's own tasks, and their waker."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from django.db import transaction

from negin_sms.choices import Status
from negin_sms.exceptions import InvalidConfiguration
from negin_sms.models import Message
from tests.task_queues import import_without, let_shifts_be_over, queue, use_waker


def tasks_of_django() -> Any:
    try:
        return importlib.import_module("django.tasks")
    except ImportError:
        return pytest.importorskip("django_tasks")


def set_tasks(settings, backend: str) -> Any:
    package = tasks_of_django()
    path = f"{package.__name__}.backends.{backend}"
    settings.TASKS = {"default": {"BACKEND": path}}
    use_waker(settings, "negin_sms.background.wake")
    return package.default_task_backend


def test_without_django_tasks_it_says_what_to_install(monkeypatch):
    with pytest.raises(InvalidConfiguration, match=r"django-negin-sms\[tasks\]"):
        import_without(monkeypatch, "background", "django.tasks", "django_tasks")


@pytest.mark.django_db(transaction=True)
class TestDjangoTasks:
    def test_a_transaction_enqueues_one_task(self, settings):
        backend = set_tasks(settings, "dummy.DummyBackend")
        with transaction.atomic():
            queue()
            queue()
        (result,) = backend.results
        assert result.args == ["default"]
        assert result.task.module_path == "negin_sms.background.dispatch_in_background"

    def test_the_task_sends(self, settings):
        set_tasks(settings, "immediate.ImmediateBackend")
        queue()
        assert Message.objects.get().status == Status.ACCEPTED

    def test_a_shift_that_is_over_asks_for_the_next(self, settings, monkeypatch):
        backend = set_tasks(settings, "dummy.DummyBackend")
        background = importlib.import_module("negin_sms.background")
        let_shifts_be_over(monkeypatch)
        background.dispatch_in_background.call("default")
        assert [result.args for result in backend.results] == [["default"]]
