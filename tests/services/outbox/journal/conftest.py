"""A folder for journals, and a process that keeps one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from negin_sms.services.outbox import journal
from tests.journal_worker import Worker


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def worker(folder: Path) -> Iterator[Worker]:
    with Worker(folder) as running:
        yield running


@pytest.fixture(autouse=True)
def _none_of_ours() -> Iterator[None]:
    journal.close_all()
    yield
    journal.close_all()
    journal.writer._hopeless_until.clear()
