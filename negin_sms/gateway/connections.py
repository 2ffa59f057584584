"""urllib3 connections that note connect and send on the exchange under way.

The exchange travels in a thread-local, since urllib3 makes and picks connections
itself. A kept connection is used again only while it is younger than the
account's KEEP_ALIVE and the limit that the server has shown it keeps to.
"""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from .exchange import Exchange

_current = threading.local()
_PROMISE = re.compile(r"\btimeout\s*=\s*([0-9]{1,6})\b", re.I)


class KeepAlive:
    """How long an idle connection of one gateway may be used again, in seconds.

    A connection that died under a request leaves an uncertain message behind, so
    reuse stops for a while after one. A server that says or shows that it closes
    after t idle seconds is not tried again beyond half of t: closing and sending
    may cross on the wire.
    """

    SUSPENSION = 600.0

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._suspended_until = 0.0

    @property
    def is_on(self) -> bool:
        """Return whether connections are kept at all."""
        return self._limit > 0 and time.monotonic() >= self._suspended_until

    def allows(self, idle: float) -> bool:
        """Return whether a connection that idled so long may be used again."""
        return self.is_on and idle < self._limit

    def note_closed_after(self, idle: float) -> None:
        """Learn that the server had closed a connection by then."""
        self._limit = min(self._limit, idle / 2)

    def note_promise(self, header: str) -> None:
        """Learn from a server's own word: ``Keep-Alive: timeout=5``."""
        promise = _PROMISE.search(header)
        if promise:
            self._limit = min(self._limit, int(promise[1]) / 2)

    def suspend(self) -> None:
        """Open one connection a request for the next ten minutes."""
        self._suspended_until = time.monotonic() + self.SUSPENSION


def begin(exchange: Exchange, keep_alive: KeepAlive) -> None:
    """Make an exchange the one this thread's connections report to."""
    _current.exchange, _current.keep_alive = exchange, keep_alive


def end() -> None:
    """Forget the thread's exchange."""
    _current.exchange = _current.keep_alive = None


class _Response(http.client.HTTPResponse):
    def begin(self) -> None:
        super().begin()
        # urllib3 logs header lines that cannot be read, and what a gateway echoes
        # there may be the form.
        self.headers.defects.clear()
        self.headers.set_payload("")


class _Noting:
    """What both kinds of connection have in common."""

    # http.client prints the request, password included, when its class-wide
    # debuglevel is raised; ours stays where it is.
    debuglevel = 0
    response_class: type[http.client.HTTPResponse] = _Response

    sock: socket.socket | None
    _idle_since = 0.0
    _connecting = False
    _may_rest = False
    _in_head = False
    _head = b""

    def _new_conn(self) -> socket.socket:
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        # From here on the watchdog reaches it, TLS handshake included.
        _current.exchange.attach(sock)
        return sock

    def connect(self) -> None:
        self._connecting = True
        try:
            super().connect()  # type: ignore[misc]
        finally:
            self._connecting = False
        _current.exchange.connected = True

    def endheaders(self, *args: Any, **kwargs: Any) -> None:
        self._in_head = True
        try:
            super().endheaders(*args, **kwargs)  # type: ignore[misc]
        finally:
            self._in_head = False

    def send(self, data: Any) -> None:
        if self._connecting:  # a proxy's CONNECT, which is not the request yet
            super().send(data)  # type: ignore[misc]
            return
        if self._in_head:  # leaves with the body: one packet, one system call
            self._head = data
            return
        if self.sock is None:
            self.connect()
        _current.exchange.start_writing()
        head, self._head = self._head, b""
        super().send(head + data)  # type: ignore[misc]

    def getresponse(self) -> Any:
        response = super().getresponse()  # type: ignore[misc]
        _current.exchange.answered = True
        # Another one may follow a 1xx, and would answer the next request.
        self._may_rest = response.status == http.client.OK
        _current.keep_alive.note_promise(response.headers.get("Keep-Alive", ""))
        return response

    @property
    def is_connected(self) -> bool:
        """Return whether the pool may use this connection again."""
        if self.sock is None or not self._may_rest:
            return False
        idle = time.monotonic() - self._idle_since
        keep_alive: KeepAlive = _current.keep_alive
        if not keep_alive.allows(idle):
            return False
        alive: bool = super().is_connected  # type: ignore[misc]
        if not alive:
            keep_alive.note_closed_after(idle)
            return False
        exchange: Exchange = _current.exchange
        exchange.reused = exchange.connected = True
        exchange.attach(self.sock)
        return True

    def rest(self) -> None:
        """Note that the connection idles from now on."""
        self._idle_since = time.monotonic()
        # Another thread may take it at once: this exchange's end is not its own.
        _current.exchange.close()


class _NotingHTTP(_Noting, HTTPConnection):
    pass


class _NotingHTTPS(_Noting, HTTPSConnection):
    pass


class _RestingPool:
    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.rest()
        super()._put_conn(conn)  # type: ignore[misc]


class _HTTPPool(_RestingPool, HTTPConnectionPool):
    ConnectionCls = _NotingHTTP


class _HTTPSPool(_RestingPool, HTTPSConnectionPool):
    ConnectionCls = _NotingHTTPS


POOL_CLASSES = {"http": _HTTPPool, "https": _HTTPSPool}
