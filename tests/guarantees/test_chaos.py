"""Processes that die, at random and at chosen points: no duplicate, no loss.

Run with ``--chaos``; the databases are SQLite and those of TEST_DATABASE_URLS.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from negin_sms.conf import Account
from negin_sms.gateway.client import NeginGateway
from negin_sms.gateway.wire import SendRequest
from tests.badgateway import BadGateway, wait_until
from tests.chaos import (
    PATIENCE,
    PATIENT,
    ROOT,
    Chaos,
    database_urls,
    fresh_database,
    reap,
)
from tests.chaos_worker import KILL_POINTS, MUTANTS
from tests.servers import MariaDB, PostgreSQL, Server, TehranMariaDB

pytestmark = pytest.mark.chaos

URLS = database_urls()
# The mutants are about the design: one database shows them, a real server best.
SERVER = URLS[1] if len(URLS) > 1 else URLS[0]


@pytest.fixture(autouse=True)
def _reaped() -> Iterator[None]:
    yield
    reap()


@pytest.fixture
def gateway() -> Iterator[BadGateway]:
    with BadGateway(latency=0.01) as running:
        yield running


def is_sqlite(database: str) -> bool:
    return database.startswith("sqlite")


@pytest.mark.chaos(seconds=25)
def test_random_kills(database, gateway, record_property):
    """T1: 2,000 messages, 15 kills."""
    chaos = Chaos(database, gateway)
    chaos.do("queue", count=2000)
    processes = 2 if is_sqlite(database) else 4
    chaos.storm(queued=2000, processes=processes, workers=4, kills=15)
    rows = chaos.settle()
    assert chaos.verdict(rows, queued=2000, uncertain_at_most=15 * 2 * 4) == []
    assert chaos.kills >= 12


@pytest.mark.chaos(seconds=20)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutants_are_caught(mutant, gateway, tmp_path):
    """T2: the same storm shows what each rule is for.

    Where the kills strike is chance: a storm that has missed is followed by another.
    """
    for _ in range(3):
        with fresh_database(SERVER, tmp_path) as url:
            # Without a journal, which heals what some of them break.
            chaos = Chaos(url, gateway, STATE_DIR="")
            chaos.do("queue", count=700)
            chaos.storm(queued=700, processes=3, workers=4, kills=6, mutant=mutant)
            rows = chaos.settle(mutant=mutant)
            limit = chaos.kills * 2 * 4
            if chaos.verdict(rows, queued=700, uncertain_at_most=limit):
                return
        gateway.journal.clear()
    pytest.fail("three storms have passed without the rule")


@pytest.mark.chaos(seconds=12)
def test_kill_points(database, gateway):
    """T3: dead at ten named points, three times each, the row says what is known."""
    chaos = Chaos(database, gateway)
    points = [point for point in KILL_POINTS for _ in range(3)]
    keys = chaos.do("queue", count=len(points))
    plan = dict(zip(keys, points, strict=True))
    ends = chaos.do("die_sending", plan=[(point, pk) for pk, point in plan.items()])
    assert set(ends) == {signal.SIGKILL}
    time.sleep(chaos.account["LEASE"] + 0.2)
    chaos.do("expire_claims")
    wrong = {
        plan[row["pk"]]: row["status"]
        for row in chaos.do("dump")
        if row["status"] != KILL_POINTS[plan[row["pk"]]][1]
    }
    assert wrong == {}
    chaos.do("dispatch")
    assert all(len(ids) == 1 for ids in chaos.sent().values())


@pytest.mark.chaos(seconds=20)
def test_contention_without_kills(database, gateway):
    """T7: eight processes on one queue."""
    gateway.latency = 0.0
    count = 1500 if is_sqlite(database) else 5000
    chaos = Chaos(database, gateway, **PATIENT)
    chaos.do("queue", count=count)
    chaos.storm(queued=count, processes=8, workers=4, kills=0)
    rows = chaos.do("dump")
    assert chaos.verdict(rows, queued=count, uncertain_at_most=0) == []


@pytest.mark.chaos(seconds=10)
def test_sigterm_under_load(database, gateway):
    """T10: what is in flight is finished, what is claimed goes back."""
    gateway.latency = 0.05
    chaos = Chaos(database, gateway)
    chaos.do("queue", count=2000)
    for _ in range(20 if len(URLS) == 1 else 7):
        before = len(gateway.journal)
        process = chaos.start("dispatch", forever=True, workers=4)
        gateway.wait_for(before + 3)
        time.sleep(random.uniform(0, 0.2))
        asked_at = time.monotonic()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
        assert time.monotonic() - asked_at < chaos.account["DEADLINE"] + 2
        assert (process.returncode, err) == (0, "")
        assert json.loads(out)["uncertain"] == 0
    rows = chaos.do("dump")
    statuses = {row["status"] for row in rows}
    assert statuses == {"accepted", "queued"}
    assert {row["attempts"] for row in rows if row["status"] == "queued"} == {0}
    assert all(len(ids) == 1 for ids in chaos.sent().values())


@pytest.mark.chaos(seconds=20)
def test_stopped_worker_heals_its_own_rows(database, gateway):
    """T11: SIGSTOP for twice the lease while the answer is on its way, then CONT."""
    gateway.latency = 1.5
    chaos = Chaos(database, gateway, READ_TIMEOUT=2, DEADLINE=2, RESULT_RETRY=0.5)
    keys = chaos.do("queue", count=10)
    processes: list[subprocess.Popen[str]] = []
    for pk in keys:
        # Stopped as soon as the gateway has all of its request.
        processes.append(chaos.start("send_row", pk=pk))
        wait_until(lambda: len(gateway.whole) == len(processes), PATIENCE)
        processes[-1].send_signal(signal.SIGSTOP)
    time.sleep(2 * chaos.account["LEASE"])
    assert chaos.do("expire_claims") == len(keys)
    assert {row["status"] for row in chaos.do("dump")} == {"uncertain"}
    chaos.do("dispatch")
    for process in processes:
        process.send_signal(signal.SIGCONT)
    for process in processes:
        process.communicate(timeout=PATIENCE)
    rows = chaos.do("dump")
    assert chaos.verdict(rows, queued=10, uncertain_at_most=10) == []
    assert len(gateway.journal) == 10
    assert {row["status"] for row in rows} == {"accepted"}


def test_clock_that_is_wrong_changes_nothing(database, gateway):
    """T11: leases, due times and expiry are on the database's clock."""
    chaos = Chaos(database, gateway, **PATIENT)
    skews = [-25, -1, 1, 25]
    for hours in skews:
        wrong = {"CHAOS_CLOCK_SKEW": str(hours * 3600)}
        report = chaos.do("queue_and_dispatch", env=wrong, count=20)
        assert (report["accepted"], report["expired"], report["stale"]) == (20, 0, 0)
    rows = chaos.do("dump")
    assert {row["status"] for row in rows} == {"accepted"}
    assert len(gateway.ids) == len(rows) == 20 * len(skews)


