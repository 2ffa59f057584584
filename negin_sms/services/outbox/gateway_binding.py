"""Which gateway an account's messages are for: programs with another one keep off.

Of two programs on one database with different settings (a copy of the site with the
sandbox's address) each would send the other's messages to its own gateway. So an
account's row keeps which gateway it is, and who differs neither sends nor asks.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterable

from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.exceptions import InvalidConfiguration
from negin_sms.gateway import gateway_class
from negin_sms.gateway.loopback_only import is_test_environment
from negin_sms.models import AccountState
from negin_sms.services.database import write_alias

logger = logging.getLogger("negin_sms")

_MINUTE = 60.0
_agreed_until: dict[tuple[str, str, str], float] = {}


def gateway_of(account: conf.Account) -> str:
    """Return what the row keeps: the host, and a digest of the username.

    Another port or path is no other gateway. Of a backend that asks nobody, its name.
    """
    if not account.is_live:
        return account.backend
    user = hashlib.sha256(account.username.encode()).hexdigest()[:16]
    return f"{account.host} {user}"


def refuse_others(accounts: Iterable[conf.Account], using: str) -> None:
    """Raise InvalidConfiguration when an account is bound to another gateway.

    The first program that sends or asks binds it to its own. Asked once a minute.
    """
    for account in accounts:
        ours, now = gateway_of(account), time.monotonic()
        key = (using, account.alias, ours)
        if now < _agreed_until.get(key, 0.0):
            continue
        rows = AccountState.objects.using(using)
        state, _new = rows.get_or_create(account=account.alias)
        if not state.gateway:
            rows.filter(pk=state.pk, gateway="").update(gateway=ours)
            state.refresh_from_db(using=using)
        if (theirs := state.gateway) != ours:
            words = _difference(account, ours, theirs)
            if is_test_environment():  # a command there has another database
                words += f' In a test: services.adopt_account("{account.alias}").'
            raise InvalidConfiguration(words)
        _agreed_until[key] = now + _MINUTE


def is_elsewhere(account: conf.Account, bound_to: str) -> bool:
    """Return whether an account is bound to another gateway than these settings'.

    ``bound_to`` is what its row keeps, "" while nobody has sent or asked.
    """
    return bound_to not in ("", gateway_of(account))


def forget_agreements() -> None:
    """Ask again at the next request: a test's rollback takes the binding with it."""
    _agreed_until.clear()


def adopt_account(alias: str) -> tuple[str, str]:
    """Bind an account to the gateway of these settings; return its host before and now.

    Raise InvalidConfiguration for an account that the settings do not have.
    """
    account = conf.get_account(alias)
    if not account.is_live:
        gateway_class(account)  # or nobody could send, the right settings neither
    ours, rows = gateway_of(account), AccountState.objects.using(write_alias())
    state, _new = rows.get_or_create(account=alias)
    rows.filter(pk=state.pk).update(gateway=ours)
    logger.warning("SMS account %r is bound to %s now", alias, _host(ours))
    return _host(state.gateway), _host(ours)


def _difference(account: conf.Account, ours: str, theirs: str) -> str:
    words = {
        "account": account.alias,
        "ours": _host(ours),
        "theirs": _host(theirs),
        "command": f"manage.py adopt_sms_account {account.alias}",
    }
    if words["ours"] == words["theirs"]:
        return (
            _(
                "The messages of the account “%(account)s” in this database are for another "
                "USERNAME at %(theirs)s. Nothing is sent or asked. If the account has a new one: "
                "%(command)s"
            )
            % words
        )
    return (
        _(
            "The messages of the account “%(account)s” in this database are for "
            "%(theirs)s, but these settings send to %(ours)s. Nothing is sent or asked. Is this a "
            "copy of the site? Give it a database of its own. If the gateway has moved: "
            "%(command)s"
        )
        % words
    )


def _host(gateway: str) -> str:
    return gateway.partition(" ")[0]
