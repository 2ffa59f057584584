"""Connections that note how far they got, and how long they may idle."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from negin_sms.conf import Account
from negin_sms.exceptions import NotSent
from negin_sms.gateway import connections
from negin_sms.gateway.client import NeginGateway
from negin_sms.gateway.deadline import Exchange, TooLate
from negin_sms.gateway.keep_alive import KeepAlive
from negin_sms.gateway.tls import trust_of
from tests.badgateway import HOST, BadGateway, wait_until


class Poster:
    """One pool, as requests' adapter would have it, without requests."""

    def __init__(self, keep_alive: KeepAlive) -> None:
        self.keep_alive = keep_alive
        self.exchange = Exchange(deadline=math.inf, start_by=math.inf, connect_within=5)
        self.pool: Any = None

    def post(self, server: BadGateway, start_by: float = math.inf) -> Any:
        """Post once and read the answer; ``exchange`` tells of it afterwards."""
        if self.pool is None:
            pool = connections.POOL_CLASSES["http"]
            self.pool = pool(HOST, server.port, timeout=5)
        self.exchange = Exchange(deadline=math.inf, start_by=start_by, connect_within=5)
        connections.begin(self.exchange, self.keep_alive)
        try:
            return self.pool.urlopen(
                "POST", "/api/wsSend.ashx", body=b"mobile=98912", retries=False
            )
        finally:
            self.exchange.close()
            connections.end()


@pytest.fixture
def poster() -> Iterator[Poster]:
    made = Poster(KeepAlive(5))
    yield made
    if made.pool is not None:
        made.pool.close()


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))


@pytest.fixture
def server() -> Iterator[BadGateway]:
    with BadGateway() as running:
        yield running


class TestNotes:
    def test_of_a_new_connection(self, poster: Poster, server: BadGateway):
        poster.post(server)
        noted = poster.exchange
        assert noted.attached
        assert noted.connected
        assert noted.wrote
        assert noted.answered
        assert not noted.reused

    def test_of_a_reused_connection(self, poster: Poster, server: BadGateway):
        poster.post(server)
        poster.post(server)
        assert poster.exchange.reused
        assert poster.exchange.connected
        assert server.connections == 1

    def test_of_a_request_that_came_too_late(self, poster: Poster, server: BadGateway):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - urllib3 wraps it
            poster.post(server, start_by=time.monotonic() - 1)
        assert isinstance(caught.value.args[1], TooLate)
        assert poster.exchange.connected
        assert not poster.exchange.wrote

    def test_of_a_connection_that_died_without_an_answer(self, poster: Poster):
        with BadGateway("good", "close_after_body") as server:
            poster.post(server)
            with pytest.raises(Exception, match="aborted"):
                poster.post(server)
        assert poster.exchange.reused
        assert not poster.exchange.answered

    def test_of_nobody_there(self, poster: Poster):
        with BadGateway("refused") as server, pytest.raises(Exception, match="refused"):
            poster.post(server)
        assert not poster.exchange.attached
        assert not poster.exchange.connected
        assert not poster.exchange.wrote


class TestReuse:
    def test_only_up_to_the_limit(self, poster: Poster, server: BadGateway):
        poster.keep_alive = KeepAlive(0.3)
        for wait in (0, 0, 0.35, 0):
            time.sleep(wait)
            poster.post(server)
        assert [entry.connection for entry in server.journal] == [1, 1, 2, 2]

    def test_own_limit_is_not_taken_for_the_servers(
        self, poster: Poster, server: BadGateway
    ):
        poster.keep_alive = KeepAlive(0.1)
        poster.post(server)
        time.sleep(0.15)
        poster.post(server)
        assert poster.keep_alive.allows(0.09)

    def test_closed_connection_teaches_the_servers_limit(self, poster: Poster):
        with BadGateway(idle_limit=0.05) as server:
            poster.post(server)
            time.sleep(0.1)
            poster.post(server)
            assert server.connections == 2
        assert not poster.exchange.reused
        assert poster.keep_alive.is_on
        assert poster.keep_alive.allows(0.04)
        assert not poster.keep_alive.allows(2)

    @pytest.mark.parametrize("mode", ["status_500", "status_204", "early_hints"])
    def test_not_after_anything_but_a_plain_answer(self, poster: Poster, mode: str):
        with BadGateway(mode, "good") as server:
            poster.post(server)
            poster.post(server)
            assert [entry.connection for entry in server.journal] == [1, 2]

    def test_watchdog_has_no_hand_on_an_idle_connection(
        self, poster: Poster, server: BadGateway
    ):
        # Between an answer's last byte and its release another thread may have
        # taken the connection; the first one's deadline is not for it.
        poster.post(server)
        ended = poster.exchange
        connections.begin(ended, poster.keep_alive)
        conn = poster.pool._get_conn()
        poster.pool._put_conn(conn)
        ended.expire()
        connections.end()
        poster.post(server)
        assert server.connections == 1


