"""Task queues: who wakes them, how often, and that a worker's death costs nothing."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import TestCase, override_settings

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.exceptions import InvalidConfiguration
from tests.badgateway import BadGateway, wait_until
from tests.chaos import PATIENCE, Chaos, database_urls, fresh_database, reap
from tests.settings import NEGIN_SMS
from tests.task_queues import NUMBER, broker, queue, tasks

__all__ = ["broker", "tasks"]  # fixtures

WOKEN: list[str] = []

# The wakers do not depend on the database: one server shows them, or SQLite.
SERVER = [*database_urls()[1:], "sqlite"][0]


def note_waking(alias: str) -> None:
    WOKEN.append(alias)


def refuse_waking(alias: str) -> None:
    raise InvalidConfiguration("Install it.")


def fail_waking(alias: str) -> None:
    raise OSError("amqp://user:secret@broker does not answer")


def miss_waking(alias: str) -> None:
    raise ModuleNotFoundError("secret", name="proj.tasks")


NOTED = {
    alias: {
        **NEGIN_SMS["default"],
        "WAKER": "tests.services.submission.test_wakers.note_waking",
    }
    for alias in ("default", "second")
}


@pytest.fixture
def woken(settings) -> list[str]:
    settings.NEGIN_SMS = NOTED
    WOKEN.clear()
    return WOKEN


@pytest.mark.django_db(transaction=True)
class TestOncePerTransaction:
    def test_many_messages_wake_once(self, woken):
        with transaction.atomic():
            for _ in range(3):
                queue()
            services.queue_many([{"mobile": NUMBER, "text": "hello"}] * 2)
            services.send_sms(NUMBER, "hello")
            assert woken == []
        assert woken == ["default"]

    def test_each_account_is_woken(self, woken):
        with transaction.atomic():
            for alias in ("default", "second", "default"):
                queue(account=alias)
        assert woken == ["default", "second"]

    def test_each_transaction_wakes(self, woken):
        for _ in range(2):
            with transaction.atomic():
                queue()
        queue()
        assert woken == ["default"] * 3

    def test_rolled_back_transaction_wakes_nobody(self, woken):
        with contextlib.suppress(ZeroDivisionError), transaction.atomic():
            queue()
            raise ZeroDivisionError
        assert woken == []

    def test_rolled_back_savepoint_takes_only_its_own(self, woken):
        with transaction.atomic():
            with contextlib.suppress(ZeroDivisionError), transaction.atomic():
                queue()
                raise ZeroDivisionError
            queue()
        assert woken == ["default"]

    def test_rolled_back_savepoint_leaves_what_was_before_it(self, woken):
        with transaction.atomic():
            queue()
            with contextlib.suppress(ZeroDivisionError), transaction.atomic():
                queue()
                raise ZeroDivisionError
        assert woken == ["default"]

    def test_nested_savepoints_wake_once_for_what_stays(self, woken):
        with transaction.atomic():
            with transaction.atomic():
                queue()
                with contextlib.suppress(ZeroDivisionError), transaction.atomic():
                    queue()
                    raise ZeroDivisionError
            with transaction.atomic():
                queue()
        assert woken == ["default"]

    def test_rolled_back_outer_savepoint_takes_the_kept_inner_one(self, woken):
        with transaction.atomic():
            queue(account="second")
            with contextlib.suppress(ZeroDivisionError), transaction.atomic():
                with transaction.atomic():
                    queue()
                queue()
                raise ZeroDivisionError
        assert woken == ["second"]

    def test_our_own_words_are_logged(self, settings, caplog):
        waker = {"WAKER": "tests.services.submission.test_wakers.refuse_waking"}
        settings.NEGIN_SMS = {"default": {**NEGIN_SMS["default"], **waker}}
        assert queue().status == Status.QUEUED
        assert "SMS account 'default' failed: Install it." in caplog.text

    def test_others_words_are_not(self, settings, caplog):
        waker = {"WAKER": "tests.services.submission.test_wakers.fail_waking"}
        settings.NEGIN_SMS = {"default": {**NEGIN_SMS["default"], **waker}}
        assert queue().status == Status.QUEUED
        assert "SMS account 'default' failed: OSError" in caplog.text
        assert "secret" not in caplog.text

    def test_missing_module_is_named(self, settings, caplog):
        waker = {"WAKER": "tests.services.submission.test_wakers.miss_waking"}
        settings.NEGIN_SMS = {"default": {**NEGIN_SMS["default"], **waker}}
        assert queue().status == Status.QUEUED
        assert "failed: ModuleNotFoundError (proj.tasks)" in caplog.text
        assert "secret" not in caplog.text


@override_settings(NEGIN_SMS=NOTED)
class TestInTestCases(TestCase):
    """The project's own tests see what they would see in production."""

    def setUp(self) -> None:
        WOKEN.clear()
        queue()

    def test_what_was_queued_before_hides_nothing(self) -> None:
        for _ in range(2):
            with self.captureOnCommitCallbacks(execute=True) as callbacks:
                queue()
            assert len(callbacks) == 1
        assert WOKEN == ["default"] * 2

    def test_each_transaction_wakes_once(self) -> None:
        for _ in range(2):
            with self.captureOnCommitCallbacks(execute=True):  # noqa: SIM117
                with transaction.atomic():
                    queue()
                    queue()
        assert WOKEN == ["default"] * 2


