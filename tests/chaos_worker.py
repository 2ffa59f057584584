"""A process of the chaos tests: does one thing to the database, and may be killed.

``python -m tests.chaos_worker COMMAND [JSON]``. What is to go wrong is patched in
from here (CHAOS_MUTANT, KILL_POINTS), so the product holds no hook for it.
"""
# mypy: disable-error-code="attr-defined, assignment, return-value, method-assign"

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

import django

from tests.faults import FAULTS


def migrate() -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def queue(count: int, *, text: str = "message", **fields: Any) -> list[int]:
    from negin_sms import services

    wishes = [{"mobile": "09395213300", "text": f"{text} {i}"} for i in range(count)]
    rows = services.queue_many(wishes, **fields)
    from negin_sms.models import Message

    return list(Message.objects.order_by("pk").values_list("pk", flat=True))[
        -len(rows) :
    ]


def queue_for_all(count: int) -> None:
    """Queue so many for each account, with its alias in their texts."""
    from negin_sms import conf

    for account in conf.get_accounts():
        queue(count, text=account.alias, account=account.alias)


def queue_each(count: int, start: int = 0) -> None:
    """Queue each message in a transaction of its own, which wakes the workers."""
    from django.db import transaction

    from negin_sms import services

    for number in range(start, start + count):
        with transaction.atomic():
            services.queue_sms("09395213300", f"message {number}")


def wake() -> None:
    """Do as a schedule does: wake the workers, queued or not."""
    from django.utils.module_loading import import_string

    from negin_sms import conf

    import_string(str(conf.get_account().waker))(None)


def dispatch(**options: Any) -> dict[str, Any]:
    import dataclasses

    from negin_sms import services

    with services.stop_on_signals() as stop:
        report = services.dispatch_queue(stop=stop, **options)
    return dataclasses.asdict(report)


def dispatch_with_few_threads(threads: int, times: int, user: int, folder: str) -> None:
    """Dispatch so often, each time as an ordinary user who may have so many threads.

    One message is sent first, as who we are: Python may be closed to that user, and
    has loaded by then what it needs.
    """
    from django.db import connections

    dispatch(limit=1)
    connections.close_all()
    for path in (folder, *(entry.path for entry in os.scandir(folder))):
        os.chown(path, user, user)
    for _ in range(times):
        child = os.fork()
        if not child:
            _become(user, threads)
            with contextlib.suppress(RuntimeError):
                dispatch()
            os._exit(0)
        os.waitpid(child, 0)


def _become(user: int, threads: int) -> None:
    import resource

    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    most = 1 + threads  # the process counts
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def findings() -> list[dict[str, Any]]:
    from negin_sms import services

    return [finding.as_dict() for finding in services.health()]


def heal() -> list[dict[str, Any]]:
    """Do as a person does once the cause is gone: resume, and send the rest."""
    from negin_sms import conf, services

    for account in conf.get_accounts():
        services.resume_account(account.alias)
    dispatch()
    return dump()


def heal_states() -> list[dict[str, Any]]:
    """Do the same for the poller."""
    from negin_sms import conf, services

    for account in conf.get_accounts():
        services.resume_account(account.alias)
    poll()
    return dump_states()


def send_row(pk: int) -> None:
    from negin_sms import services
    from negin_sms.models import Message

    services.send_messages([Message.objects.get(pk=pk)])


def die_sending(plan: list[tuple[str, int]]) -> list[int]:
    """Send each message in a fork that dies at its point; return the signals.

    Forks, since a process that has imported Django is there at once.
    """
    import negin_sms.gateway.client  # noqa: F401 - once, and not in each of them

    ends = []
    for point, pk in plan:
        child = os.fork()
        if not child:
            with contextlib.contextmanager(KILL_POINTS[point][0])():
                send_row(pk)
            os._exit(0)
        ends.append(os.WTERMSIG(os.waitpid(child, 0)[1]))
    return ends


def queue_and_dispatch(count: int) -> dict[str, Any]:
    """Do all of the main job by one clock."""
    queue(count)
    return {**dispatch(), "stale": expire_claims()}


def expire_claims() -> int:
    from negin_sms import services

    return services.expire_claims()


def dump() -> list[dict[str, Any]]:
    from negin_sms.models import Message

    columns = ("pk", "text", "status", "gateway_id", "attempts", "claim", "detail")
    return list(Message.objects.order_by("pk").values(*columns))


def accept(count: int, account: str = "default") -> list[str]:
    """Put accepted messages into the table that are due for a poll; return ids."""
    from datetime import timedelta

    from django.utils import timezone

    from negin_sms.models import Message

    now = timezone.now()
    names = "created_at", "due_at", "begins_at", "finished_at", "poll_at"
    times = dict.fromkeys(names, now)
    times["expires_at"] = now + timedelta(days=1)
    wish = {"mobile": "+989395213300", "text": "x", "line": "9830003300"}
    ids = [str(800_000_000 + number) for number in range(count)]
    Message.objects.bulk_create(
        (
            Message(**wish, **times, account=account, status="accepted", gateway_id=one)
            for one in ids
        ),
        batch_size=1000,
    )
    return ids


