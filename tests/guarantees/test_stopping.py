"""SIGTERM and a restart at once, in every fault that surrounds a process.

Two accounts share each process. However often it is started while the fault lasts, it
ends within DEADLINE and RESULT_RETRY, and the queue is what it was but for what the
gateway has. Run with ``--chaos``.
"""

from __future__ import annotations

import contextlib
import functools
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.badgateway import BadGateway, wait_until
from tests.chaos import PATIENCE, Chaos, fresh_database, reap
from tests.servers import PostgreSQL

pytestmark = pytest.mark.chaos(seconds=30)

LIVES = range(3)
QUEUED = 12  # in each account
ACCOUNT = {"READ_TIMEOUT": 2, "DEADLINE": 3, "RESULT_RETRY": 3, "LEASE": 60}
IN_TIME = 3 + 3 + 1.5  # s; a busy machine takes a moment to see that a process ended
# Of two accounts with four workers each: what a process has in hand when a breaker
# opens goes out, and five endings in a row open one that nothing opens at once.
IN_HAND = 2 * 2 * 4
BEFORE_THE_BREAKER = IN_HAND + 2 * 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong: at the gateway, in the database, or in the process."""

    gateway: dict[str, Any] = field(default_factory=dict)
    script: tuple[str, ...] = ()
    in_process: str = ""
    strike: Callable[[PostgreSQL], AbstractContextManager[None]] | None = None
    uncertain_at_most: int = 0


@contextlib.contextmanager
def read_only(server: PostgreSQL) -> Iterator[None]:
    server.execute(
        "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"
    )
    yield
    server.execute("ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()")


@contextlib.contextmanager
def gone(server: PostgreSQL) -> Iterator[None]:
    server.crash()
    yield
    server.start()


GATEWAY: dict[str, Fault] = {
    "no answer": Fault(script=("no_answer",), uncertain_at_most=BEFORE_THE_BREAKER),
    "slow": Fault(gateway={"latency": 1.5}),
    "answers HTML": Fault(script=("html_200",), uncertain_at_most=BEFORE_THE_BREAKER),
    "refuses connections": Fault(script=("refused",)),
    "swallows connections": Fault(script=("connect_hang",)),
    "another certificate": Fault(
        gateway={"scheme": "https", "certificate": "self_signed"}
    ),
    "redirects": Fault(script=("redirect_302",), uncertain_at_most=IN_HAND),
}
DATABASE: dict[str, Fault] = {
    "read-only": Fault(strike=read_only, gateway={"latency": 1}),
    "gone": Fault(strike=gone, gateway={"latency": 1}),
}
PROCESS: dict[str, Fault] = {
    "a result's write raises": Fault(in_process="write_raises"),
    "no thread": Fault(in_process="no_thread"),
    "one thread": Fault(in_process="one_thread"),
    "three threads": Fault(in_process="three_threads"),
    "the name look-up hangs": Fault(in_process="gateway_hangs"),
}
FAULTS = GATEWAY | DATABASE | PROCESS
OF_POLLERS = {name: FAULTS[name] for name in ("no answer", "read-only", "one thread")}


@pytest.fixture
def database(request, tmp_path: Path) -> Iterator[tuple[str, PostgreSQL | None]]:
    """Name a database; where it is what goes wrong, one on a server of its own."""
    if FAULTS[request.getfixturevalue("fault")].strike is None:
        with fresh_database("sqlite", tmp_path) as url:
            yield url, None
            reap()
        return
    if not PostgreSQL.is_there():
        pytest.skip("no programs of PostgreSQL here")
    server = PostgreSQL()
    try:
        server.start()
        yield server.url, server
    finally:
        reap()
        server.stop()


def strikes_of(
    fault: Fault, server: PostgreSQL | None, stack: contextlib.ExitStack
) -> list[Callable[[], object]]:
    """Return what begins the fault, once; the stack ends it."""
    if fault.strike is None or server is None:
        return []
    return [functools.partial(stack.enter_context, fault.strike(server))]


def live(
    chaos: Chaos,
    fault: Fault,
    command: str,
    strike: Callable[[], object] | None = None,
) -> float:
    """Start a process, let it meet the fault, stop it; return how long that took."""
    seen = len(chaos.gateway.journal)
    env = {"CHAOS_FAULT": fault.in_process}
    process = chaos.start(command, forever=True, workers=4, env=env)
    give_up_at = time.monotonic() + 5
    while process.poll() is None and time.monotonic() < give_up_at:
        if len(chaos.gateway.journal) > seen:
            break
        time.sleep(0.02)
    if strike:
        strike()
    told_at = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    return time.monotonic() - told_at


@pytest.mark.parametrize("fault", FAULTS)
def test_dispatcher_ends_in_time_and_burns_nothing(fault, database):
    url, server = database
    what = FAULTS[fault]
    with (
        BadGateway(*what.script, **what.gateway) as gateway,
        contextlib.ExitStack() as stack,
    ):
        chaos = Chaos(url, gateway, env={"CHAOS_ALSO": "other"}, **ACCOUNT)
        chaos.do("queue_for_all", count=QUEUED)
        # While requests are in flight, whose results then cannot be written.
        strikes = strikes_of(what, server, stack)
        took = [
            live(chaos, what, "dispatch", strikes.pop() if strikes else None)
            for _ in LIVES
        ]
        assert max(took) < IN_TIME, took
        begun = {one.form["message"] for one in gateway.whole}
        sent = Counter(list(chaos.sent()))
    with BadGateway() as healed:
        healed._given = 1000  # its ids are others
        chaos.gateway = healed
        rows = chaos.do("heal")
    sent.update(list(chaos.sent()))
    statuses = Counter(row["status"] for row in rows)
    doubted = {row["text"] for row in rows if row["status"] == "uncertain"}
    assert statuses.keys() <= {"accepted", "uncertain"}, statuses
    assert len(doubted) <= what.uncertain_at_most, statuses
    assert doubted <= begun - sent.keys()
    assert set(sent.values()) == {1}
    assert len(sent) == statuses["accepted"]


@pytest.mark.parametrize("fault", OF_POLLERS)
def test_poller_ends_in_time_and_everything_stays_due(fault, database):
    url, server = database
    what = FAULTS[fault]
    with (
        BadGateway(*what.script, **what.gateway) as gateway,
        contextlib.ExitStack() as stack,
    ):
        chaos = Chaos(url, gateway, env={"CHAOS_ALSO": "other"}, **ACCOUNT)
        for alias in ("default", "other"):
            chaos.do("accept", count=3, account=alias)
        strikes = strikes_of(what, server, stack)
        took = [
            live(chaos, what, "poll", strikes.pop() if strikes else None) for _ in LIVES
        ]
        assert max(took) < IN_TIME, took
    with BadGateway() as healed:
        chaos.gateway = healed
        # Who was stopped while its database was away has its turn for a while.
        wait_until(
            lambda: {row["state"] for row in chaos.do("heal_states")} == {1}, PATIENCE
        )