def is_timer(thread: threading.Thread) -> bool:
    return isinstance(thread, threading.Timer)


class TestShift:
    def test_ends_by_itself(self):
        with services.stop_after(0.01) as stop:
            assert stop.wait(5)

    def test_is_not_over_when_the_work_is_done_before(self):
        with services.stop_after() as stop:
            pass
        assert not stop.is_set()
        wait_until(lambda: not any(map(is_timer, threading.enumerate())))


# --- Celery ------------------------------------------------------------------------


# --- Django Tasks ------------------------------------------------------------------


# --- real workers that die --------------------------------------------------------

COUNT = 300
SLOWLY = 0.25  # s; what is left then takes far longer than to look at the rows


@pytest.fixture
def gateway() -> Iterator[BadGateway]:
    with BadGateway(latency=0.02) as running:
        yield running
        reap()


@pytest.fixture
def server(tmp_path) -> Iterator[str]:
    with fresh_database(SERVER, tmp_path) as url:
        yield url
        reap()


def start_celery(chaos: Chaos, **env: str) -> subprocess.Popen[str]:
    options = ("--loglevel", "ERROR", "--concurrency", "1")
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    return chaos.spawn(
        *("celery", "-A", "tests.celery_app", "worker", *options, *quiet), env=env
    )


def start_db_worker(chaos: Chaos) -> subprocess.Popen[str]:
    env = {"DJANGO_SETTINGS_MODULE": "tests.chaos_settings"}
    return chaos.spawn("django", "db_worker", "--interval", "0.1", "-v", "0", env=env)


def wait_for(
    chaos: Chaos,
    workers: list[subprocess.Popen[str]],
    condition: Callable[[], bool],
    pause: float = 0.01,
) -> None:
    """Wait for what the workers are about to bring about."""
    give_up_at = time.monotonic() + PATIENCE
    while not condition():
        ended = [worker for worker in workers if worker.poll() is not None]
        assert not ended, ended[0].communicate()
        assert time.monotonic() < give_up_at, f"{len(chaos.gateway.journal)} requests"
        time.sleep(pause)


def pids(rows: list[dict[str, Any]]) -> set[int]:
    """Return the processes that hold these rows, or held them."""
    return {int(row["claim"].split(":")[1]) for row in rows}


