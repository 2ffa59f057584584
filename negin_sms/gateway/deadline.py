"""One request and its answer: how far it got, and when it has to end.

What an exception's type cannot say (was the request written?) an Exchange knows,
because the connection tells it. A wall-clock deadline holds for the whole
exchange, name look-up and TLS handshake apart from the bytes that trickle in
either: one watchdog thread shuts raw sockets down when their time is over.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import socket
import threading
import time
from collections.abc import Callable


class TooLate(OSError):
    """The request was not written: there was no time left before the first byte."""


class NotNoted(OSError):
    """The request was not written: it could not be noted before that."""


class Exchange:
    """How far one request got. Times are on the monotonic clock, in seconds.

    ``connect_within`` is how many of them one address may take to be connected to.
    """

    def __init__(
        self,
        *,
        deadline: float,
        start_by: float,
        connect_within: float,
        on_begin: Callable[[], object] | None = None,
    ) -> None:
        self.deadline = deadline
        self.start_by = start_by
        self.connect_within = connect_within
        self._on_begin = on_begin
        self.attached = False
        self.connected = False
        self.wrote = False
        self.reused = False
        self.answered = False
        self.expired = False
        self._lock = threading.Lock()
        self._raw: socket.socket | None = None

    def attach(self, sock: socket.socket) -> None:
        """Keep a handle on the connection for the watchdog.

        A duplicate of the descriptor: ssl takes the original object over, and
        http.client drops it as soon as the answer says "close", both long before
        the exchange has ended.
        """
        # Its kind is told, or each would have to be asked of the system.
        own = socket.socket(
            sock.family, sock.type, sock.proto, fileno=os.dup(sock.fileno())
        )
        self.take(own)

    def take(self, handle: socket.socket) -> None:
        """Keep a handle that an exchange before this one gave back."""
        with self._lock:
            self._drop()
            self._raw = handle
            self.attached = True
            if self.expired:
                self._shut()

    def give_back(self) -> socket.socket | None:
        """Return the handle and forget it: the connection outlives this exchange."""
        with self._lock:
            handle, self._raw = self._raw, None
        return handle

    def start_writing(self) -> None:
        """Note the first byte of the request, or refuse it when it is too late."""
        if self.wrote:
            return
        if self.expired or time.monotonic() >= min(self.deadline, self.start_by):
            raise TooLate
        self._note_begin()
        self.wrote = True

    def _note_begin(self) -> None:
        if self._on_begin is None:
            return
        try:
            self._on_begin()
        except OSError as error:
            raise NotNoted(str(error)) from None

    def expire(self) -> None:
        """End the exchange now: whoever reads or writes gets an error or EOF."""
        with self._lock:
            self.expired = True
            self._shut()

    def close(self) -> None:
        """Let go of the handle; the connection itself is the pool's."""
        with self._lock:
            self._drop()

    def _shut(self) -> None:
        if self._raw is not None:
            with contextlib.suppress(OSError):
                self._raw.shutdown(socket.SHUT_RDWR)

    def _drop(self) -> None:
        if self._raw is not None:
            self._raw.close()
            self._raw = None


class Watchdog:
    """One thread that ends the exchanges whose deadline has passed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watched: set[Exchange] = set()
        self._thread: threading.Thread | None = None
        self._wakes_at = math.inf

    def watch(self, exchange: Exchange) -> None:
        """Start watching; the thread is started by the first exchange.

        Raise OSError where there is none to be had: without it nothing is sent.
        """
        with self._changed:
            self._see_to_thread()
            self._watched.add(exchange)
            if exchange.deadline < self._wakes_at:
                self._changed.notify()

    def start(self) -> None:
        """Start the thread now; raise OSError where there is none to be had."""
        with self._changed:
            self._see_to_thread()

    def forget(self, exchange: Exchange) -> None:
        """Stop watching."""
        with self._changed:
            self._watched.discard(exchange)

    def _see_to_thread(self) -> None:
        if self._thread is not None:
            return
        thread = threading.Thread(
            target=self._run, name="negin-sms-watchdog", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # out of threads, or the interpreter is shutting down
            raise OSError(errno.ENOMEM, "no thread to watch the deadline") from None
        self._thread = thread

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for exchange in [e for e in self._watched if e.deadline <= now]:
                    exchange.expire()
                    self._watched.discard(exchange)
                self._wakes_at = min(
                    (e.deadline for e in self._watched), default=math.inf
                )
                idle = self._wakes_at == math.inf
                self._changed.wait(None if idle else self._wakes_at - now)
