"""Whose transaction is it? Nothing is sent for work that may still roll back.

"The transaction" is the one on the database that messages are written to. As
with ``atomic(durable=True)``, the block that a TestCase opens does not count.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
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


def retry_on_disconnect(action: Callable[[], T], *, using: str, seconds: float) -> T:
    """Do database work, on a new connection when the old one or the server is gone.

    Inside a transaction (a test case's) the first failure is final.
    """
    give_up_at = time.monotonic() + seconds
    wait = 0.05
    while True:
        try:
            return action()
        except Error as error:
            connection = connections[using]
            is_late = time.monotonic() + wait > give_up_at
            if connection.in_atomic_block or is_late or not is_away(error):
                raise
            # The closed connection would fail every further try.
            connection.close()
        time.sleep(wait)
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
