"""The dispatcher as a whole, against a real gateway on this machine."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from negin_sms import conf, services
from negin_sms.choices import Priority, Status
from negin_sms.exceptions import InvalidConfiguration, OutcomeUnknown
from negin_sms.gateway import client, memory
from negin_sms.gateway.deadline import Watchdog
from negin_sms.models import AccountState, Message
from negin_sms.services.dispatch import producer
from negin_sms.services.dispatch.dispatcher import Dispatcher
from negin_sms.services.outbox import gate
from tests.badgateway import wait_until
from tests.factories import MOBILE, MessageFactory

pytestmark = pytest.mark.django_db(transaction=True)


class SlowGateway(memory.MemoryGateway):
    """Take a moment; note the requests as they begin, and how many are in flight."""

    lock = threading.Lock()
    now = most = 0
    delay = 0.03
    begun: list[str] = []

    def send(self, request, *, start_by=0.0):
        kind = type(self)
        with self.lock:
            kind.now += 1
            kind.begun.append(request.text)
            kind.most = max(kind.most, kind.now)
        time.sleep(self.delay)
        with self.lock:
            kind.now -= 1
        return super().send(request)


@pytest.fixture
def slow(use_account):
    SlowGateway.now = SlowGateway.most = 0
    SlowGateway.begun = []
    use_account(BACKEND="tests.services.dispatch.test_dispatcher.SlowGateway")
    return SlowGateway


def multiply_rows(count: int) -> None:
    """Insert so many copies of the only row; by the database, which takes a second."""
    fields = [each.column for each in Message._meta.fields if not each.primary_key]
    names = ", ".join(connection.ops.quote_name(str(each)) for each in fields)
    table = Message._meta.db_table
    with connection.cursor() as cursor:
        while count > 0:
            cursor.execute(
                f"INSERT INTO {table} ({names}) SELECT {names} FROM {table} LIMIT %s",
                [count],
            )
            count -= cursor.rowcount


def texts():
    return [sent.text for sent in memory.outbox]


def test_everything_due_is_sent_once(live):
    MessageFactory.create_batch(25)
    report = services.dispatch_queue()
    assert (report.accepted, report.sent) == (25, 25)
    assert len({taken.gateway_id for taken in live.taken}) == len(live.taken) == 25
    stored = set(Message.objects.values_list("gateway_id", flat=True))
    assert stored == {taken.gateway_id for taken in live.taken}


def test_workers_run_side_by_side_but_no_more_than_allowed(slow):
    MessageFactory.create_batch(30)
    services.dispatch_queue(workers=5)
    assert 2 <= slow.most <= 5


def test_one_worker_sends_in_the_order_of_the_queue(use_account):
    use_account(BACKEND="negin_sms.gateway.memory.MemoryGateway")
    for index, priority in enumerate([30, 20, 0, 10]):
        MessageFactory(text=str(index), priority=priority)
    services.dispatch_queue(workers=1)
    assert texts() == ["2", "3", "1", "0"]


@pytest.mark.long
@pytest.mark.parametrize("workers", [4, 16])
def test_urgent_message_overtakes_a_hundred_thousand(slow, workers):
    """T15: it goes out with the next free worker."""
    services.queue_sms("09395213300", "bulk", priority=Priority.LOW)
    multiply_rows(100_000)
    stop = threading.Event()
    begun_before: list[int] = []

    def progress(_ended):
        if not begun_before and len(slow.begun) > 40:
            services.queue_sms("09395213300", "URGENT", priority=Priority.URGENT)
            begun_before.append(len(slow.begun))
        if "URGENT" in slow.begun:
            stop.set()

    services.dispatch_queue(workers=workers, stop=stop, progress=progress)
    assert slow.begun.index("URGENT") - begun_before[0] <= 2 * workers


def test_limit_ends_the_run(slow):
    MessageFactory.create_batch(10)
    assert services.dispatch_queue(limit=4).accepted == 4
    assert Message.objects.filter(status=Status.QUEUED).count() == 6


def test_rate_spreads_the_messages(use_account):
    use_account(BACKEND="negin_sms.gateway.memory.MemoryGateway")
    MessageFactory.create_batch(6)
    started = time.monotonic()
    assert services.dispatch_queue(rate=10).accepted == 6
    assert time.monotonic() - started >= 0.4


class TimingGateway(memory.MemoryGateway):
    """Note when each request begins."""

    begun_at: list[float] = []

    def send(self, request, *, start_by=0.0):
        self.begun_at.append(time.monotonic())
        return super().send(request)


@pytest.mark.long
def test_rate_is_not_made_up_for_after_an_idle_time(use_account):
    """No burst when there is work again: a second's worth, then the pace."""
    use_account(BACKEND="tests.services.dispatch.test_dispatcher.TimingGateway")
    TimingGateway.begun_at = []
    stop = threading.Event()
    back_at = 0.0

    def progress(_ended: int) -> None:
        nonlocal back_at
        if not back_at:
            time.sleep(1.5)
            back_at = time.monotonic()
            MessageFactory.create_batch(65)
        elif len(memory.outbox) == 66:
            stop.set()

    MessageFactory()
    services.dispatch_queue(
        rate=40, forever=True, interval=0.05, stop=stop, progress=progress
    )
    for number, begun_at in enumerate(TimingGateway.begun_at[1:], 1):
        assert begun_at - back_at >= (number - 40) / 40


