"""Fixtures: the code that arrived, and limits that start anew at each test."""

from __future__ import annotations

import gc
import re
import warnings
from collections.abc import Callable, Iterator

import pytest
from django.core.cache import cache

from negin_sms.gateway.sandbox import Sandbox


@pytest.fixture(autouse=True)
def _no_limits_used() -> None:
    cache.clear()


@pytest.fixture
def texts(live: Sandbox) -> Callable[[], list[str]]:
    """Return the texts that phones received, oldest first."""
    return lambda: [taken.form["message"] for taken in live.taken]


@pytest.fixture
def last_code(texts) -> Callable[[], str]:
    """Return the code of the newest text as its reader would: the first thing in it."""

    def read() -> str:
        found = re.match(r"(\d{6}) ", texts()[-1])
        assert found, "a text does not begin with its code"
        return found[1]

    return read


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Let connections go that threads of other packages have opened.

    Django keeps those to a SQLite database in memory open, in each thread.
    """
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
