"""A site on which all run, unless a test says otherwise."""

from __future__ import annotations

from datetime import timedelta

import pytest

from .looking import seen


@pytest.fixture(autouse=True)
def alive(db: None) -> None:
    seen(timedelta())
