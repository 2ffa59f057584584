"""In Django's test environment the client reaches nothing but this machine.

``manage.py test``, pytest-django and every other runner that calls
``setup_test_environment`` are in it, with or without our test kit.
"""

from __future__ import annotations

import contextlib
import ipaddress
import sys
from collections.abc import Iterable, Iterator

from django.utils.translation import gettext_lazy as _

from negin_sms.conf import Account
from negin_sms.exceptions import Effect, NotSent

_lifted = 0


def refusal_of(account: Account) -> NotSent | None:
    """Return why an account's gateway may not be reached now, None when it may."""
    if not is_on() or account.is_loopback:
        return None
    reason = _(
        "This is a test run, so only gateways on this machine are reached; no "
        "request was sent. Use SmsTestMixin or the pytest fixtures of negin_sms.testing, or "
        "name the memory gateway in your test settings."
    )
    return NotSent(reason, detail=account.host, effect=Effect.IGNORED)


def allows(addresses: Iterable[str]) -> bool:
    """Return whether these IP addresses may be connected to now."""
    if not is_on():
        return True
    return all(ipaddress.ip_address(each).is_loopback for each in addresses)


def is_on() -> bool:
    """Return whether nothing but this machine may be reached now."""
    return not _lifted and is_test_environment()


def is_test_environment() -> bool:
    """Return whether Django's test environment is set up in this process.

    Nothing of django.test is imported for that: where it is not loaded, it is not.
    """
    utils = sys.modules.get("django.test.utils")
    return hasattr(getattr(utils, "_TestState", None), "saved_data")


@contextlib.contextmanager
def lifted() -> Iterator[None]:
    """Reach any gateway meanwhile, in all threads: for tests that really send."""
    global _lifted
    _lifted += 1
    try:
        yield
    finally:
        _lifted -= 1