def at_work(
    chaos: Chaos, workers: list[subprocess.Popen[str]]
) -> list[subprocess.Popen[str]]:
    """Return the workers that are sending."""
    busy = pids([row for row in chaos.do("dump") if row["status"] == "sending"])
    groups = {os.getpgid(pid) for pid in busy}
    return [worker for worker in workers if worker.pid in groups]


def kill_one_midway(
    chaos: Chaos, workers: list[subprocess.Popen[str]]
) -> list[dict[str, Any]]:
    """Queue, kill one of the workers while it sends, and wake like a schedule since."""
    chaos.gateway.latency, quickly = SLOWLY, chaos.gateway.latency
    queueing = chaos.start("queue_each", count=COUNT)
    wait_for(chaos, workers, lambda: len(chaos.gateway.whole) >= COUNT // 15)
    while not (busy := at_work(chaos, workers)):
        assert len(chaos.gateway.whole) < COUNT, "nobody was seen at work"
    victim = busy[0]
    workers.remove(victim)
    chaos.kill(victim)
    chaos.gateway.latency = quickly
    _out, err = queueing.communicate(timeout=PATIENCE)
    assert queueing.returncode == 0, err
    assert "failed" not in err
    return wake_until_settled(chaos, workers)


def wake_until_settled(
    chaos: Chaos, workers: list[subprocess.Popen[str]]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []

    def settled() -> bool:
        chaos.do("wake")
        rows[:] = chaos.do("dump")
        return not {row["status"] for row in rows} & {"queued", "sending"}

    wait_for(chaos, workers, settled, 1.0)
    return rows


def end(worker: subprocess.Popen[str]) -> None:
    """Shut a worker down as service managers do; it has to end by itself."""
    worker.terminate()
    _out, err = worker.communicate(timeout=PATIENCE)
    assert worker.returncode == 0, err
    assert "Traceback" not in err


@pytest.mark.chaos(seconds=12)
def test_a_killed_celery_worker_loses_nothing_and_doubles_nothing(
    broker, server, gateway
):
    chaos = Chaos(server, gateway, env=broker, WAKER="negin_sms.tasks.wake")
    workers = [start_celery(chaos) for _ in range(2)]
    rows = kill_one_midway(chaos, workers)
    end(workers[0])
    assert chaos.kills == 1
    assert len(pids(rows)) > 1
    assert chaos.verdict(rows, queued=COUNT, uncertain_at_most=2 * 4) == []


@pytest.mark.chaos(seconds=12)
def test_celery_shifts_follow_each_other_and_end_with_the_worker(
    broker, server, gateway
):
    """One wake-up drains the queue; SIGTERM finishes a shift and leaves the rest."""
    chaos = Chaos(server, gateway, env=broker, WAKER="negin_sms.tasks.wake")
    worker = start_celery(chaos, CHAOS_SHIFT="0.4")
    chaos.do("queue", count=COUNT)
    wait_for(chaos, [worker], lambda: len(gateway.journal) == COUNT)
    gateway.latency = SLOWLY
    chaos.do("queue", count=2 * COUNT)
    wait_for(chaos, [worker], lambda: len(gateway.journal) > COUNT + 20)
    end(worker)
    statuses = [row["status"] for row in chaos.do("dump")]
    assert set(statuses) == {"accepted", "queued"}
    assert statuses.count("accepted") == len(gateway.journal)


@pytest.mark.chaos(seconds=12)
def test_a_killed_db_worker_loses_nothing_and_doubles_nothing(server, gateway):
    pytest.importorskip("django_tasks_db")
    waker = {"WAKER": "negin_sms.background.wake"}
    chaos = Chaos(server, gateway, env={"CHAOS_TASKS": "1"}, **waker)
    workers = [start_db_worker(chaos) for _ in range(2)]
    rows = kill_one_midway(chaos, workers)
    end(workers[0])
    assert chaos.kills == 1
    assert len(pids(rows)) > 1
    assert chaos.verdict(rows, queued=COUNT, uncertain_at_most=2 * 4) == []
