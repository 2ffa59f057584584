"""Clients that hang up on a site under uvicorn, and a site that is stopped."""

from __future__ import annotations

import functools
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from itertools import count

import pytest

from tests.badgateway import BadGateway
from tests.chaos import PATIENCE, Chaos, fresh_database, reap
from tests.servers import SmallPostgreSQL

pytest.importorskip("uvicorn")
pytestmark = pytest.mark.chaos(seconds=30)

_texts = count()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Site:
    """The process, and ways to talk to it."""

    def __init__(self, chaos: Chaos) -> None:
        self.port = free_port()
        self.process = chaos.spawn(
            *("uvicorn", "tests.async_site:application", "--port", str(self.port)),
            *("--log-level", "error"),
        )
        self.wait_until_it_answers()

    def wait_until_it_answers(self) -> None:
        give_up_at = time.monotonic() + PATIENCE
        while time.monotonic() < give_up_at and self.process.poll() is None:
            try:
                if self.get("/count")[0] == 200:
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(self.process.communicate(timeout=1))

    def get(self, path: str) -> tuple[int, str]:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request("GET", path)
            with connection.getresponse() as answer:
                return answer.status, answer.read().decode()

    def ask_and_hang_up(self, stay: Callable[[], object] | None = None) -> None:
        """Ask for a message; leave when ``stay`` has come back, or very soon."""
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            path = f"/send?text=m{next(_texts)}"
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            (stay or functools.partial(time.sleep, 0.05))()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@pytest.fixture
def gateway() -> Iterator[BadGateway]:
    with BadGateway(latency=0.5) as running:
        yield running


def connections(database: str) -> int:
    """Return how many of a PostgreSQL database's connections are open."""
    import psycopg

    server, _, name = database.rpartition("/")
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
    with psycopg.connect(f"{server}/postgres") as asking:
        row = asking.execute(query, [name]).fetchone()
    return int(row[0]) if row else 0


def settle(chaos: Chaos, messages: int) -> list[str]:
    """Wait until each message has its result; return the statuses."""
    give_up_at = time.monotonic() + 30
    while time.monotonic() < give_up_at:
        rows = [row["status"] for row in chaos.do("dump")]
        if len(rows) >= messages and "sending" not in rows:
            break
        time.sleep(0.5)
    return rows


def test_clients_that_hang_up_leave_no_connection_and_no_doubt(database, gateway):
    chaos = Chaos(database, gateway, READ_TIMEOUT=5, DEADLINE=8, LEASE=60)
    site = Site(chaos)
    hang_ups = 40
    for _client in range(hang_ups):
        site.ask_and_hang_up()
    statuses = settle(chaos, hang_ups // 2)
    # Some hang up before anything was saved of them.
    assert set(statuses) == {"accepted"}
    assert len(statuses) == len(gateway.ids) > hang_ups // 2
    if database.startswith("postgres"):
        # The site's own thread for the database has one.
        assert connections(database) <= 1
    assert site.get("/count") == (200, f'{{"messages": {len(statuses)}}}')
    site.stop()


@pytest.mark.chaos(seconds=40)
def test_a_hundred_who_hang_up_find_room_in_thirty_connections(gateway, tmp_path):
    """Each left one open once, and the thirty-first page was a 500."""
    if not SmallPostgreSQL.is_there():
        pytest.skip("no programs of PostgreSQL here")
    server = SmallPostgreSQL()
    try:
        server.start()
        with fresh_database(server.url, tmp_path) as database:
            hang_up_a_hundred_times(database, gateway)
    finally:
        reap()
        server.stop()


def hang_up_a_hundred_times(database: str, gateway: BadGateway) -> None:
    chaos = Chaos(database, gateway, READ_TIMEOUT=60, DEADLINE=90, LEASE=200)
    site = Site(chaos)
    assert site.get("/send?text=first")[0] == 200  # it has loaded what it needs
    gateway.latency = 4.0  # more wait for it at once than the database lets in
    for number in range(1, 101):
        site.ask_and_hang_up(functools.partial(gateway.wait_for, number + 1))
    assert site.get("/count") == (200, '{"messages": 101}')
    statuses = settle(chaos, 101)
    assert statuses == ["accepted"] * 101
    assert len(gateway.ids) == 101
    # The site's own thread for the database has one.
    assert connections(database) <= 1
    site.stop()


def test_site_that_is_stopped_writes_what_it_was_sending(database, gateway):
    chaos = Chaos(database, gateway, READ_TIMEOUT=5, DEADLINE=8, LEASE=60)
    site = Site(chaos)
    for _client in range(10):
        site.ask_and_hang_up()
    site.stop()
    statuses = [row["status"] for row in chaos.do("dump")]
    assert statuses.count("accepted") == len(gateway.ids) == len(statuses)
