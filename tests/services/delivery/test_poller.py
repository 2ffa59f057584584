"""A run of the poller over its accounts, once and for ever."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from negin_sms import services
from negin_sms.choices import State, Status
from negin_sms.exceptions import NotSent
from negin_sms.models import AccountState
from negin_sms.querysets import DbNow
from tests.factories import MessageFactory
from tests.services.delivery.scripted import poll

pytestmark = pytest.mark.django_db


def test_limit_and_since_and_dry_run(gateway):
    MessageFactory.create_batch(5, accepted=True)
    later = timezone.now() + timedelta(minutes=1)
    assert services.poll_states(dry_run=True).due == 5
    assert services.poll_states(since=later, dry_run=True).due == 0
    assert gateway.asked == []
    assert services.poll_states(limit=2).asked == 2
    assert services.poll_states(dry_run=True).due == 3


def test_forever_looks_again_until_it_is_stopped(gateway):
    MessageFactory(accepted=True)
    stop = threading.Event()

    def progress(asked, states):
        if asked < 3:
            MessageFactory(accepted=True)
        else:
            stop.set()

    report = services.poll_states(
        forever=True, interval=0.01, stop=stop, progress=progress
    )
    assert report.asked == 3


def test_limit_counts_over_all_looks(gateway):
    MessageFactory.create_batch(5, accepted=True)
    report = services.poll_states(forever=True, interval=0.01, limit=3, batch_size=2)
    assert report.asked == 3


@pytest.mark.long
def test_errors_of_an_earlier_look_are_over(gateway, monkeypatch):
    monkeypatch.setattr("negin_sms.services.delivery.account_poller.POLL_RETRY", 0.01)
    MessageFactory(accepted=True)
    gateway.errors = [NotSent("down")]
    report = services.poll_states(forever=True, interval=0.02, limit=1)
    assert (report.asked, report.put_off, report.errors) == (1, 1, ())


def test_pause_by_hand_stops_sending_not_asking(gateway):
    services.pause_account("default", reason="maintenance")
    row = MessageFactory(accepted=True)
    assert poll(gateway, row, 1).settled == 1


def test_resolved_message_is_asked_about(gateway):
    row = MessageFactory(uncertain=True)
    services.resolve(row, "accepted", by=None, why="panel", gateway_id="9001")
    poll(gateway, row, 1)
    assert row.state == State.DELIVERED


def test_poller_is_seen(gateway):
    services.poll_states()
    seen = AccountState.objects.get().poller_seen_at
    assert timezone.now() - seen < timedelta(seconds=5)


def test_poller_rescues_what_a_dead_dispatcher_held(gateway):
    row = MessageFactory(sending=True, claimed_until=DbNow())
    services.poll_states()
    row.refresh_from_db()
    assert row.status == Status.UNCERTAIN
