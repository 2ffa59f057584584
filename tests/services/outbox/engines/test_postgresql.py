"""PostgreSQL's words for claim and accept."""

from __future__ import annotations

from negin_sms.services.outbox.engines.postgresql import PostgresqlEngine


def test_rows_are_taken_once_for_all_and_those_of_others_skipped():
    """Without MATERIALIZED a claim of 16 took all of a fresh table."""
    words = PostgresqlEngine("default").taken_sql("SELECT {}", [0, 20])
    assert words.startswith("MATERIALIZED (")
    assert "FOR UPDATE SKIP LOCKED" in words
    assert words.index("(0)") < words.index("(20)")


def test_keys_are_told_beside_the_values():
    values = PostgresqlEngine("default").accept_values([[7, "c"], [9, "c"]])
    assert values["keys"] == [7, 9]