def test_idle_connections_that_are_dropped_leave_nothing_uncertain():
    """300 sends spaced around the idle limits of fifteen servers."""
    with ThreadPoolExecutor(15) as pool:
        sent = list(pool.map(send_around_the_limit, range(15)))
    assert sent == [20] * 15


def send_around_the_limit(number: int) -> int:
    """Send 20 times; return how many ids the server gave."""
    request = SendRequest(mobile="+989395213300", text="x", line="9830003300")
    with BadGateway(idle_limit=0.5) as server:
        keys: dict[str, Any] = {"username": "u", "password": "p"}
        account = Account(alias=f"number {number}", base_url=server.url, **keys)
        client = NeginGateway(account)
        client.send(request)
        # The first drop teaches the limit; what crosses it on the wire before that
        # cannot be helped.
        time.sleep(0.75)
        for _ in range(19):
            client.send(request)
            spread = random.choice([(0.0, 0.25), (0.495, 0.505)])
            time.sleep(random.uniform(*spread))
        client.close()
        return len(server.ids)


@pytest.fixture
def own_server(request) -> Iterator[Server]:
    kind: type[Server] = request.param
    if not kind.is_there():  # type: ignore[attr-defined]
        pytest.skip(f"no programs of {kind.__name__} here")
    server = kind()
    server.start()
    yield server
    server.stop()


