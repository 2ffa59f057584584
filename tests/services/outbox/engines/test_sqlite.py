"""SQLite's words for claim and accept."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest
from django.db import connection

from negin_sms.services.outbox.engines.sqlite import SqliteEngine


@pytest.mark.skipif(connection.vendor != "sqlite", reason="asks SQLite's clock")
def test_time_after_a_length_is_a_modifier_of_the_clock():
    engine = SqliteEngine("default")
    later = engine.later(f"'{engine.interval(90)}'")
    now = "2026-11-27 10:00:00"
    words = later.replace("'NOW'", f"'{now}'").replace("%%", "%")
    with contextlib.closing(sqlite3.connect(":memory:")) as memory:
        (found,) = memory.execute(f"SELECT {words}").fetchone()
    assert found.startswith("2026-11-27 10:01:30")


def test_priorities_are_read_one_after_the_other():
    words = SqliteEngine("default").taken_sql("SELECT {}", [0, 20])
    assert words.index("SELECT 0") < words.index("UNION ALL") < words.index("SELECT 20")
