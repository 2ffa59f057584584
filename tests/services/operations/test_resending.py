"""Sending again: when, once, by which way, and at which time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from negin_sms import services
from negin_sms.choices import State, Status
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message
from tests.factories import MOBILE, MessageFactory

pytestmark = pytest.mark.django_db


def test_resend_makes_one_linked_row_however_often():
    user = get_user_model()._default_manager.create(username="staff")
    old = MessageFactory(uncertain=True, idempotency_key="k", text="again")
    assert services.resend([old], by=user).done == 1
    report = services.resend([old], by=user)
    assert (report.done, report.skipped) == (
        0,
        ((old.pk, "It was sent again already."),),
    )
    new = Message.objects.get(resend_of=old)
    assert (new.status, new.text, new.created_by) == ("queued", "again", user)
    assert new.idempotency_key is None
    old.refresh_from_db()
    assert old.status == Status.UNCERTAIN


@pytest.mark.parametrize("later", [timedelta(days=2), None])
def test_resend_may_wait_as_long_as_the_old_one_could(later):
    moment = later and timezone.now() + later
    old = services.queue_sms(MOBILE, "x", send_at=moment, expires_in=3600)
    services.cancel(old)
    services.resend(old, by=None)
    new = Message.objects.get(resend_of=old)
    assert new.lifetime == timedelta(hours=1)
    assert moment is None or new.expires_at == old.expires_at


def test_row_of_others_that_has_no_time_to_wait_has_that_of_the_account():
    moment = timezone.now()
    old = MessageFactory(status="rejected", begins_at=moment, expires_at=moment)
    services.resend(old, by=None)
    assert Message.objects.get(resend_of=old).lifetime == timedelta(days=1)


@pytest.mark.parametrize("status", [Status.ACCEPTED, Status.QUEUED, Status.SENDING])
def test_resend_leaves_what_is_not_uncertain_or_rejected(status):
    row = MessageFactory(status=status)
    assert services.resend([row], by=None).done == 0
    assert Message.objects.count() == 1


def test_resend_by_a_way_that_is_none_is_refused_and_not_skipped():
    row = MessageFactory(status=Status.CANCELLED)
    with pytest.raises(InvalidMessage, match="did you mean “chelcheleh”"):
        services.resend(row, by=None, scenario="chelchele")


def test_resend_of_a_row_that_is_gone():
    row = MessageFactory()
    pk = row.pk
    row.delete()
    row.pk = pk
    assert "no such message" in services.resend([row], by=None).skipped[0][1]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status": "draft"}, "It is a draft: a person confirms or discards it."),
        ({"status": "held"}, "It is held: a person releases or cancels it."),
        ({}, "It waits in the queue and will be sent: it is not sent again."),
        ({"sending": True}, "It may arrive yet, or has arrived: it is not sent again."),
        (
            {"accepted": True},
            "It may arrive yet, or has arrived: it is not sent again.",
        ),
    ],
)
def test_what_is_not_over_is_skipped_in_fitting_words(fields, words):
    row = MessageFactory(**fields)
    ((_pk, why),) = services.resend([row], by=None).skipped
    assert why == words


@pytest.mark.parametrize(("hours", "is_kept"), [(48, True), (-1, False)])
def test_time_that_is_still_to_come_is_kept(hours, is_kept):
    """A reminder that was cancelled by mistake is not one for today."""
    at = timezone.now() + timedelta(hours=hours)
    old = MessageFactory(status=Status.CANCELLED, send_at=at)
    services.resend(old, by=None)
    new = Message.objects.get(resend_of=old)
    assert new.send_at == at
    assert (new.due_at == at) is is_kept
    assert (new.due_at == at) is is_kept


def test_what_somebody_sent_before_its_time_does_not_wait_for_it_now():
    at = timezone.now() + timedelta(days=10)
    old = services.queue_sms(MOBILE, "x", send_at=at, expires_in=3600)
    assert services.send_messages([old]).done == 1
    Message.objects.update(state=State.UNDELIVERED, idempotency_key="k")
    services.resend([old], by=None)
    new = Message.objects.get(resend_of=old)
    assert new.send_at is None
    assert new.due_at <= timezone.now()
    assert new.lifetime == timedelta(hours=1)
    old.refresh_from_db()
    assert old.send_at == at  # its key still stands for that


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.EXPIRED])
def test_what_ended_without_having_left_keeps_its_time(status):
    at = timezone.now() + timedelta(days=10)
    now = timezone.now()
    old = MessageFactory(status=status, send_at=at, due_at=at, finished_at=now)
    services.resend([old], by=None)
    assert Message.objects.get(resend_of=old).due_at == at
