"""The pytest plugin: messages stay in memory, and tests look at them.

Loaded in every run of pytest where this package is installed, so nothing of Django
is imported here, and nothing is done for projects that do not use the app.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from . import Outbox, Sandbox

_LIVE = "sms_live"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option that leaves the accounts alone in all tests."""
    words = "Leave the SMS accounts as the settings say; messages are really sent."
    parser.addini(_LIVE, words, type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker that leaves them alone in one test."""
    words = f"{_LIVE}: leave the SMS accounts as the settings say."
    config.addinivalue_line("markers", words)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Keep what a test and its fixtures send in memory."""
    with _gateway_of(item):
        return (yield)


@pytest.fixture
def sms_outbox() -> Outbox:
    """Return what this test has sent, as a list; it takes orders too (``refuse`` …)."""
    from negin_sms.gateway.memory import outbox

    return outbox


@pytest.fixture
def sms_sandbox() -> Iterator[Sandbox]:
    """Run a gateway on this machine, to which the default account talks over HTTP."""
    from .gateways import sandboxed

    with sandboxed() as sandbox:
        yield sandbox


def _gateway_of(item: pytest.Item) -> contextlib.AbstractContextManager[None]:
    if not _is_in_use():
        return contextlib.nullcontext()
    if item.config.getini(_LIVE) or item.get_closest_marker(_LIVE):
        from negin_sms.gateway.loopback_only import lifted

        return lifted()
    from .gateways import in_memory

    return in_memory()


def _is_in_use() -> bool:
    """Return whether this project has the app, as far as it is set up by now."""
    registry = sys.modules.get("django.apps")
    if registry is None or not registry.apps.ready:
        return False
    installed: bool = registry.apps.is_installed("negin_sms")
    return installed
