"""The one settings door: NEGIN_SMS, parsed once into frozen values.

NEGIN_SMS has Django's alias shape: ``{"default": {"USERNAME": …}, "bulk": {…}}``.
To add a key, add a field to Account; its name in lower case, its default and its
reader are all there is to it.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import time
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.signals import setting_changed

from negin_sms.exceptions import InvalidConfiguration

from . import readers
from .prices import prices
from .thresholds import THRESHOLDS, thresholds

SETTING = "NEGIN_SMS"
DEFAULT_ALIAS = "default"
LIVE_BACKEND = "negin_sms.gateway.client.NeginGateway"

HOUR, LONGEST_LINE = readers.HOUR, readers.LONGEST_LINE
Reader = Callable[[Any], Any]
Options = Mapping[str, Any]
Rewrite = Callable[[str, Options], Options]  # of an alias


def _key(default: Any, reader: Reader, *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"reader": reader})


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One alias of NEGIN_SMS with its defaults; times in seconds."""

    alias: str
    backend: str = _key(LIVE_BACKEND, readers.text)
    username: str = _key("", readers.text, secret=True)
    password: str = _key("", readers.text, secret=True)
    line: str = _key("", readers.line)
    line2: str = _key("", readers.line)
    base_url: str = _key("https://sms.3300.ir/api", readers.base_url)
    ca_file: str | None = _key(None, readers.optional_text)
    trust_env: bool = _key(False, readers.flag)
    connect_timeout: float = _key(5.0, readers.positive)
    read_timeout: float = _key(20.0, readers.positive)
    deadline: float = _key(30.0, readers.positive)  # for the whole exchange
    keep_alive: float = _key(5.0, readers.seconds)  # idle time; 0 = never use again
    workers: int = _key(4, readers.count)  # requests in flight
    rate: float | None = _key(None, readers.rate)  # messages/s, per process
    lease: float = _key(180.0, readers.positive)
    result_retry: float = _key(60.0, readers.seconds)
    state_dir: str | None = _key(None, readers.folder)  # the journal's; "" = none
    expires_in: float = _key(24 * HOUR, readers.positive)
    max_parts: int = _key(10, readers.count)
    states_batch_size: int = _key(
        100, readers.count
    )  # Magfa's limit; the guides give none
    poll_schedule: tuple[float, ...] = _key(
        (
            10,
            30,
            60,
            120,
            300,
            900,
            HOUR,
            3 * HOUR,
            6 * HOUR,
            12 * HOUR,
            23 * HOUR,
        ),
        readers.schedule,
    )
    # A sensitive text outlives its send by so much where no final word comes.
    redact_after: float = _key(24 * HOUR, readers.seconds)
    dispatch: bool = _key(True, readers.flag)
    only_to: frozenset[str] | None = _key(None, readers.numbers, secret=True)
    waker: str | None = _key(None, readers.optional_text)
    # Pairs of (seconds, messages): the most in a minute, an hour or a day.
    mobile_caps: tuple[tuple[int, int], ...] = _key((), readers.caps)
    account_caps: tuple[tuple[int, int], ...] = _key((), readers.caps)
    quiet_hours: tuple[time, time] | None = _key(None, readers.hours)
    opt_outs: bool = _key(True, readers.flag)
    opt_out_days: int = _key(30, readers.count)  # for what the gateway says
    footer: str = _key("", readers.footer)
    prices: tuple[tuple[str, float, float], ...] = _key((), prices)
    # Pairs of (name, number) for ``template="otp"``.
    service_texts: tuple[tuple[str, int], ...] = _key((), readers.service_texts)
    # Pairs of (a finding's code, from where on it is one).
    thresholds: tuple[tuple[str, float | None], ...] = _key(
        tuple(THRESHOLDS.items()), thresholds
    )

    @property
    def is_live(self) -> bool:
        """Return whether this account talks to a gateway over HTTP."""
        return self.backend == LIVE_BACKEND

    @property
    def host(self) -> str:
        """Return the gateway's host, without port."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_loopback(self) -> bool:
        """Return whether the gateway is on this machine, so a sandbox."""
        return readers.is_loopback(self.base_url)

    @property
    def is_encrypted(self) -> bool:
        """Return whether the password travels over TLS."""
        return self.base_url.startswith("https:")


_READERS: dict[str, Reader] = {
    f.name.upper(): f.metadata["reader"] for f in fields(Account) if f.metadata
}


def get_account(alias: str = DEFAULT_ALIAS) -> Account:
    """Return the account of an alias; InvalidConfiguration says what to write."""
    accounts = _configured()
    if not isinstance(alias, str) or alias not in accounts:
        known = ", ".join(sorted(map(repr, accounts))) or "none"
        advice = (
            f'Add it to your settings: {SETTING} = {{"{alias}": {{"USERNAME": "…", '
            f'"PASSWORD": "…", "LINE": "…"}}}}'
            if isinstance(alias, str)
            else "Give one of those, as text."
        )
        raise InvalidConfiguration(
            f"There is no SMS account {alias!r} (known: {known}). {advice}"
        )
    return _parse_account(alias)


def get_accounts() -> tuple[Account, ...]:
    """Return all accounts, in the order they are written."""
    return tuple(get_account(alias) for alias in _configured())


def refuse_no_default() -> None:
    """Raise InvalidConfiguration where no account is taken when none is named."""
    aliases = list(_configured())
    if DEFAULT_ALIAS not in aliases:
        raise InvalidConfiguration(
            f'{SETTING} has no account "{DEFAULT_ALIAS}". Name one of {aliases} '
            f'"{DEFAULT_ALIAS}".'
        )


_rewrites: list[Rewrite] = []


@contextlib.contextmanager
def rewritten(rewrite: Rewrite) -> Iterator[None]:
    """Pass the options of every account through a function first; for test kits.

    It holds for all threads of this process, whatever settings are overridden
    meanwhile. Of several the one that was begun last holds, in any order of ending.
    """
    _rewrites.append(rewrite)
    _announce()
    try:
        yield
    finally:
        _rewrites.remove(rewrite)
        _announce()


def _announce() -> None:
    """Let everything that was made of the settings be made anew."""
    value = getattr(settings, SETTING, None)
    setting_changed.send(sender=Account, setting=SETTING, value=value, enter=True)


def _configured() -> Mapping[str, Any]:
    accounts = getattr(settings, SETTING, None)
    if accounts is None or accounts == {}:
        lacks = f"Your settings have no {SETTING}. Add"
        lacks = lacks if accounts is None else f"{SETTING} is empty. Write"
        raise InvalidConfiguration(
            f"{lacks}: {SETTING} = "
            f'{{"{DEFAULT_ALIAS}": {{"USERNAME": "…", "PASSWORD": "…", "LINE": "…"}}}}'
        )
    for key in accounts if isinstance(accounts, Mapping) else ():
        if key in _READERS and accounts.keys() - _READERS:
            raise InvalidConfiguration(
                f'{SETTING}["{key}"] is an option of an account. Write it into the '
                f'account: {SETTING} = {{"{DEFAULT_ALIAS}": {{…, "{key}": …}}}}'
            )
    if not isinstance(accounts, Mapping) or not all(
        isinstance(options, Mapping) for options in accounts.values()
    ):
        raise InvalidConfiguration(
            f"{SETTING} must be a dict of accounts, each a dict of options: "
            f'{SETTING} = {{"{DEFAULT_ALIAS}": {{"USERNAME": "…", …}}}}'
        )
    for alias in accounts:
        if not isinstance(alias, str):
            raise InvalidConfiguration(
                f'The names of the accounts in {SETTING} are text: write "{alias}" '
                f"instead of {alias!r}."
            )
    return accounts


@functools.cache
def _parse_account(alias: str) -> Account:
    options = _configured()[alias]
    if _rewrites:
        options = _rewrites[-1](alias, options)
    for key in options:
        if key not in _READERS:
            raise InvalidConfiguration(
                f"{_where(alias, key)} is not a known key. Remove it, or use one "
                f"of: {', '.join(_READERS)}."
            )
    values = {
        key.lower(): _read(alias, key, options[key])
        for key in _READERS
        if key in options
    }
    account = Account(alias=alias, **values)
    _refuse_unfit(account)
    return account


def _read(alias: str, key: str, value: Any) -> Any:
    try:
        return _READERS[key](value)
    except readers.Unfit as unfit:
        # The value stays out of the text: it may be the password.
        raise InvalidConfiguration(
            f"{_where(alias, key)} must be {unfit}. What stands there is not (its "
            f"type: {type(value).__name__})."
        ) from None


def _refuse_unfit(account: Account) -> None:
    alias = account.alias
    if account.is_live:
        for key in ("username", "password"):
            if not getattr(account, key):
                name = key.upper()
                raise InvalidConfiguration(
                    f"{_where(alias, name)} is missing. Write the web service's "
                    f'{key} (not the panel\'s login): {SETTING} = {{"{alias}": '
                    f'{{"{name}": "…", …}}}}'
                )
    refuse_short_lease(account, account.lease)


def refuse_short_lease(account: Account, lease: float) -> None:
    """Raise InvalidConfiguration for a lease in which a worker could be overtaken."""
    shortest = 2 * (account.deadline + account.result_retry)
    if lease < shortest:
        if lease == account.lease:
            name = _where(account.alias, "LEASE")
            cure = f'Write at least: "LEASE": {shortest:g}'
        else:  # an argument, or an option of the command
            name = f"The lease given for account {account.alias!r}"
            cure = f"Give at least {shortest:g}."
        raise InvalidConfiguration(
            f"{name} is {lease:g} s; a claim must outlast the exchange and the write "
            f"after it twice over. {cure}"
        )


def _where(alias: str, key: str) -> str:
    return f'{SETTING}["{alias}"]["{key}"]'


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == SETTING:
        _parse_account.cache_clear()


setting_changed.connect(_forget)