@pytest.mark.chaos(seconds=20)
@pytest.mark.parametrize("own_server", [PostgreSQL, MariaDB], indirect=True)
def test_database_that_crashes(own_server, gateway, tmp_path):
    """T9: three crashes in 1,000 messages; no worker dies, so nothing is uncertain."""
    with fresh_database(own_server.url, tmp_path) as url:
        chaos = Chaos(url, gateway, **{**PATIENT, "RESULT_RETRY": 30, "LEASE": 90})
        chaos.do("queue", count=1000)
        dispatchers = [chaos.start("dispatch", workers=4) for _ in range(2)]
        # Both are at work: four connections each. One that finds no server ends.
        wait_until(lambda: gateway.connections > 4, PATIENCE)
        for crash in range(1, 4):
            gateway.wait_for(250 * crash)
            own_server.crash()
            time.sleep(random.uniform(0.2, 2))
            own_server.start()
        for process in dispatchers:
            err = process.communicate(timeout=PATIENCE)[1]
            assert process.returncode == 0, err
        chaos.do("dispatch")
        rows = chaos.do("dump")
        assert chaos.verdict(rows, queued=1000, uncertain_at_most=0) == []


@pytest.mark.chaos(seconds=20)
@pytest.mark.parametrize("own_server", [TehranMariaDB], indirect=True)
def test_server_on_tehran_time(own_server):
    """Leases, due times and expiry are right where CURRENT_TIMESTAMP is 3:30 off."""
    suites = [
        "test_querysets.py",
        "services/outbox/test_claims.py",
        "services/submission/test_queueing.py",
        "services/dispatch",
        "services/delivery",
    ]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-x", "--create-db"),
            *("-p", "no:randomly"),
            *(f"tests/{suite}" for suite in suites),
        ],
        cwd=ROOT,
        env={**os.environ, "TEST_DATABASE_URL": own_server.url.replace("/mysql", "/x")},
        capture_output=True,
        text=True,
        check=False,
        timeout=3 * PATIENCE,
    )
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.chaos(seconds=80)
def test_gateway_that_answers_html_all_night(tmp_path):
    """Twelve hours at 1:5000: a handful of uncertain rows, then the rest in order."""
    with fresh_database(SERVER, tmp_path) as url, BadGateway("html_200") as gateway:
        chaos = Chaos(url, gateway, **PATIENT)
        chaos.do("queue", count=10_000)
        process = chaos.start(
            "dispatch",
            env={"CHAOS_TIME_SCALE": "5000"},
            forever=True,
            workers=4,
            interval=0.01,
        )
        gateway.wait_for(1)
        time.sleep(12 * 3600 / 5000)
        gateway.latency = 0.02  # so that those who come at once are seen at once
        gateway.heal()
        wait_until(lambda: len(gateway.ids) > 50, PATIENCE)
        gateway.latency = 0.0
        gateway.wait_for(10_000, 3 * PATIENCE)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
        rows = chaos.do("dump")
    assert 10 < len(gateway.journal) - len(gateway.ids) < 100
    assert chaos.verdict(rows, queued=10_000, uncertain_at_most=99) == []
    # One at a time, two, four: an answer that was good may double them, no more.
    healthy = [entry for entry in gateway.journal if entry.gateway_id]
    assert [e for e in healthy if e.beside >= min(2**e.after, 4)] == []
    assert {e.beside for e in healthy} == {0, 1, 2, 3}


def test_harness_lives_in_tests_only():
    """No fault hook in the product."""
    for path in (ROOT / "negin_sms").rglob("*.py"):
        assert "CHAOS" not in path.read_text(encoding="utf-8"), path
