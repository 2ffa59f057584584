"""Findings about the settings: what cannot be read, and what cannot be used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.exceptions import InvalidConfiguration
from negin_sms.gateway import gateway_class

from .findings import Finding, critical


def unreadable(error: InvalidConfiguration, account: str = "") -> Finding:
    """Return the finding for settings that cannot work."""
    advice = _("Correct the settings, then restart what runs.")
    return critical("settings", str(error), advice, account)


def no_default() -> Iterator[Finding]:
    """Say that no account is taken where none is named."""
    try:
        conf.refuse_no_default()
    except InvalidConfiguration as error:
        yield unreadable(error)


def unusable(accounts: Iterable[conf.Account]) -> Iterator[Finding]:
    """Say of which accounts the gateway is none."""
    for account in accounts:
        if account.is_live:  # there, and slow to import
            continue
        try:
            gateway_class(account)
        except InvalidConfiguration as error:
            yield unreadable(error, account.alias)
