"""The one settings door: NEGIN_SMS, parsed once into frozen values.

NEGIN_SMS has Django's alias shape: ``{"default": {"USERNAME": …}, "bulk": {…}}``.
To add a key, add a field to Account; its name in lower case, its default and its
reader are all there is to it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.signals import setting_changed

from .exceptions import InvalidConfiguration

SETTING = "NEGIN_SMS"
DEFAULT_ALIAS = "default"
LIVE_BACKEND = "negin_sms.gateway.client.NeginGateway"

_HOUR = 3600.0
_LONGEST = 3660 * 24 * _HOUR  # ten years; no infinity, and none of nan
_FASTEST = 1e6
Reader = Callable[[Any], Any]


class _Unfit(Exception):
    """A value is not of the shape its key needs; the text says which shape."""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Unfit("text")
    return value


def _optional_text(value: Any) -> str | None:
    if isinstance(value, Path):
        return str(value)
    return None if value is None else _text(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Unfit("True or False")
    return value


def _seconds(value: Any) -> float:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= _LONGEST:
        raise _Unfit("a number of seconds up to ten years, or a timedelta")
    return float(value)


def _positive(value: Any) -> float:
    seconds = _seconds(value)
    if seconds == 0:
        raise _Unfit("a number of seconds above 0, or a timedelta")
    return seconds


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _Unfit("a whole number from 1")
    return value


def _rate(value: Any) -> float | None:
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= _FASTEST:
        raise _Unfit("messages per second above 0, or None")
    return float(value)


def _line(value: Any) -> str:
    # Lines are written as numbers and as text alike.
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    text = _text(value)
    if text and not (text.isascii() and text.isdigit()):
        raise _Unfit("a line number in digits, as text, or an empty text")
    return text


def _schedule(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise _Unfit("a list of seconds or timedeltas")
    ages = tuple(_positive(age) for age in value)
    if list(ages) != sorted(set(ages)):
        raise _Unfit("a list of ages that grow")
    return ages


def _numbers(value: Any) -> frozenset[str] | None:
    if value is None:
        return None
    many = isinstance(value, list | tuple | set | frozenset)
    if not many or not all(isinstance(number, str) for number in value):
        raise _Unfit("a list of mobile numbers as text, or None")
    # Read as numbers where they are compared, and by the system checks.
    return frozenset(value)


def _base_url(value: Any) -> str:
    url = _text(value).rstrip("/")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise _Unfit("an http(s) address such as https://sms.3300.ir/api") from None
    clean = not (parts.query or parts.fragment) and "@" not in parts.netloc
    plain = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _Unfit("an http(s) address such as https://sms.3300.ir/api")
    if not clean or not plain or "?" in url or "#" in url or "\\" in url:
        raise _Unfit("an address of scheme, host and path only")
    return parts.geturl()  # HTTPS: becomes https:


def _key(default: Any, reader: Reader, *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"reader": reader})


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One alias of NEGIN_SMS with its defaults; times in seconds."""

    alias: str
    backend: str = _key(LIVE_BACKEND, _text)
    username: str = _key("", _text, secret=True)
    password: str = _key("", _text, secret=True)
    line: str = _key("", _line)
    line2: str = _key("", _line)
    base_url: str = _key("https://sms.3300.ir/api", _base_url)
    ca_file: str | None = _key(None, _optional_text)
    trust_env: bool = _key(False, _flag)
    connect_timeout: float = _key(5.0, _positive)
    read_timeout: float = _key(20.0, _positive)
    deadline: float = _key(30.0, _positive)  # for the whole exchange
    keep_alive: float = _key(5.0, _seconds)  # idle time; 0 = never use again
    workers: int = _key(4, _count)  # requests in flight
    rate: float | None = _key(None, _rate)  # messages/s, per process
    lease: float = _key(180.0, _positive)
    result_retry: float = _key(60.0, _seconds)
    expires_in: float = _key(24 * _HOUR, _positive)
    max_parts: int = _key(10, _count)
    states_batch_size: int = _key(100, _count)  # Magfa's limit; the guides give none
    poll_schedule: tuple[float, ...] = _key(
        (
            10,
            30,
            60,
            120,
            300,
            900,
            _HOUR,
            3 * _HOUR,
            6 * _HOUR,
            12 * _HOUR,
            23 * _HOUR,
        ),
        _schedule,
    )
    # A sensitive text outlives its send by so much where no final word comes.
    blank_after: float = _key(24 * _HOUR, _seconds)
    dispatch: bool = _key(True, _flag)
    only_to: frozenset[str] | None = _key(None, _numbers, secret=True)
    waker: str | None = _key(None, _optional_text)

    @property
    def is_live(self) -> bool:
        """Return whether this account talks to a gateway over HTTP."""
        return self.backend == LIVE_BACKEND

    @property
    def host(self) -> str:
        """Return the gateway's host, without port."""
        return urlsplit(self.base_url).hostname or ""

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
    if alias not in accounts:
        known = ", ".join(sorted(map(repr, accounts))) or "none"
        raise InvalidConfiguration(
            f"There is no SMS account {alias!r} (known: {known}). Add it to "
            f'your settings: {SETTING} = {{"{alias}": {{"USERNAME": "…", '
            f'"PASSWORD": "…", "LINE": "…"}}}}'
        )
    return _parse_account(alias)


def get_accounts() -> tuple[Account, ...]:
    """Return all accounts, in the order they are written."""
    return tuple(get_account(alias) for alias in _configured())


def _configured() -> Mapping[str, Any]:
    accounts = getattr(settings, SETTING, None)
    if accounts is None:
        raise InvalidConfiguration(
            f"Your settings have no {SETTING}. Add: {SETTING} = "
            f'{{"{DEFAULT_ALIAS}": {{"USERNAME": "…", "PASSWORD": "…", "LINE": "…"}}}}'
        )
    if not isinstance(accounts, Mapping) or not all(
        isinstance(options, Mapping) for options in accounts.values()
    ):
        raise InvalidConfiguration(
            f"{SETTING} must be a dict of accounts, each a dict of options: "
            f'{SETTING} = {{"{DEFAULT_ALIAS}": {{"USERNAME": "…", …}}}}'
        )
    return accounts


@functools.cache
def _parse_account(alias: str) -> Account:
    options = _configured()[alias]
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
    except _Unfit as unfit:
        # The value stays out of the text: it may be the password.
        raise InvalidConfiguration(
            f"{_where(alias, key)} must be {unfit}, not a value of type "
            f"{type(value).__name__}."
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
        raise InvalidConfiguration(
            f"{_where(account.alias, 'LEASE')} is {lease:g} s; a claim must outlast "
            f"the exchange and the write after it twice over. Write at least: "
            f'"LEASE": {shortest:g}'
        )


def _where(alias: str, key: str) -> str:
    return f'{SETTING}["{alias}"]["{key}"]'


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == SETTING:
        _parse_account.cache_clear()


setting_changed.connect(_forget)
