"""When a dispatcher or a poller was last alive, for each account."""

from __future__ import annotations

from typing import Literal

from negin_sms.models import AccountState
from negin_sms.querysets import DbNow

from .accounts import account_state

Heartbeat = Literal["dispatcher_seen_at", "poller_seen_at"]


def heartbeat(alias: str, column: Heartbeat, *, using: str) -> None:
    """Write down that a dispatcher or a poller is alive."""
    state = account_state(alias, using)
    AccountState.objects.using(using).filter(pk=state.pk).update(**{column: DbNow()})