class TestHandle:
    """The watchdog's hand on a connection: made once, closed with it."""

    def test_one_for_all_exchanges(self, poster: Poster, server: BadGateway):
        poster.post(server)
        before = descriptors()
        for _ in range(3):
            poster.post(server)
        assert descriptors() <= before  # those of earlier tests may go meanwhile
        assert server.connections == 1

    @pytest.mark.parametrize("mode", ["good", "close_after_body", "status_500"])
    def test_none_is_left_over(self, poster: Poster, mode: str):
        before = descriptors()
        with BadGateway(mode, mode) as server:
            for _ in range(2):
                with contextlib.suppress(urllib3.exceptions.HTTPError):
                    poster.post(server)
            poster.pool.close()
        wait_until(lambda: descriptors() <= before)

    def test_reaches_a_connection_that_is_used_again(self, poster: Poster):
        with BadGateway("good", "no_answer") as server:
            poster.post(server)
            hand = threading.Timer(0.2, lambda: poster.exchange.expire())
            hand.start()
            started = time.monotonic()
            with pytest.raises(Exception, match="aborted"):
                poster.post(server)
            hand.join()
        assert poster.exchange.reused
        assert time.monotonic() - started < 2


class TestSilence:
    def test_debuglevel_of_the_class_above_prints_nothing(
        self, poster: Poster, server: BadGateway, monkeypatch, capsys
    ):
        monkeypatch.setattr("http.client.HTTPConnection.debuglevel", 1)
        poster.post(server)
        assert capsys.readouterr().out == ""

    def test_unreadable_headers_are_not_logged(self, poster: Poster, caplog):
        caplog.set_level(logging.DEBUG)
        with BadGateway("echo_in_headers") as server:
            response = poster.post(server)
            wait_until(lambda: len(server.journal) == 1)
        assert response.status == 500
        assert "POST /api/wsSend.ashx" in caplog.text
        assert "98912" not in caplog.text


@pytest.fixture
def swallowing(monkeypatch) -> Iterator[int]:
    """Give the port of a name with eight addresses whose hosts swallow SYNs."""
    port = 0
    with contextlib.ExitStack() as stack:
        for host in [f"127.0.0.{n}" for n in range(1, 9)]:
            listening = stack.enter_context(socket.socket())
            listening.bind((host, port))
            port = listening.getsockname()[1]
            listening.listen(0)
            for _ in range(4):  # until its backlog is full
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex((host, port))
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{n}", port))
            for n in range(1, 9)
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args: found)
        yield port


class TestOpenSocket:
    def test_deadline_holds_for_all_addresses_together(self, swallowing: int):
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            connections.open_socket(
                "many.test", swallowing, timeout=0.3, deadline=started + 0.7
            )
        assert 0.6 < time.monotonic() - started < 2

    def test_deadline_of_the_account_holds(self, swallowing: int):
        account = Account(
            alias="default",
            base_url=f"http://many.localhost:{swallowing}/api",
            connect_timeout=0.4,
            deadline=1.0,
        )
        started = time.monotonic()
        with pytest.raises(NotSent, match="cannot be reached"):
            NeginGateway(account).states(["5001"])
        assert time.monotonic() - started < 2.5

    def test_next_address_is_tried_within_it(self, monkeypatch, server: BadGateway):
        with socket.socket() as closed:
            closed.bind((HOST, 0))
            ports = [closed.getsockname()[1], server.port]
            found = [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (HOST, port))
                for port in ports
            ]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *args: found)
            deadline = time.monotonic() + 5
            with connections.open_socket(
                "two.test", 80, timeout=2, deadline=deadline
            ) as sock:
                assert sock.getpeername() == (HOST, server.port)
                assert sock.gettimeout() == 2

    def test_nobody_at_any_address_is_told_in_the_systems_words(self):
        with socket.socket() as closed:
            closed.bind((HOST, 0))
            port = closed.getsockname()[1]
            with pytest.raises(ConnectionRefusedError):
                connections.open_socket(HOST, port, timeout=2, deadline=math.inf)


class TestTLSSocket:
    def test_reset_before_the_handshake_leaves_nothing_open(self):
        context = trust_of(Account(alias="default", ca_file=None))
        with socket.create_server((HOST, 0)) as listening:
            sock = socket.create_connection(listening.getsockname())
            accepted, _address = listening.accept()
            # Without lingering, a close is a reset.
            accepted.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            accepted.close()
            before = descriptors()
            with pytest.raises(ConnectionError) as caught:
                context.wrap_socket(sock, server_hostname="gateway.test")
            # The exception, still here, holds what was not closed.
            assert caught.value.__traceback__ is not None
            assert descriptors() == before - 1
