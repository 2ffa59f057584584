"""The counts of each account, at the same cost for one and for many."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from negin_sms import services
from negin_sms.models import AccountState
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db


def ago(**kwargs: float):
    return timezone.now() - timedelta(**kwargs)


@pytest.fixture(autouse=True)
def alive() -> None:
    """Have a dispatcher and a poller that came by just now."""
    seen(timedelta())


def seen(long_ago: timedelta, **fields: Any) -> None:
    at = timezone.now() - long_ago
    AccountState.objects.update_or_create(
        account="default",
        defaults={"dispatcher_seen_at": at, "poller_seen_at": at, **fields},
    )


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