def poll(**options: Any) -> dict[str, int]:
    from negin_sms import services

    with services.stop_on_signals() as stop:
        report = services.poll_states(stop=stop, **options)
    return {
        name: getattr(report, name)
        for name in ("asked", "settled", "put_off", "requests")
    }


def hammer(threads: int, requests: int) -> dict[str, int]:
    """Ask for one number from many threads at once; return how the calls ended."""
    from collections import Counter
    from concurrent.futures import ThreadPoolExecutor

    from negin_sms import services
    from negin_sms.exceptions import NeginSmsError

    def ask(number: int) -> str:
        try:
            return services.send_sms("09395213300", str(number)).status
        except NeginSmsError as error:
            return type(error).__name__

    with ThreadPoolExecutor(threads) as pool:
        return Counter(pool.map(ask, range(requests)))


def dump_states() -> list[dict[str, Any]]:
    """Return each message's state, and every report that was kept of it."""
    from negin_sms.models import DeliveryState, Message

    history: dict[int, list[int]] = {}
    for pk, code in DeliveryState.objects.order_by("id").values_list(
        "message_id", "code"
    ):
        history.setdefault(pk, []).append(code)
    columns = ("pk", "gateway_id", "state", "settled_at", "flag", "detail")
    rows = Message.objects.order_by("pk").values(*columns)
    return [{**row, "history": history.get(row["pk"], [])} for row in rows]


COMMANDS = {
    f.__name__: f
    for f in (
        *(
            migrate,
            queue,
            queue_for_all,
            queue_each,
            wake,
            dispatch,
            queue_and_dispatch,
        ),
        *(dispatch_with_few_threads, findings, heal, heal_states),
        *(send_row, die_sending, expire_claims, dump),
        *(accept, poll, dump_states, hammer),
    )
}


# --- mutants: the design without one of its rules ---------------------------------


def no_commit_before_post() -> None:
    """Claim, send and mark in one transaction, as queued mail apps do."""
    from django.db import connection

    from negin_sms.services.dispatch import dispatcher, exchange, producer
    from negin_sms.services.outbox import results
    from negin_sms.services.outbox.engines import orm, sql

    orm.committed = lambda using: contextlib.nullcontext()
    sql.refuse_transaction = lambda using: None
    dispatcher.refuse_transaction = lambda using: None
    take, record = producer.Producer._take_on, results.record

    def take_without_commit(self: Any, *args: Any) -> int:
        if connection.get_autocommit():  # SQLite begins only when it is told to
            connection.set_autocommit(False, True)
        return take(self, *args)

    def record_and_commit(results_: Any, *, using: str) -> int:
        unwritten = record(results_, using=using)
        connection.commit()
        connection.set_autocommit(True)
        return unwritten

    producer.Producer._take_on = take_without_commit
    exchange.results.record = record_and_commit


def no_compare_and_set() -> None:
    """Read the queued rows and mark them, without lock and without condition."""
    from negin_sms.models import Message
    from negin_sms.querysets import from_now
    from negin_sms.services.outbox.engines import orm, sql

    def claim_due(
        self: Any, account: Any, claim: str, limit: int, *, lease: float, **how: Any
    ) -> Any:
        rows = Message.objects.due().order_by("priority", "due_at", "id")
        found = list(rows[:limit])
        Message.objects.filter(pk__in=[m.pk for m in found]).update(
            status="sending", claim=claim, claimed_until=from_now(lease)
        )
        for message in found:
            message.status, message.claim = "sending", claim
        return found

    orm.OrmEngine.claim_due = sql.SqlEngine.claim_due = claim_due


def lease_back_to_queued() -> None:
    """Take a dead worker's messages for not sent, as most job queues do."""
    from negin_sms import services
    from negin_sms.models import Message
    from negin_sms.services.outbox import claims

    def queue_again() -> int:
        stale = Message.objects.stale()
        return stale.update(status="queued", claim="", claimed_until=None)

    # Both names: a storm may be over before a dispatcher expires claims itself.
    claims.expire_claims = services.expire_claims = queue_again


def results_at_the_end() -> None:
    """Keep the results of the whole run, and write them when it is over."""
    from negin_sms.services.dispatch import dispatcher, producer

    kept: list[Any] = []
    take, wind_up = producer.Producer.take, dispatcher.Dispatcher._wind_up

    def keep(self: Any, results_: Any) -> int:
        for result in results_:
            self.in_flight.pop(result.job.pk, None)
            kept.append((self, result))
        return 0

    def write_and_wind_up(self: Any) -> None:
        for producer_, result in kept:
            take(producer_, [result])
        wind_up(self)

    producer.Producer.take = keep
    dispatcher.Dispatcher._wind_up = write_and_wind_up


