"""One account's turn: chunks, answers, and what a failure leaves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from negin_sms import services
from negin_sms.exceptions import NotSent, OutcomeUnknown
from negin_sms.gateway import get_gateway
from negin_sms.models import Message
from tests.factories import MessageFactory
from tests.services.delivery.scripted import codes_of

pytestmark = pytest.mark.django_db


def test_chunks_have_the_batch_size(gateway):
    MessageFactory.create_batch(25, accepted=True)
    services.poll_states(batch_size=10)
    assert sorted(map(len, gateway.asked)) == [5, 10, 10]


def test_state_of_an_id_that_was_not_asked_for_is_ignored(gateway):
    own, other = MessageFactory.create_batch(2, accepted=True)
    gateway.strays = {own.gateway_id: {other.gateway_id: 2}}
    gateway.codes = {own.gateway_id: 1, other.gateway_id: 8}
    report = services.poll_states(batch_size=1, workers=1)
    other.refresh_from_db()
    assert (other.state, report.answered) == (8, 2)
    assert codes_of(other) == [8]


def test_what_falls_due_during_a_run_is_left_to_the_next(gateway):
    MessageFactory(accepted=True)
    report = services.poll_states(
        progress=lambda asked, states: MessageFactory(accepted=True)
    )
    assert report.asked == 1
    assert services.poll_states(dry_run=True).due == 1


def test_bad_id_is_found_by_halving_and_set_aside(gateway):
    rows = MessageFactory.create_batch(100, accepted=True)
    gateway.codes = {row.gateway_id: 1 for row in rows}
    gateway.poison = {rows[37].gateway_id}
    report = services.poll_states()
    assert report.settled == 99
    assert report.requests <= 16
    bad = Message.objects.get(pk=rows[37].pk)
    assert bad.settled_at is None
    assert bad.poll_at - timezone.now() > timedelta(hours=22)
    assert "no answer for its id" in bad.detail


@pytest.mark.parametrize(
    "error", [NotSent("down"), OutcomeUnknown("html"), KeyError("mistake")]
)
def test_failed_request_changes_nothing_and_stays_due(gateway, error):
    row = MessageFactory(accepted=True)
    gateway.error = error
    report = services.poll_states()
    row.refresh_from_db()
    assert (report.asked, report.put_off) == (0, 1)
    assert len(report.errors) == 1
    assert row.state is None
    assert timedelta(0) < row.poll_at - timezone.now() < timedelta(seconds=10)


def test_first_failure_ends_the_turn_of_that_account_only(gateway, settings):
    good = {"BACKEND": "negin_sms.gateway.memory.MemoryGateway", "LINE": "98"}
    bad = {"BACKEND": "tests.services.delivery.scripted.Scripted", "LINE": "98"}
    settings.NEGIN_SMS = {"bad": bad, "default": good}
    MessageFactory.create_batch(30, accepted=True, account="bad")
    MessageFactory(accepted=True)
    broken: Any = get_gateway("bad")
    broken.error = NotSent("down")
    report = services.poll_states(batch_size=1, workers=1)
    assert len(broken.asked) <= 2  # what was in hand: nothing is added to a failure
    assert report.asked == 1
    assert 1 <= report.put_off <= 2
    assert Message.objects.filter(account="bad", settled_at=None).count() == 30


def test_gateway_that_refuses_every_id_costs_a_few_requests(gateway):
    rows = MessageFactory.create_batch(1000, accepted=True)
    gateway.poison = {row.gateway_id for row in rows}
    report = services.poll_states()
    assert report.requests <= 12
    assert (report.asked, len(report.errors)) == (0, 1)
    soon = timezone.now() + timedelta(seconds=6)
    assert Message.objects.due_for_poll(soon).count() == 1000


def test_gateway_that_refuses_is_asked_by_one_request_at_a_time(gateway):
    rows = MessageFactory.create_batch(40, accepted=True)
    gateway.poison = {row.gateway_id for row in rows}
    services.poll_states(batch_size=10, workers=2)
    assert list(map(len, gateway.asked)) == [10, 10, 10, 10, 1, 1, 1]


def test_ids_forgotten_by_the_gateway_do_not_keep_it_from_the_young(gateway):
    old = MessageFactory.create_batch(30, accepted=True)
    (young,) = MessageFactory.create_batch(1, accepted=True)
    day = timedelta(hours=22)
    Message.objects.filter(pk__lte=old[-1].pk).update(finished_at=timezone.now() - day)
    gateway.poison = {row.gateway_id for row in old}
    gateway.codes = {young.gateway_id: 1}
    report = services.poll_states(batch_size=31)
    assert (report.asked, report.settled, report.errors) == (31, 1, ())


def test_one_refused_id_alone_says_nothing_of_the_gateway(gateway):
    row = MessageFactory(accepted=True)
    gateway.poison = {row.gateway_id}
    report = services.poll_states()
    row.refresh_from_db()
    assert (report.asked, report.errors) == (1, ())
    assert timedelta(0) < row.poll_at - timezone.now() < timedelta(minutes=1)


@pytest.mark.django_db(transaction=True)
def test_without_threads_everything_stays_due(gateway, monkeypatch):
    row = MessageFactory(accepted=True)

    def refuse(*args: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", refuse)
        report = services.poll_states()
    assert (report.asked, report.put_off) == (0, 1)
    assert "no thread" in report.errors[0]
    Message.objects.filter(pk=row.pk).update(poll_at=timezone.now())
    assert services.poll_states().asked == 1
