from __future__ import annotations

from datetime import UTC, timedelta
from datetime import timezone as fixed

import pytest
from django.utils import timezone

from negin_sms.choices import Status
from negin_sms.models import Message
from negin_sms.querysets import DbNow, clock_sql, database_now, from_now
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db


def test_database_clock_is_utc_and_near_ours():
    now = database_now("default")
    assert now.tzinfo is UTC
    assert abs(now - timezone.now()) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("vendor", "ahead"),
    [
        ("sqlite", "'NOW', '+12600 seconds'"),
        ("mysql", "+ INTERVAL 12600 SECOND"),
        ("postgresql", "STATEMENT_TIMESTAMP()"),
    ],
)
def test_clock_of_columns_that_hold_local_time(vendor, ahead):
    assert ahead in clock_sql(vendor, fixed(timedelta(hours=3.5)))
    assert clock_sql(vendor, UTC) == clock_sql(vendor)


def test_moment_is_not_earlier_than_itself():
    """Nor what is queued due later than it is: SQLite compares moments as text."""
    row = MessageFactory()
    Message.objects.update(due_at=DbNow())
    row.refresh_from_db()
    assert Message.objects.filter(due_at__gte=row.due_at).exists()


def test_clock_in_a_query_is_the_same_clock():
    row = MessageFactory()
    Message.objects.update(due_at=DbNow(), claimed_until=from_now(90))
    row.refresh_from_db()
    assert abs(row.due_at - timezone.now()) < timedelta(seconds=5)
    assert row.claimed_until - row.due_at == pytest.approx(
        timedelta(seconds=90), abs=timedelta(seconds=2)
    )


def test_due_is_queued_and_timely_and_not_over():
    now = timezone.now()
    due = MessageFactory(due_at=now - timedelta(seconds=5))
    MessageFactory(due_at=now + timedelta(hours=1))
    MessageFactory(due_at=now - timedelta(days=2), expires_at=now - timedelta(days=1))
    MessageFactory(due_at=now - timedelta(seconds=5), status=Status.DRAFT)
    assert list(Message.objects.due()) == [due]
    assert Message.objects.due(now + timedelta(hours=2)).count() == 2


def test_overdue_is_queued_and_over():
    now = timezone.now()
    row = MessageFactory(expires_at=now - timedelta(seconds=5))
    MessageFactory(expires_at=now - timedelta(seconds=5), status=Status.ACCEPTED)
    assert list(Message.objects.overdue()) == [row]


def test_stale_is_sending_with_its_lease_over():
    now = timezone.now()
    row = MessageFactory(sending=True, claimed_until=now - timedelta(seconds=5))
    MessageFactory(sending=True)
    assert list(Message.objects.stale()) == [row]
    assert Message.objects.claimed_by("host:1:abc").count() == 2


def test_queue_order_is_priority_then_due_then_id():
    now = timezone.now()
    late = MessageFactory(priority=20, due_at=now)
    early = MessageFactory(priority=20, due_at=now - timedelta(minutes=1))
    urgent = MessageFactory(priority=0, due_at=now)
    assert list(Message.objects.in_queue_order()) == [urgent, early, late]


def test_poll_adjectives():
    now = timezone.now()
    row = MessageFactory(accepted=True, poll_at=now - timedelta(seconds=5))
    MessageFactory(accepted=True, poll_at=now + timedelta(hours=1))
    MessageFactory(accepted=True, poll_at=None)
    assert list(Message.objects.due_for_poll()) == [row]
    assert Message.objects.unsettled().count() == 2
