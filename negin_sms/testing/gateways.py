"""Which gateway tests talk to: the one in memory, or a sandbox on this machine.

And whom they wake: nobody, as a worker elsewhere has another database and outbox.

Not by overriding NEGIN_SMS: whatever a test overrides it with has to be safe too.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.test import override_settings
from django.utils.module_loading import import_string

from negin_sms import conf
from negin_sms.conf.readers import is_loopback
from negin_sms.gateway.memory import MemoryGateway, outbox
from negin_sms.gateway.sandbox import Sandbox

_MEMORY = f"{MemoryGateway.__module__}.{MemoryGateway.__name__}"
# Several would race, and a test that reads the order would fail now and then.
_IN_ORDER = {"WORKERS": 1}


@contextlib.contextmanager
def in_memory() -> Iterator[None]:
    """Keep in ``outbox`` what any account would send meanwhile; begin with none.

    Orders that the outbox is given meanwhile end with it.

    Whatever the settings say, and whatever they are overridden with. Exempt are
    accounts with a subclass of MemoryGateway, and those to which a test itself gives
    a gateway of its own, or a BASE_URL on this machine. The project's WAKER is not
    called, and one worker sends: in the order of the queue.
    """
    _project_accounts()
    begin_anew()
    try:
        with conf.rewritten(_keep_in_memory):
            yield
    finally:
        outbox.forget_orders()


@contextlib.contextmanager
def sandboxed(alias: str = conf.DEFAULT_ALIAS) -> Iterator[Sandbox]:
    """Run a sandbox, and have an account talk to it over HTTP meanwhile.

    States are final at once, unless the sandbox is told otherwise (``report``). One
    worker sends: in the order of the queue.
    """
    with Sandbox(pace=0.0, slow=0.2) as sandbox:
        accounts: dict[str, Any] = getattr(settings, conf.SETTING, None) or {}
        options = dict(accounts.get(alias, {}))
        options |= {"BACKEND": conf.LIVE_BACKEND, "BASE_URL": sandbox.url, **_IN_ORDER}
        for credential in ("USERNAME", "PASSWORD"):
            options[credential] = options.get(credential) or "sandbox"
        with override_settings(**{conf.SETTING: {**accounts, alias: options}}):
            yield sandbox


def begin_anew() -> None:
    """Leave nothing of one test to the next: what it sent, and what its rows said."""
    outbox.clear()
    # Not at the top: the kit can be imported before the apps are ready.
    from negin_sms.services.outbox.gateway_binding import forget_agreements

    forget_agreements()


@functools.cache
def _project_accounts() -> Mapping[str, Any]:
    """Return NEGIN_SMS as it stood before the first test."""
    accounts = getattr(settings, conf.SETTING, None)
    return accounts if isinstance(accounts, Mapping) else {}


def _keep_in_memory(alias: str, options: conf.Options) -> conf.Options:
    backend, url = options.get("BACKEND", conf.LIVE_BACKEND), options.get("BASE_URL")
    given = _project_accounts().get(alias, {})
    if options.get("WAKER") == given.get("WAKER"):
        options = {**options, "WAKER": None}
    # What the project develops with, the console or a sandbox, is not for a test.
    own_backend = backend not in (conf.LIVE_BACKEND, given.get("BACKEND"))
    own_url = is_loopback(url) and url != given.get("BASE_URL")
    if backend == _MEMORY:
        return {**options, **_IN_ORDER}
    if own_backend or own_url or _is_memory(backend):
        return options
    return {**options, "BACKEND": _MEMORY, **_IN_ORDER}


def _is_memory(backend: Any) -> bool:
    try:
        found = import_string(backend)
    except (ImportError, AttributeError, TypeError):
        return False
    return isinstance(found, type) and issubclass(found, MemoryGateway)
