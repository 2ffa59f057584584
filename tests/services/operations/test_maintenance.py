"""What every dispatcher and poller does beside its own work, and how often."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from negin_sms.models import AccountState, Message
from negin_sms.services.operations.maintenance import Maintenance
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db


def test_one_run_expires_what_is_over_and_leaves_a_heartbeat():
    past = timezone.now() - timedelta(seconds=1)
    MessageFactory(sending=True, claimed_until=past)
    MessageFactory(expires_at=past)
    run = Maintenance(["default"], "poller_seen_at", using="default")
    assert run.run() == {"expired_claims": 1, "expired": 1}
    statuses = Message.objects.order_by("pk").values_list("status", flat=True)
    assert list(statuses) == ["uncertain", "expired"]
    assert AccountState.objects.get().poller_seen_at is not None


def test_second_call_at_once_asks_nothing(django_assert_num_queries):
    run = Maintenance(["default"], "dispatcher_seen_at", using="default")
    run.run()
    with django_assert_num_queries(0):
        assert run.run() == {}
