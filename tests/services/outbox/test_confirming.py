"""What is done with messages that were not sent yet."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message
from negin_sms.services.outbox import confirming
from negin_sms.services.submission.batches import look_at
from negin_sms.services.submission.seen import refuse_changed
from tests.factories import MessageFactory
from tests.services.submission.test_wakers import WOKEN

pytestmark = pytest.mark.django_db


def test_queued_drafts_wait_for_their_time():
    soon = timezone.now() + timedelta(hours=1)
    draft = MessageFactory(status=Status.DRAFT)
    later = MessageFactory(status=Status.DRAFT, send_at=soon)
    done = MessageFactory(accepted=True)
    report = services.queue_messages([draft, later, done])
    assert (report.done, report.skipped[0][0]) == (2, done.pk)
    draft.refresh_from_db()
    later.refresh_from_db()
    assert draft.status == later.status == Status.QUEUED
    assert later.due_at == soon
    assert later.expires_at == soon + timedelta(days=1)


def test_draft_of_an_account_that_is_gone_is_skipped_with_the_reason(
    settings, django_capture_on_commit_callbacks
):
    waker = {"WAKER": "tests.services.submission.test_wakers.note_waking"}
    settings.NEGIN_SMS = {"default": settings.NEGIN_SMS["default"] | waker}
    rows = [MessageFactory(status="draft", account=a) for a in ("gone", "default")]
    other = MessageFactory(account="gone")
    WOKEN.clear()
    with django_capture_on_commit_callbacks(execute=True):
        report = services.queue_messages([*rows, other])
    assert (report.done, WOKEN) == (1, ["default"])
    reasons = dict(report.skipped)
    assert "no SMS account 'gone'" in reasons[rows[0].pk]
    assert "Its status" in reasons[other.pk]
    statuses = [Message.objects.get(pk=row.pk).status for row in rows]
    assert statuses == [Status.DRAFT, Status.QUEUED]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", ["cancel", "give_up"])
def test_cancelling_that_ends_a_deadlock_is_tried_again(monkeypatch, how):
    """With caps it meets the gate at the counts; the database lets one of them fail."""
    cancel, calls = confirming._cancel, list[object]()

    def lose_once(*args):
        calls.append(args)
        if len(calls) == 1:
            raise OperationalError(1213, "Deadlock found")
        return cancel(*args)

    monkeypatch.setattr(confirming, "_cancel", lose_once)
    row = MessageFactory()
    if how == "cancel":
        assert services.cancel(row).done == 1
    else:
        assert confirming.give_up(row, "", "default")
    row.refresh_from_db()
    assert row.status == Status.CANCELLED


def test_cancel_takes_drafts_and_queued_rows_only():
    rows = [
        MessageFactory(),
        MessageFactory(status=Status.DRAFT),
        MessageFactory(sending=True),
        MessageFactory(accepted=True),
    ]
    report = services.cancel(rows)
    assert report.done == 2
    assert [pk for pk, _why in report.skipped] == [rows[2].pk, rows[3].pk]
    assert Message.objects.filter(status=Status.CANCELLED).count() == 2


def test_draft_that_comes_to_a_batch_while_it_is_confirmed_does_not_leave(monkeypatch):
    """On PostgreSQL it may be committed between the comparison and the UPDATE."""
    MessageFactory(status=Status.DRAFT, group="spring")
    other = MessageFactory(status=Status.DRAFT, group="autumn")
    seen = look_at("spring").seen

    def compare_and_move(rows, seen):
        count = refuse_changed(rows, seen)
        Message.objects.filter(pk=other.pk).update(group="spring")
        return count

    monkeypatch.setattr(confirming, "refuse_changed", compare_and_move)
    with pytest.raises(InvalidMessage, match="changed these messages"):
        services.confirm_batch("spring", seen=seen)
    assert Message.objects.filter(status=Status.DRAFT).count() == 2
