"""Another database server answers: what waits there may have been sent, and is held.

A replica that takes over lacks the last commits of the server that failed, so messages
that were sent stand in its queue again. The accounts' rows remember the server. It is
compared on every new connection, before anything is claimed by it, and every few
seconds. Behind a pooler a connection may have a new server with each transaction, so
there it is asked after each claim as well, before anything of it is sent. Where it
cannot be asked, nothing is compared; a server that was only restarted is the same.
"""

from __future__ import annotations

import logging
import time
from weakref import WeakKeyDictionary

from django.db import OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.translation import gettext as _

from negin_sms.models import AccountState, Message
from negin_sms.querysets import DbNow
from negin_sms.services.outbox import transitions
from negin_sms.services.outbox.journal import recovery

from .engines import engine_for

logger = logging.getLogger("negin_sms")

_AGAIN = 5.0  # s
_looked: WeakKeyDictionary[BaseDatabaseWrapper, tuple[object, float]]
_looked = WeakKeyDictionary()
_known: dict[str, str] = {}
_pooled: WeakKeyDictionary[BaseDatabaseWrapper, bool] = WeakKeyDictionary()


class AnotherServer(OperationalError):
    """A pooler has led the work to another server: look, and do it anew."""


def hold_if_server_changed(using: str) -> None:
    """Hold all that waits, once, when another server answers than last time."""
    connection = connections[using]
    connection.ensure_connection()
    raw, now = connection.connection, time.monotonic()
    seen, looked_at = _looked.get(connection, (None, 0.0))
    if raw is seen and now - looked_at < _AGAIN:
        return
    if raw is not seen:
        _pooled[connection] = engine_for(using).is_pooled()
    if server := engine_for(using).server_identity():
        states = AccountState.objects.using(using).exclude(server=server)
        changed = [_compare(state, server, using) for state in states]
        # Another process may have held all; our own answers we know alone.
        if any(changed) or _known.get(using, server) != server:
            recovery.write_lost_answers(using)
        _known[using] = server
    _looked[connection] = (raw, now)


def refuse_another_server(using: str) -> None:
    """Raise AnotherServer where a pooler now leads to one that was not compared."""
    if doubt := doubt_of_server(using):
        _looked.pop(connections[using], None)
        raise AnotherServer(doubt)


def doubt_of_server(using: str) -> str:
    """Return why what waits may have been sent, "" on the server that was compared.

    Within a transaction it is said of the server that all of it is done on.
    """
    if not _pooled.get(connections[using]):
        return ""
    before, now = _known.get(using), engine_for(using).server_identity()
    return _words(before, now) if before and now and before != now else ""


def _words(before: str, now: str) -> str:
    return _(
        "Another database server answers (it was %(before)s, it is %(now)s): "
        "this message may have been sent already."
    ) % {"before": before, "now": now}


def _compare(state: AccountState, server: str, using: str) -> bool:
    """Hold what waits in an account that remembers another server; return whether so.

    Whoever comes second waits until all is held.
    """
    before = AccountState.objects.using(using).filter(pk=state.pk, server=state.server)
    if not state.server:
        before.update(server=server)
        return False
    with transaction.atomic(using=using):
        if not before.update(server=server, server_changed_at=DbNow()):
            return False
        waiting = Message.objects.using(using).filter(account=state.account)
        transitions.hold(waiting, _words(state.server, server))
    logger.critical(
        "Another database server answers for the SMS account %r (it was %s, it is %s): "
        "it failed over, or was restored. What was sent last may stand in the queue "
        "again, so all that waits is held. Compare it with the gateway's panel, then "
        "release or cancel it: manage.py hold_sms_queue --release",
        state.account,
        state.server,
        server,
    )
    return True
