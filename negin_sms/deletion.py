"""What becomes of a row whose other row is deleted."""

from __future__ import annotations

from typing import Any


def unlink(collector: Any, field: Any, rows: Any, using: str) -> None:
    """Set the link to NULL, as Django's SET_NULL does, by the index of the link.

    Almost all links are empty. SQLite's statistics (ANALYZE, PRAGMA optimize) take
    that for a value like others, and its planner reads the whole table then, rather
    than to look up a few; a range of keys it looks up.
    """
    by_index = rows.filter(**{f"{field.name}__gt": 0})
    collector.add_field_update(field, None, by_index)


# As Django's own: the rows are not fetched, one UPDATE changes them.
unlink.lazy_sub_objs = True  # type: ignore[attr-defined]