def test_stop_puts_back_what_was_not_begun(slow):
    MessageFactory.create_batch(40)
    stop = threading.Event()
    report = services.dispatch_queue(
        workers=2, stop=stop, progress=lambda _n: stop.set()
    )
    assert report.uncertain == 0
    assert report.accepted == len(memory.outbox) < 40
    assert not Message.objects.filter(status=Status.SENDING).exists()
    queued = Message.objects.filter(status=Status.QUEUED)
    assert queued.count() == 40 - report.accepted
    assert set(queued.values_list("attempts", flat=True)) == {0}


def test_forever_waits_for_more_until_stopped(use_account):
    use_account(BACKEND="negin_sms.gateway.memory.MemoryGateway")
    MessageFactory()
    stop = threading.Event()

    def progress(_ended):
        if len(memory.outbox) == 1:
            services.queue_sms("09395213300", "later")
        else:
            stop.set()

    services.dispatch_queue(forever=True, interval=0.05, stop=stop, progress=progress)
    assert texts() == ["سلام", "later"]


def test_accounts_have_their_own_gateways(settings):
    backend = "negin_sms.gateway.memory.MemoryGateway"
    account = {"BACKEND": backend, "LINE": "9830003300"}
    settings.NEGIN_SMS = {"default": account, "bulk": {**account, "LINE": "98500"}}
    MessageFactory()
    MessageFactory(account="bulk", line="98500")
    assert services.dispatch_queue(account="bulk").accepted == 1
    assert [sent.account for sent in memory.outbox] == ["bulk"]
    assert services.dispatch_queue().accepted == 1
    with pytest.raises(InvalidConfiguration):
        services.dispatch_queue(account="nobody")


def test_expired_rows_are_not_sent_even_while_paused(live):
    MessageFactory(expires_at=timezone.now() - timedelta(seconds=1))
    services.pause_account("default", reason="maintenance")
    report = services.dispatch_queue()
    assert (report.expired, report.sent) == (1, 0)
    assert live.taken == []


def test_paused_account_claims_nothing_and_is_reported(live):
    MessageFactory()
    services.pause_account("default", reason="maintenance")
    report = services.dispatch_queue()
    assert report.paused == {"default": "maintenance"}
    assert Message.objects.get().status == Status.QUEUED


@pytest.mark.parametrize("dispatch", [True, False])
def test_pause_is_told_where_another_brake_keeps_all_back(live, use_account, dispatch):
    use_account(live.url, ACCOUNT_CAPS={"day": 1})
    services.send_sms(MOBILE, "takes the place")
    use_account(live.url, ACCOUNT_CAPS={"day": 1}, DISPATCH=dispatch)
    MessageFactory()
    assert services.dispatch_queue().paused == {}
    services.pause_account("default", reason="a loop")
    assert services.dispatch_queue().paused == {"default": "a loop"}
    assert len(live.taken) == 1


def test_broken_gateway_costs_a_handful_and_not_the_queue(use_account):
    use_account("http://127.0.0.1:9/api")
    MessageFactory.create_batch(40)
    report = services.dispatch_queue()
    assert 5 <= report.not_sent <= 12
    assert "cannot be reached" in report.paused["default"]
    assert Message.objects.filter(status=Status.QUEUED).count() == 40


def test_probe_after_the_pause_brings_the_rest(live):
    MessageFactory.create_batch(12)
    past = timezone.now() - timedelta(seconds=1)
    AccountState.objects.create(
        account="default", paused_at=past, paused_until=past, reason="down", pauses=3
    )
    report = services.dispatch_queue()
    assert report.accepted == len(live.taken) == 12
    assert report.paused == {}
    assert not AccountState.objects.get().is_paused


def begin_with_a_probe() -> None:
    past = timezone.now() - timedelta(seconds=1)
    AccountState.objects.update_or_create(
        account="default", defaults={"paused_at": past, "paused_until": past}
    )


