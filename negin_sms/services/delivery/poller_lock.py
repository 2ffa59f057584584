"""What keeps two pollers of one account apart: a lock with an end, in AccountState."""

from __future__ import annotations

from django.db.models import Q

from negin_sms import conf
from negin_sms.models import AccountState
from negin_sms.querysets import DbNow, from_now
from negin_sms.services.accounts import account_state


def acquire(account: conf.Account, poller: str, using: str) -> bool:
    """Let one poller at a time ask for an account; return whether it is this one.

    It lasts as long as a few requests may take, and is acquired again while they go
    on; whoever dies with it only makes the states late.
    """
    state = account_state(account.alias, using)
    free = Q(poller="") | Q(poller=poller) | Q(poller_until__lte=DbNow())
    lasts = 2 * (account.deadline + account.result_retry)
    states = AccountState.objects.using(using).filter(free, pk=state.pk)
    return bool(states.update(poller=poller, poller_until=from_now(lasts)))


def release(poller: str, using: str) -> None:
    """Let the next poller ask."""
    states = AccountState.objects.using(using).filter(poller=poller)
    states.update(poller="", poller_until=None)
