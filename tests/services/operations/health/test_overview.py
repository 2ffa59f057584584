"""The counts of each account, at the same cost for one and for many."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from negin_sms import services
from tests.factories import MessageFactory

from .looking import ago

pytestmark = pytest.mark.django_db


def test_cost_is_the_same_for_one_and_for_many():
    counts = set()
    for many in (1, 40):
        MessageFactory.create_batch(many, uncertain=True)
        MessageFactory.create_batch(many, due_at=ago(minutes=9))
        with CaptureQueriesContext(connection) as queries:
            services.health()
        counts.add(len(queries))
        assert all(query["sql"].startswith("SELECT") for query in queries)
    # The clock, the accounts, the one that counts, and who else waits.
    assert counts <= {5, 6}