def test_probe_that_takes_its_time_ends_the_pause(slow, monkeypatch):
    """Longer than the coordinator waits before it looks for more to do."""
    monkeypatch.setattr(slow, "delay", 0.3)
    MessageFactory.create_batch(5)
    begin_with_a_probe()
    report = services.dispatch_queue()
    assert (report.accepted, report.paused) == (5, {})
    assert not AccountState.objects.get().is_paused


class Scripted(memory.MemoryGateway):
    """Answers "slow" once the probe is out, and fails the probe once that is back."""

    begun: list[str] = []
    probe_is_out, slow_is_back = threading.Event(), threading.Event()

    def send(self, request, *, start_by=0.0):
        self.begun.append(request.text)
        if request.text == "slow":
            self.probe_is_out.wait(10)
        if request.text == "probe":
            self.probe_is_out.set()
            self.slow_is_back.wait(10)
            raise OutcomeUnknown("as before")
        return super().send(request)


def test_success_of_an_old_request_is_not_the_probes(use_account):
    """It was on its way when the pause began, and is back while the probe is out."""
    use_account(BACKEND="tests.services.dispatch.test_dispatcher.Scripted")
    for noted in (Scripted.begun, Scripted.probe_is_out, Scripted.slow_is_back):
        noted.clear()
    for text in ("slow", "good"):
        MessageFactory(text=text)

    def progress(_ended: int) -> None:
        if len(memory.outbox) == 2:
            Scripted.slow_is_back.set()
        else:  # another dispatcher has paused the account
            begin_with_a_probe()
            for text in ("probe", "late"):
                MessageFactory(text=text)

    report = services.dispatch_queue(progress=progress)
    assert (report.accepted, report.uncertain) == (2, 1)
    assert sorted(Scripted.begun[:2]) == ["good", "slow"]  # side by side
    assert Scripted.begun[2:] == ["probe"]
    assert AccountState.objects.get().is_paused


@pytest.mark.parametrize("delay", [0.0, 0.03])
def test_as_many_are_in_flight_as_may_be_while_it_grows(slow, monkeypatch, delay):
    monkeypatch.setattr(slow, "delay", delay)
    MessageFactory.create_batch(6)
    begin_with_a_probe()
    most: list[int] = []

    def progress(_ended: int) -> None:
        monkeypatch.setattr(slow, "delay", 0.05)
        most.append(slow.most)

    services.dispatch_queue(workers=8, progress=progress)
    assert all(n <= 2**turn for turn, n in enumerate(most))
    assert most[-1] > 1


def test_concurrency_grows_slowly_after_a_pause(slow):
    MessageFactory.create_batch(3)
    begin_with_a_probe()
    services.dispatch_queue(workers=8)
    assert slow.most <= 2


@pytest.mark.parametrize("name", ["own", "given"])
def test_refused_line_blames_account_or_message(name, use_account):
    own = {"own": "9830003300", "given": "98111"}[name]
    use_account(
        BACKEND="tests.services.dispatch.test_dispatcher.LineRefusing", LINE=own
    )
    row = MessageFactory(line="9830003300")
    services.dispatch_queue()
    row.refresh_from_db()
    assert row.status == {"own": Status.QUEUED, "given": Status.REJECTED}[name]
    assert AccountState.objects.get().is_paused is (name == "own")


class LineRefusing(memory.MemoryGateway):
    def send(self, request, *, start_by=0.0):
        from negin_sms.gateway.wire import decode_send

        return decode_send(b'{"status": 2, "msg": "line"}')


class Broken(memory.MemoryGateway):
    def send(self, request, *, start_by=0.0):
        raise KeyError(request.text)


def test_fault_of_a_gateway_class_leaves_the_row_uncertain(use_account, caplog):
    use_account(BACKEND="tests.services.dispatch.test_dispatcher.Broken")
    row = MessageFactory(text="my secret")
    services.dispatch_queue()
    row.refresh_from_db()
    assert row.status == Status.UNCERTAIN
    assert "KeyError" in row.detail
    assert "my secret" not in caplog.text + row.detail


class Silent(memory.MemoryGateway):
    said: Any = None

    def send(self, request, *, start_by=0.0):
        super().send(request)
        return self.said


@pytest.mark.parametrize("said", [None, "12345", {"message_id": 12345}])
def test_gateway_class_that_gives_no_reply_leaves_the_row_uncertain(
    use_account, monkeypatch, said
):
    """And a thread that goes on working."""
    use_account(BACKEND="tests.services.dispatch.test_dispatcher.Silent", WORKERS=1)
    monkeypatch.setattr(Silent, "said", said)
    MessageFactory.create_batch(3)
    assert services.dispatch_queue().uncertain == 3


