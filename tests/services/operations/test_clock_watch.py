from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from negin_sms import services
from negin_sms.models import AccountState, Message
from negin_sms.services.operations import clock_watch
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db(transaction=True)


def overdue(*, seen: timedelta) -> Message:
    """Make a message that has expired by the clock; the last run was so long ago."""
    now = timezone.now()
    AccountState.objects.create(account="default", dispatcher_seen_at=now - seen)
    return MessageFactory(expires_at=now - timedelta(hours=1))


def test_a_jump_is_said_before_anything_expires(caplog):
    """The database's clock is two days ahead, for one run."""
    message = overdue(seen=timedelta(days=2))
    assert services.dispatch_queue().expired == 0
    message.refresh_from_db()
    assert message.status == "queued"
    (said,) = [r.getMessage() for r in caplog.records if "clock says" in r.msg]
    assert "the last run was at" in said


def test_what_is_overdue_expires_when_runs_come_one_after_the_other():
    message = overdue(seen=timedelta(minutes=1))
    assert services.dispatch_queue().expired == 1
    message.refresh_from_db()
    assert message.status == "expired"


def test_the_next_run_believes_the_clock():
    overdue(seen=timedelta(days=2))
    services.dispatch_queue()
    assert services.dispatch_queue().expired == 1


def test_a_first_run_has_nothing_to_compare_with():
    MessageFactory(expires_at=timezone.now() - timedelta(hours=1))
    assert services.dispatch_queue().expired == 1


def test_one_process_waits_before_it_believes(monkeypatch):
    overdue(seen=timedelta(days=2))
    watch = clock_watch.ClockWatch("dispatcher_seen_at", "default")
    assert watch.is_doubtful()
    AccountState.objects.update(dispatcher_seen_at=timezone.now())
    assert watch.is_doubtful()
    watch._doubted_until = 0.0
    assert not watch.is_doubtful()
