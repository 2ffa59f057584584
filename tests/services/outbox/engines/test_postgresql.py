"""PostgreSQL's words for claim and accept."""

from __future__ import annotations

from negin_sms.services.outbox.engines.postgresql import PostgresqlEngine
from tests.factories import MessageFactory, acceptance_of


def test_rows_are_taken_once_for_all_and_those_of_others_skipped():
    """Without MATERIALIZED a claim of 16 took all of a fresh table."""
    words = PostgresqlEngine("default").taken_sql("SELECT {}", [0, 20])
    assert words.startswith("MATERIALIZED (")
    assert "FOR UPDATE SKIP LOCKED" in words
    assert words.index("(0)") < words.index("(20)")


def test_keys_are_told_beside_the_values():
    rows = [MessageFactory.build(pk=pk, sending=True) for pk in (7, 9)]
    values = PostgresqlEngine("default").accept_values(
        [acceptance_of(row) for row in rows]
    )
    assert values["keys"] == [7, 9]
