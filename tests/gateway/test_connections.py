"""Connections that note how far they got, and how long they may idle."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from typing import Any

import pytest

from negin_sms.gateway import connections
from negin_sms.gateway.connections import KeepAlive
from negin_sms.gateway.exchange import Exchange, TooLate
from tests.badgateway import HOST, BadGateway, wait_until


class Poster:
    """One pool, as requests' adapter would have it, without requests."""

    def __init__(self, keep_alive: KeepAlive) -> None:
        self.keep_alive = keep_alive
        self.exchange = Exchange(deadline=math.inf, start_by=math.inf)
        self.pool: Any = None

    def post(self, server: BadGateway, start_by: float = math.inf) -> Any:
        """Post once and read the answer; ``exchange`` tells of it afterwards."""
        if self.pool is None:
            self.pool = connections.POOL_CLASSES["http"](HOST, server.port)
        self.exchange = Exchange(deadline=math.inf, start_by=start_by)
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


@pytest.fixture
def server() -> Iterator[BadGateway]:
    with BadGateway() as running:
        yield running


class TestKeepAlive:
    def test_allows_up_to_its_limit(self):
        keep_alive = KeepAlive(5)
        assert keep_alive.allows(4.9)
        assert not keep_alive.allows(5)

    def test_zero_is_off(self):
        assert not KeepAlive(0).is_on
        assert not KeepAlive(0).allows(0)

    def test_learns_to_stay_well_below_what_the_server_allows(self):
        keep_alive = KeepAlive(5)
        keep_alive.note_closed_after(0.2)
        assert keep_alive.is_on
        assert keep_alive.allows(0.09)
        assert not keep_alive.allows(0.1)

    @pytest.mark.parametrize(
        ("header", "limit"),
        [("timeout=4, max=100", 2.0), ("Timeout = 60", 5.0), ("max=5", 5.0), ("", 5.0)],
    )
    def test_takes_the_server_at_its_word(self, header: str, limit: float):
        keep_alive = KeepAlive(5.0)
        keep_alive.note_promise(header)
        assert keep_alive.allows(limit - 0.1)
        assert not keep_alive.allows(limit)

    def test_never_unlearns(self):
        keep_alive = KeepAlive(5)
        keep_alive.note_closed_after(0.2)
        keep_alive.note_closed_after(4)
        assert not keep_alive.allows(0.1)

    def test_suspension_ends(self, monkeypatch):
        monkeypatch.setattr(KeepAlive, "SUSPENSION", 0.05)
        keep_alive = KeepAlive(5)
        keep_alive.suspend()
        assert not keep_alive.is_on
        assert not keep_alive.allows(0)
        time.sleep(0.06)
        assert keep_alive.allows(0)

    def test_suspension_is_ten_minutes(self):
        assert KeepAlive.SUSPENSION == 600


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
