"""The far side of the wire: one interface, the real gateway and its peers."""

from __future__ import annotations

import functools
import inspect
import math
import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from negin_sms.conf import (
    DEFAULT_ALIAS,
    LIVE_BACKEND,
    SETTING,
    Account,
    get_account,
)
from negin_sms.exceptions import InvalidConfiguration

from . import failures
from .wire import SendReply, SendRequest


class Gateway(Protocol):
    """What every backend can do. Instances are shared between threads.

    Both methods raise the kinds of exceptions.GatewayError and nothing else.
    """

    def __init__(self, account: Account) -> None: ...

    def send(self, request: SendRequest, *, start_by: float = math.inf) -> SendReply:
        """Send one message; write nothing once the monotonic ``start_by`` is over."""

    def states(self, ids: Sequence[str]) -> dict[str, int]:
        """Return the state codes of those ids that the gateway knows."""


def send_noting(
    gateway: Gateway,
    request: SendRequest,
    *,
    start_by: float,
    on_begin: Callable[[], object],
) -> SendReply:
    """Send one message, and call ``on_begin`` before anything of it leaves.

    Just before the first byte, where the gateway's ``send`` takes it as an argument;
    before the call, where not. Its OSError means that nothing was sent: NotSent.
    """
    if _takes_on_begin(type(gateway)):
        send: Callable[..., SendReply] = gateway.send
        return send(request, start_by=start_by, on_begin=on_begin)
    try:
        on_begin()
    except OSError:
        raise failures.not_noted() from None
    return gateway.send(request, start_by=start_by)


@functools.cache
def _takes_on_begin(kind: type[Gateway]) -> bool:
    return "on_begin" in inspect.signature(kind.send).parameters


def get_gateway(alias: str = DEFAULT_ALIAS) -> Gateway:
    """Return the gateway of an account, made once for each process."""
    return _make(alias)


def make_ready(alias: str) -> None:
    """Let an account's gateway take what it needs, before others take the last thread.

    Raise OSError where it cannot send. Nothing to do for gateways that need nothing.
    """
    ready = getattr(get_gateway(alias), "make_ready", None)
    if ready is not None:
        ready()


def suspend_keep_alive(alias: str) -> None:
    """Have an account open a connection for each request, for ten minutes.

    For whoever finds an id that several messages were given: answers came late, and on
    a kept connection the next request reads them as its own. Nothing to do for
    gateways that keep none.
    """
    suspend = getattr(get_gateway(alias), "suspend_keep_alive", None)
    if suspend is not None:
        suspend()


def gateway_class(account: Account) -> type[Gateway]:
    """Return the class that BACKEND names; InvalidConfiguration where it is none."""
    try:
        named: Any = import_string(account.backend)
    except ImportError:
        named = None
    if not isinstance(named, type) or not callable(getattr(named, "send", None)):
        raise InvalidConfiguration(
            f'{SETTING}["{account.alias}"]["BACKEND"] names no gateway. Write the dotted '
            f'path of a gateway\'s class, such as "{LIVE_BACKEND}", or leave it out.'
        )
    return named


@functools.cache
def _make(alias: str) -> Gateway:
    account = get_account(alias)
    return gateway_class(account)(account)


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting == SETTING:
        _make.cache_clear()


setting_changed.connect(_forget)
# Two processes must never share a kept connection.
os.register_at_fork(after_in_child=_make.cache_clear)