MUTANTS = {
    f.__name__: f
    for f in (
        no_commit_before_post,
        no_compare_and_set,
        lease_back_to_queued,
        results_at_the_end,
    )
}


# --- kill points: die exactly there -----------------------------------------------


def die(*args: Any, **kwargs: Any) -> Any:
    os.kill(os.getpid(), 9)


def kill_in_claim() -> Iterator[None]:
    return _die_in_transaction_with(r"\bSET\b.*\battempts\b")


def kill_after_claim() -> Iterator[None]:
    from negin_sms.services.outbox import gate

    gate.let_out = die
    yield


def kill_after_connect() -> Iterator[None]:
    from negin_sms.gateway.deadline import Exchange

    Exchange.start_writing = die
    yield


def _kill_while_sending(share: float) -> Iterator[None]:
    from urllib3.connection import HTTPConnection

    from negin_sms.gateway.connections import _current, _Noting

    def send(self: Any, data: bytes) -> None:
        _current.exchange.start_writing()
        # The headers go whole; of the body, as much as is asked for.
        is_body = b"POST" not in data[:8]
        part = data[: int(len(data) * share)] if is_body else data
        HTTPConnection.send(self, part)
        if is_body:
            die()

    _Noting.send = send
    yield


def kill_in_body() -> Iterator[None]:
    return _kill_while_sending(0.5)


def kill_after_body() -> Iterator[None]:
    return _kill_while_sending(1.0)


def kill_after_headers() -> Iterator[None]:
    from negin_sms.gateway import client

    client._read_body = die
    yield


def kill_after_answer() -> Iterator[None]:
    from negin_sms.gateway import wire

    wire.decode_send = die
    yield


def kill_before_write() -> Iterator[None]:
    from negin_sms.services.outbox import results

    results._write_acceptances = die
    yield


def kill_in_commit() -> Iterator[None]:
    return _die_in_transaction_with(r"\bSET\b.*\bused_line\b")


def kill_after_commit() -> Iterator[None]:
    from negin_sms.services.outbox import results

    results._warn_of_codes = die
    yield


def _die_in_transaction_with(pattern: str) -> Iterator[None]:
    """Die when a statement has been carried out and is not committed yet."""
    from django.db import connection

    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not re.search(pattern, sql):
            return execute(sql, params, many, context)
        if not connection.in_atomic_block:  # it would commit by itself
            execute("BEGIN", None, False, context)
        execute(sql, params, many, context)
        return die()

    with connection.execute_wrapper(wrapper):
        yield


# Where a worker dies, and what its message is once the lease has run out.
KILL_POINTS: dict[str, tuple[Any, str]] = {
    "in_claim": (kill_in_claim, "queued"),
    "after_claim": (kill_after_claim, "queued"),
    "after_connect": (kill_after_connect, "queued"),
    "in_body": (kill_in_body, "uncertain"),
    "after_body": (kill_after_body, "uncertain"),
    "after_headers": (kill_after_headers, "uncertain"),
    "after_answer": (kill_after_answer, "uncertain"),
    "before_write": (kill_before_write, "accepted"),
    "in_commit": (kill_in_commit, "accepted"),
    "after_commit": (kill_after_commit, "accepted"),
}


def skew_clock(seconds: float) -> None:
    """Make this process believe in another time than the database's."""
    import datetime
    import time

    from django.utils import timezone

    true_time, true_now = time.time, timezone.now
    time.time = lambda: true_time() + seconds
    timezone.now = lambda: true_now() + datetime.timedelta(seconds=seconds)


def scale_time(factor: float) -> None:
    """Let pauses and waits pass so many times faster."""
    from negin_sms import retries
    from negin_sms.services import breaker
    from negin_sms.services.dispatch import dispatcher

    retries._OUTAGE_PAUSE = tuple(s / factor for s in retries._OUTAGE_PAUSE)
    breaker._MARGIN /= factor
    dispatcher._PATIENCE /= 10


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.chaos_settings"
    django.setup()
    if mutant := os.environ.get("CHAOS_MUTANT"):
        MUTANTS[mutant]()
    if fault := os.environ.get("CHAOS_FAULT"):
        FAULTS[fault]()
    if skew := os.environ.get("CHAOS_CLOCK_SKEW"):
        skew_clock(float(skew))
    if scale := os.environ.get("CHAOS_TIME_SCALE"):
        scale_time(float(scale))
    if "CHAOS_BROKER" in os.environ:
        import tests.celery_app  # noqa: F401
    arguments = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    result = COMMANDS[sys.argv[1]](**arguments)
    sys.stdout.write(json.dumps(result, default=str))


if __name__ == "__main__":
    main()