def test_database_that_fails_while_claiming_is_asked_again(live):
    MessageFactory.create_batch(3)
    failures = iter([True, True])

    def flaky(execute, sql, params, many, context):
        if (
            sql.startswith("UPDATE")
            and "claimed_until" in sql
            and next(failures, False)
        ):
            raise OperationalError("database is locked")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(flaky):
        report = services.dispatch_queue()
    assert report.accepted == len(live.taken) == 3


def test_database_that_fails_while_the_breaker_notes_is_asked_again(use_account):
    use_account(BACKEND="tests.services.dispatch.test_dispatcher.Broken")
    MessageFactory()
    failures = iter([True, True])

    def flaky(execute, sql, params, many, context):
        if '"failures" =' in sql.replace("`", '"') and next(failures, False):
            raise OperationalError("server closed the connection")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(flaky):
        assert services.dispatch_queue().uncertain == 1
    assert next(failures, None) is None
    assert AccountState.objects.get().failures == 1


def test_stale_claims_are_rescued_first(live):
    past = timezone.now() - timedelta(seconds=1)
    MessageFactory(sending=True, claimed_until=past)
    report = services.dispatch_queue()
    assert (report.expired_claims, report.sent) == (1, 0)
    assert live.taken == []


def test_dispatcher_is_seen(live):
    services.dispatch_queue()
    seen = AccountState.objects.get().dispatcher_seen_at
    assert timezone.now() - seen < timedelta(seconds=5)


def test_workers_never_touch_the_database(use_account):
    use_account(BACKEND="tests.services.dispatch.test_dispatcher.Watching")
    Watching.touched.clear()
    MessageFactory.create_batch(8)
    services.dispatch_queue(workers=4)
    assert Watching.touched == [False] * 8


class Watching(memory.MemoryGateway):
    """Say whether the worker's thread has opened a database connection."""

    touched: list[bool] = []

    def send(self, request, *, start_by=0.0):
        assert threading.current_thread() is not threading.main_thread()
        self.touched.append(connection.connection is not None)
        return super().send(request)


def test_default_lease_outlasts_an_exchange_twice():
    account = conf.Account(alias="x")
    assert account.lease >= 2 * (account.deadline + account.result_retry)


def workers_alive() -> bool:
    names = [thread.name for thread in threading.enumerate()]
    return any(name.startswith("negin-sms-worker") for name in names)


class TestWindingUp:
    """Whatever is raised, results are kept and what was not begun goes back."""

    @pytest.fixture
    def two_accounts(self, settings, use_account):
        use_account(BACKEND="tests.services.dispatch.test_dispatcher.SlowGateway")
        default = settings.NEGIN_SMS["default"]
        settings.NEGIN_SMS = {"default": default, "other": default}
        for account in ("default", "other"):
            for number in range(8):
                services.queue_sms(MOBILE, str(number), account=account)
        yield
        # A thread that is left to its request would send into the next test's outbox.
        wait_until(lambda: not workers_alive(), 10)

    def test_one_write_that_fails_costs_the_others_nothing(
        self, two_accounts, monkeypatch
    ):
        """R4: today the other account's results are lost, and it never ends."""
        failed: list[bool] = []
        take = producer.Producer.take

        def fail_once(self, results):
            done = take(self, results)
            if results and self.account.alias == "default" and not failed:
                failed.append(True)
                raise RuntimeError("the disk is full")
            return done

        monkeypatch.setattr(producer.Producer, "take", fail_once)
        started = time.monotonic()
        with pytest.raises(RuntimeError):
            services.dispatch_queue()
        assert time.monotonic() - started < 5
        statuses = set(Message.objects.values_list("status", flat=True))
        assert statuses <= {"accepted", "queued"}
        assert Message.objects.filter(status="accepted").count() == len(memory.outbox)

    @pytest.mark.parametrize("times", [1, 99])
    def test_progress_that_fails_costs_nothing(self, two_accounts, times):
        """Its terminal is gone: standard error is a pipe that nobody reads."""
        told: list[int] = []

        def fail(ended: int) -> None:
            told.append(ended)
            if len(told) <= times:
                raise BrokenPipeError

        with pytest.raises(BrokenPipeError):
            services.dispatch_queue(workers=3, progress=fail)
        statuses = set(Message.objects.values_list("status", flat=True))
        assert statuses == {"accepted", "queued"}
        assert Message.objects.filter(status="accepted").count() == len(memory.outbox)

    def test_waiting_that_fails_leaves_nothing_claimed(self, two_accounts, monkeypatch):
        def fail(*args):
            raise RuntimeError("can't collect")

        monkeypatch.setattr(Dispatcher, "_await_results", fail)
        with pytest.raises(RuntimeError):
            services.dispatch_queue(workers=1, progress=fail)
        assert Message.objects.filter(status="queued").exists()
        wait_until(lambda: not workers_alive(), 10)
        begun = Message.objects.exclude(status="queued")
        assert begun.count() == len(memory.outbox)

    def test_what_no_database_takes_back_can_be_queued_from_the_log(
        self, two_accounts, monkeypatch, caplog
    ):
        def fail(*args):
            raise RuntimeError("the database is away")

        def fail_once(self):
            monkeypatch.setattr(Dispatcher, "_collect", collect)
            raise RuntimeError("the database is away")

        collect = Dispatcher._collect
        monkeypatch.setattr(SlowGateway, "delay", 0.3)  # one is begun, one is not
        monkeypatch.setattr(Dispatcher, "_collect", fail_once)
        monkeypatch.setattr(producer.Producer, "unclaim", fail)
        with pytest.raises(RuntimeError):
            services.dispatch_queue(workers=1)
        sending = Message.objects.filter(status="sending")
        assert sending.exists()
        assert caplog.text.count("status=queued") == sending.count()
        report = services.repair_from_log(caplog.text.splitlines())
        assert (report.skipped, sending.count()) == ((), 0)
        begun = Message.objects.exclude(status="queued")
        assert begun.count() == len(memory.outbox)

    def test_gate_that_fails_leaves_nothing_claimed(self, two_accounts, monkeypatch):
        def fail(*args, **kwargs):
            raise RuntimeError("a rule of the gate failed")

        monkeypatch.setattr(gate, "let_out", fail)
        with pytest.raises(RuntimeError):
            services.dispatch_queue()
        rows = Message.objects.values_list("status", "attempts")
        assert set(rows) == {("queued", 0)}


