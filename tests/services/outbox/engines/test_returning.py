"""Claim and accept by one statement each."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from negin_sms.services.outbox.engines import engine_for
from negin_sms.services.outbox.engines.returning import ReturningEngine
from negin_sms.services.outbox.engines.sqlite import SqliteEngine
from tests.factories import MessageFactory, acceptance_of


@pytest.fixture
def engine() -> ReturningEngine:
    engine = engine_for("default")
    if not isinstance(engine, ReturningEngine):
        pytest.skip("this database returns no updated rows")
    return engine


@pytest.mark.parametrize("can", [True, False])
def test_serves_where_an_update_returns_its_rows(can):
    features = SimpleNamespace(can_return_rows_from_bulk_insert=can)
    server = SimpleNamespace(features=features)
    assert SqliteEngine("default").can_serve(server) is can


@pytest.mark.django_db
def test_acceptances_of_rows_that_are_not_ours_any_more_are_left(
    engine, django_assert_num_queries
):
    ours, lost = MessageFactory(sending=True), MessageFactory(sending=True)
    results = [acceptance_of(ours, "7001"), acceptance_of(lost, "7002")]
    lost.delete()
    with django_assert_num_queries(1):
        assert engine.accept(results) == ({ours.pk}, [])
