"""Whose transaction is it? Nothing is sent for work that may still roll back.

"The transaction" is the one on the database that messages are written to. As
with ``atomic(durable=True)``, the block that a TestCase opens does not count.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from django.db import connections, router, transaction

from negin_sms.exceptions import NeginSmsError
from negin_sms.models import Message


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