class TestNoThreads:
    """Threads exist before rows are claimed (R2)."""

    def limit(self, monkeypatch, most):
        started: list[threading.Thread] = []
        start = threading.Thread.start

        def maybe(thread):
            if thread.name.startswith("negin-sms-worker"):
                started[:] = [each for each in started if each.is_alive()]
                if len(started) >= most:
                    raise RuntimeError("can't start new thread")
                started.append(thread)
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", maybe)

    def test_without_any_nothing_is_claimed(self, use_account, monkeypatch):
        use_account(BACKEND="negin_sms.gateway.memory.MemoryGateway")
        MessageFactory.create_batch(8)
        self.limit(monkeypatch, 0)
        with pytest.raises(RuntimeError, match="new thread"):
            services.dispatch_queue()
        assert set(Message.objects.values_list("status", "attempts")) == {("queued", 0)}

    def test_account_without_any_gets_those_of_one_that_is_through(
        self, settings, use_account, monkeypatch
    ):
        use_account(BACKEND="negin_sms.gateway.memory.MemoryGateway", WORKERS=4)
        default = settings.NEGIN_SMS["default"]
        settings.NEGIN_SMS = {"default": default, "other": default}
        for account in settings.NEGIN_SMS:
            MessageFactory.create_batch(9, account=account)
        self.limit(monkeypatch, 2)
        assert services.dispatch_queue().accepted == 18

    def test_gateway_takes_its_own_first(self, live, monkeypatch):
        """Workers would take the last, and none of them could send."""
        MessageFactory.create_batch(4)
        started: list[str] = []
        start = threading.Thread.start

        def note(thread):
            started.append(thread.name)
            start(thread)

        monkeypatch.setattr(client, "watchdog", Watchdog())
        monkeypatch.setattr(threading.Thread, "start", note)
        services.dispatch_queue()
        assert started[0] == "negin-sms-watchdog"

    def test_without_its_own_nothing_is_claimed(self, live, monkeypatch):
        def refuse(thread):
            raise RuntimeError("can't start new thread")

        MessageFactory()
        monkeypatch.setattr(client, "watchdog", Watchdog())
        monkeypatch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            services.dispatch_queue()
        assert set(Message.objects.values_list("status", "attempts")) == {("queued", 0)}

    def test_fewer_do_the_work(self, use_account, monkeypatch):
        use_account(BACKEND="negin_sms.gateway.memory.MemoryGateway", WORKERS=4)
        MessageFactory.create_batch(20)
        self.limit(monkeypatch, 2)
        assert services.dispatch_queue().accepted == 20
