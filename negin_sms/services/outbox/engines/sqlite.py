"""SQLite's words for claim and accept."""

from __future__ import annotations

from collections.abc import Sequence

from .returning import ReturningEngine
from .sql import COLUMNS


class SqliteEngine(ReturningEngine):
    """Needs no lock of rows: its transaction is the lock."""

    told = "SELECT {} FROM json_each(%(told)s)".format(
        ", ".join(
            f"json_extract(value, '$[{place}]') AS {name}"
            for place, name in enumerate(COLUMNS)
        )
    )

    def interval(self, seconds: float) -> str:
        """Return a length of time as a modifier."""
        return f"{seconds:+.3f} seconds"

    def later(self, interval: str) -> str:
        """Return the time after a modifier, which is an argument of the clock."""
        return self.now.replace("'NOW'", f"'NOW', {interval}")

    def told_interval(self) -> str:
        """Return the interval as a modifier."""
        return "told.poll_in || ' seconds'"

    def taken_sql(self, due: str, priorities: Sequence[int]) -> str:
        """Select one priority after the other."""
        arms = (f"SELECT id FROM ({due.format(priority)})" for priority in priorities)
        return f"({' UNION ALL '.join(arms)} LIMIT %(limit)s)"
