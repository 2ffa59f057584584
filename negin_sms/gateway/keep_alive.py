"""How long an idle connection may be used again, and when none may be."""

from __future__ import annotations

import re
import time

_PROMISE = re.compile(r"\btimeout\s*=\s*([0-9]{1,6})\b", re.I)


class KeepAlive:
    """How long an idle connection of one gateway may be used again, in seconds.

    A connection that died under a request leaves an uncertain message behind, and one
    whose answers came late gives a message another one's id, so reuse stops for a
    while after either. A server that says or shows that it closes after t idle seconds
    is not tried again beyond half of t: closing and sending may cross on the wire.
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
