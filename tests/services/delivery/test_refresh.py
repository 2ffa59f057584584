"""Asking by hand: what can be asked about, and how often."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from negin_sms import services
from negin_sms.admin.actions import REFRESH
from negin_sms.choices import Flag
from negin_sms.exceptions import NotSent, OutcomeUnknown, Throttled
from negin_sms.models import AccountState, Message
from negin_sms.signals import message_settled
from tests.factories import MessageFactory
from tests.services.delivery.scripted import poll

pytestmark = pytest.mark.django_db


def test_refresh_after_the_last_word_can_still_deliver(gateway):
    row = MessageFactory(accepted=True)
    poll(gateway, row, 2)
    gateway.codes[row.gateway_id] = 1
    report = services.refresh_states([row])
    row.refresh_from_db()
    assert (row.state, report.changed) == (1, 1)
    assert row.poll_at is None
    assert row.states.last().source == "refresh"


def test_only_accepted_rows_with_an_id_are_refreshed(gateway):
    rows = [
        MessageFactory(),
        MessageFactory(uncertain=True),
        MessageFactory(accepted=True, flag=Flag.SHARED_ID),
    ]
    report = services.refresh_states(rows)
    assert report.requests == 0
    assert [pk for pk, _why in report.skipped] == [row.pk for row in rows]


def test_message_that_was_resolved_without_an_id_is_not_said_to_be_refused(gateway):
    row = MessageFactory(uncertain=True)
    services.resolve(row, "accepted", by=None, why="in the panel")
    row.refresh_from_db()
    assert not REFRESH.fits(row)  # nor is the button there
    ((_pk, why),) = services.refresh_states([row]).skipped
    assert "no gateway id" in why


def test_id_that_the_gateway_has_forgotten_says_nothing_new(gateway):
    """Of what was settled long ago: it is not settled again, nor told of."""
    told = []

    def note(message, **kwargs):
        told.append(message.pk)

    old, young = MessageFactory.create_batch(2, accepted=True)
    poll(gateway, old, 1)
    ago = timezone.now() - timedelta(days=2)
    Message.objects.filter(pk=old.pk).update(finished_at=ago, settled_at=ago)
    gateway.codes[young.gateway_id] = 8
    gateway.poison = {old.gateway_id}
    message_settled.connect(note)
    report = services.refresh_states([old, young])
    message_settled.disconnect(note)
    old.refresh_from_db()
    assert (old.state, old.detail, old.settled_at) == (1, "", ago)
    assert (told, report.settled, report.no_report) == ([], 0, 0)


def test_account_that_is_gone_does_not_keep_the_others_from_it(gateway):
    old = MessageFactory(accepted=True, account="gone")
    row = MessageFactory(accepted=True)
    report = services.refresh_states([old, row])
    assert (report.asked, [pk for pk, _why in report.skipped]) == (1, [old.pk])
    assert "no SMS account 'gone'" in dict(report.skipped)[old.pk]


def refresh(row) -> str:
    """Refresh one message; return why it was skipped."""
    return dict(services.refresh_states([row]).skipped).get(row.pk, "")


def test_pressing_again_and_again_is_stopped(gateway, monkeypatch):
    row, now = MessageFactory(accepted=True), timezone.now()
    module = "negin_sms.services.delivery.refresh"
    monkeypatch.setattr(f"{module}.database_now", lambda using: now)
    whys = [refresh(row) for _ in range(40)]
    assert not any(whys[:20])
    assert all("try again in" in why for why in whys[20:])
    assert len(gateway.asked) == 20


def test_pace_is_one_for_all_that_ask_and_ends(gateway):
    first, second = MessageFactory.create_batch(2, accepted=True)
    AccountState.objects.create(
        account="default", refresh_busy_until=timezone.now() + timedelta(seconds=60)
    )
    assert "try again in 4" in refresh(first)
    later = timezone.now() + timedelta(seconds=15)
    AccountState.objects.update(refresh_busy_until=later)
    assert refresh(second) == ""


def test_twenty_at_once_are_twenty(gateway):
    first, second = MessageFactory.create_batch(2, accepted=True)
    nineteen, twenty = (timezone.now() + timedelta(seconds=n) for n in (19, 20))
    AccountState.objects.create(account="default", refresh_busy_until=nineteen)
    assert refresh(first) == ""
    AccountState.objects.update(refresh_busy_until=twenty)
    assert "try again in 1 s" in refresh(second)


def test_large_refresh_costs_more_of_the_pace(gateway):
    services.refresh_states(MessageFactory.create_batch(301, accepted=True))
    busy = AccountState.objects.get().refresh_busy_until
    assert timedelta(seconds=2) < busy - timezone.now() < timedelta(seconds=4.1)


def test_gateway_that_gives_no_states_is_left_alone_by_hand_too(gateway):
    row = MessageFactory(accepted=True)
    gateway.error = OutcomeUnknown("no answer")
    assert refresh(row) == ""
    assert "no answer" in refresh(row)
    assert len(gateway.asked) == 1


@pytest.mark.parametrize("error", [NotSent("down"), Throttled("busy", code=23)])
def test_refresh_cannot_stop_sending(gateway, error):
    row = MessageFactory(accepted=True)
    gateway.error = error
    for _ in range(6):
        AccountState.objects.update(poll_after=None)
        services.refresh_states([row])
    assert not AccountState.objects.get().is_paused
    assert services.send_sms("09395213300", "x").status == "accepted"
