"""Whose transaction is it? Nothing is sent for work that may still roll back.

"The transaction" is the one on the database that messages are written to. As
with ``atomic(durable=True)``, the block that a TestCase opens does not count.
"""

from __future__ import annotations

import contextlib
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TypeVar

from django.db import (
    Error,
    InterfaceError,
    OperationalError,
    connections,
    router,
    transaction,
)

from negin_sms.exceptions import NeginSmsError
from negin_sms.models import Message

T = TypeVar("T")

_LONGEST_WAIT = 2.0  # between two tries to reconnect
# What a database says that is away, or takes no writes for a while, in whatever class
# Django wraps it: SQLSTATE classes of PostgreSQL (invalid transaction state such as
# read-only or an idle timeout, shut down, system error, no resources) …
_AWAY_CLASSES = ("25", "53", "57", "58")
# … and numbers of MariaDB and MySQL (read-only, gone away, shutting down).
_AWAY_NUMBERS = frozenset({1290, 1792, 1836, 2006, 2013, 3100})
_DEADLOCK_TRIES = 10
_DEADLOCKS = ("40P01", 1213)  # PostgreSQL; MariaDB and MySQL


def write_alias() -> str:
    """Return the database that messages are written to."""
    return router.db_for_write(Message)


def in_transaction(using: str) -> bool:
    """Return whether what is written now could still be rolled back."""
    connection = connections[using]
    blocks = connection.atomic_blocks
    if blocks:
        return not getattr(blocks[-1], "_from_testcase", False)
    return not connection.get_autocommit()


def refuse_transaction(using: str) -> None:
    """Raise NeginSmsError inside the caller's transaction.

    What must be durable before a request is made cannot be promised there.
    """
    if in_transaction(using):
        raise NeginSmsError(
            "This sends or asks at once, so it cannot run inside a transaction "
            "(atomic(), ATOMIC_REQUESTS, or autocommit switched off). Call it after "
            "the transaction, or use queue_sms and let the dispatcher send."
        )


@contextlib.contextmanager
def committed(using: str) -> Iterator[None]:
    """Open a short transaction of our own, which is surely committed at its end."""
    refuse_transaction(using)
    with transaction.atomic(using=using, durable=True):
        yield


@contextlib.contextmanager
def closed_afterwards(using: str) -> Iterator[None]:
    """Close the connection that a block opens, for a thread that nobody else ends.

    Unlike Django's ``temporary_connection`` it opens none: a database that is away is
    for the block to find.
    """
    connection = connections[using]
    was_closed = connection.connection is None
    try:
        yield
    finally:
        if was_closed:
            connection.close()


def after_commit(using: str, action: Callable[[], object]) -> None:
    """Run an action once the caller's work is durable, and never break the caller."""
    connection = connections[using]
    if connection.get_autocommit() or connection.in_atomic_block:
        transaction.on_commit(action, using=using, robust=True)
    # With autocommit switched off nobody tells us of the commit: the row waits
    # for the dispatcher.


def after_commit_once(using: str, action: Callable[[], object]) -> None:
    """Do as ``after_commit``, unless an equal action waits for this commit already.

    Django drops what waits when its savepoint is rolled back, so it waits no more.
    """
    if not (in_transaction(using) and _waits(using, action)):
        after_commit(using, action)


def _waits(using: str, action: Callable[[], object]) -> bool:
    """Return whether an equal action waits for the transaction that is open.

    A TestCase's block keeps the actions of all "transactions" inside it, which are
    savepoints; each entry begins with the set of savepoints it was made under.
    """
    connection = connections[using]
    around = sum(
        getattr(block, "_from_testcase", False) for block in connection.atomic_blocks
    )
    ours = connection.savepoint_ids[around - 1] if around else None
    return any(
        action in entry and (not around or ours in entry[0])
        for entry in connection.run_on_commit
    )


def retry_deadlocks(action: Callable[[], T], *, using: str) -> T:
    """Do a transaction of our own again when it was chosen to end a deadlock.

    Such a transaction is rolled back whole, so nothing is done twice. Inside the
    caller's transaction the error is the caller's: all of that work is gone.
    """
    tries = 1 if in_transaction(using) else _DEADLOCK_TRIES
    while True:
        try:
            return action()
        except OperationalError as error:
            tries -= 1
            if not tries or not _is_deadlock(error):
                raise
        time.sleep(random.uniform(0.005, 0.05))  # noqa: S311 - no secret


def _is_deadlock(error: OperationalError) -> bool:
    return (_sqlstate(error) or _number(error)) in _DEADLOCKS


class LastMoment:
    """When work that was told to stop has to be over, whatever its database does.

    Each step insists by itself, and the end of a run has many. It comes ``seconds``
    after ``stop`` was set, or ``approach`` was called; until then it is no limit.
    """

    def __init__(self, stop: threading.Event, seconds: float) -> None:
        self._stop = stop
        self._seconds = seconds
        self._at = math.inf

    @property
    def at(self) -> float:
        """Return when it is, in monotonic time."""
        if self._stop.is_set():
            self.approach()
        return self._at

    def approach(self) -> None:
        """Let it come, from now on."""
        self._at = min(self._at, time.monotonic() + self._seconds)

    def sleep(self, seconds: float) -> None:
        """Sleep, and wake up when the work is told to stop."""
        if self._stop.is_set():
            time.sleep(seconds)
        elif self._stop.wait(seconds):
            self.approach()


_last_moment: ContextVar[LastMoment | None]
_last_moment = ContextVar("last_moment", default=None)


@contextlib.contextmanager
def over_by(last_moment: LastMoment) -> Iterator[None]:
    """Insist on a database that is away no longer than that, in all of a block."""
    token = _last_moment.set(last_moment)
    try:
        yield
    finally:
        _last_moment.reset(token)


def retry_on_disconnect(action: Callable[[], T], *, using: str, seconds: float) -> T:
    """Do database work, on a new connection when the old one or the server is gone.

    It is tried once at least. Inside a transaction (a test case's) the first failure
    is final.
    """
    last_moment = _last_moment.get() or LastMoment(threading.Event(), math.inf)
    give_up_at = time.monotonic() + seconds
    wait = 0.05
    while True:
        try:
            return action()
        except Error as error:
            connection = connections[using]
            is_late = time.monotonic() + wait > min(give_up_at, last_moment.at)
            if connection.in_atomic_block or is_late or not is_away(error):
                raise
            # The closed connection would fail every further try.
            connection.close()
        last_moment.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)


def is_away(error: Error) -> bool:
    """Return whether the database cannot be used now, rather than the statement."""
    if isinstance(error, OperationalError | InterfaceError):
        return True
    return _sqlstate(error)[:2] in _AWAY_CLASSES or _number(error) in _AWAY_NUMBERS


def _sqlstate(error: Error) -> str:
    return getattr(error.__cause__, "sqlstate", None) or ""


def _number(error: Error) -> object:
    return (error.args or (None,))[0]
