"""Two pollers of one account, and one that died."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from negin_sms import conf, services
from negin_sms.exceptions import NotSent
from negin_sms.models import AccountState, Message
from negin_sms.querysets import DbNow
from negin_sms.services.delivery import poller_lock
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db


def acquire(name):
    return poller_lock.acquire(conf.get_account(), name, "default")


def test_one_at_a_time_asks_for_an_account():
    assert (acquire("one"), acquire("other"), acquire("one")) == (1, 0, 1)
    poller_lock.release("other", "default")
    assert not acquire("other")
    poller_lock.release("one", "default")
    assert acquire("other")


def test_turn_of_a_dead_poller_ends_by_itself():
    acquire("dead")
    AccountState.objects.update(poller_until=timezone.now() - timedelta(seconds=1))
    assert acquire("next")


def test_poller_that_finds_another_at_it_asks_nothing(gateway):
    MessageFactory(accepted=True)
    acquire("other")
    report = services.poll_states()
    assert (report.asked, report.errors, gateway.asked) == (0, (), [])


def test_turn_is_over_after_a_run_whatever_its_end(gateway):
    MessageFactory(accepted=True)
    for gateway.error in (None, NotSent("down")):
        Message.objects.update(poll_at=DbNow(), settled_at=None)
        services.poll_states()
        assert AccountState.objects.get().poller == ""
