"""urllib3 connections that note connect and send on the exchange under way.

The exchange travels in a thread-local, since urllib3 makes and picks connections
itself. A kept connection is used again only while it is younger than the
account's KEEP_ALIVE and the limit that the server has shown it keeps to.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError
from urllib3.util.connection import allowed_gai_family

from .deadline import Exchange
from .keep_alive import KeepAlive

_current = threading.local()


class _SameTimeout:
    """Ask the system for a timeout only when it is another one.

    urllib3 sets it twice a request, and each time all threads change places.
    """

    def settimeout(self, value: float | None) -> None:
        if value != self.gettimeout():  # type: ignore[attr-defined]
            super().settimeout(value)  # type: ignore[misc]


class _Socket(_SameTimeout, socket.socket):
    pass


class TLSSocket(_SameTimeout, ssl.SSLSocket):
    """What a context makes of a socket that is to be encrypted."""

    def recv(self, *args: Any) -> bytes:
        """Close what the server reset before its handshake.

        That is the only time anybody reads this way, and Python before 3.13 leaves
        the descriptor to whenever the exception is let go.
        """
        try:
            return super().recv(*args)
        except ConnectionError:
            self.close()
            raise


def open_socket(
    host: str, port: int, *, timeout: float, deadline: float
) -> socket.socket:
    """Connect to the first address that answers, each within ``timeout`` seconds.

    All of them within the monotonic ``deadline``: a name may have many addresses, and
    a firewall that swallows what it does not like lets none of them refuse.
    """
    failure: OSError = TimeoutError("the deadline passed while connecting")
    for family, kind, protocol, _name, address in socket.getaddrinfo(
        host, port, allowed_gai_family(), socket.SOCK_STREAM
    ):
        left = min(timeout, deadline - time.monotonic())
        if left <= 0:
            break
        sock = _Socket(family, kind, protocol)
        sock.settimeout(left)
        try:
            sock.connect(address)
        except OSError as error:
            failure = error
            sock.close()
        else:
            sock.settimeout(timeout)
            return sock
    raise failure


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
    _dns_host: str
    port: Any
    default_port: Any
    timeout: Any
    socket_options: Any
    # The watchdog's, while it rests; the exchange has it while one is under way.
    _handle: socket.socket | None = None
    _idle_since = 0.0
    _connecting = False
    _may_rest = False
    _in_head = False
    _head = b""

    def _new_conn(self) -> socket.socket:
        exchange: Exchange = _current.exchange
        port = self.port or self.default_port
        try:
            sock = open_socket(
                self._dns_host,
                port,
                timeout=exchange.connect_within,
                deadline=exchange.deadline,
            )
        except OSError as error:
            # urllib3 lets some kinds pass, to read what a server said as it hung up.
            raise NewConnectionError(self, f"No connection: {error}") from error  # type: ignore[arg-type]
        for option in self.socket_options or ():
            sock.setsockopt(*option)
        # From here on the watchdog reaches it, TLS handshake included.
        exchange.attach(sock)
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
        if self.sock is None or self._handle is None or not self._may_rest:
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
        exchange.take(self._handle)
        self._handle = None
        return True

    def rest(self) -> None:
        """Note that the connection idles from now on."""
        self._idle_since = time.monotonic()
        # Another thread may take it at once: this exchange's end is not its own.
        self._handle = _current.exchange.give_back()
        if self.sock is None:
            self._let_go()

    def close(self) -> None:
        """Close it, and the handle on it that nobody uses."""
        self._let_go()
        super().close()  # type: ignore[misc]

    def _let_go(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()


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
    ConnectionCls = _NotingHTTP  # type: ignore[assignment]


class _HTTPSPool(_RestingPool, HTTPSConnectionPool):
    ConnectionCls = _NotingHTTPS  # type: ignore[assignment]


POOL_CLASSES = {"http": _HTTPPool, "https": _HTTPSPool}
