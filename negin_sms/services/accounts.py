"""An account by its alias, and the row that all processes share about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings

from negin_sms import conf
from negin_sms.exceptions import InvalidConfiguration, InvalidMessage
from negin_sms.models import AccountState


def find_account(alias: str) -> conf.Account:
    """Return an account; raise InvalidMessage where only its name is wrong."""
    try:
        return conf.get_account(alias)
    except InvalidConfiguration as error:
        accounts: Mapping[str, Any] = getattr(settings, conf.SETTING, None) or {}
        if not accounts or (isinstance(alias, str) and alias in accounts):
            raise
        raise InvalidMessage("account", str(error)) from None


def unknown_accounts(aliases: Iterable[str]) -> dict[str, str]:
    """Return those of the aliases that the settings do not have, with what to do."""
    unknown = {}
    for alias in aliases:
        try:
            find_account(alias)
        except InvalidMessage as error:
            unknown[alias] = str(error.reason)
    return unknown


def pause_ends_at(alias: str, using: str) -> datetime | None:
    """Return when an account's pause ends, None where it has none, or no end."""
    states = AccountState.objects.using(using).filter(account=alias)
    return states.values_list("paused_until", flat=True).first()


def account_state(alias: str, using: str) -> AccountState:
    """Return the row of an account, made when first asked for."""
    return AccountState.objects.using(using).get_or_create(account=alias)[0]
