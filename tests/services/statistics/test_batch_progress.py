"""How far a batch has come: every message counted once, whatever became of it."""

from __future__ import annotations

import itertools

import pytest
from django.utils import timezone

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.models import Message
from negin_sms.services.statistics import batch_progress as module
from negin_sms.services.statistics.batch_progress import (
    STANDINGS,
    batch_progress,
    failed_of,
    latest_batches,
    rows_of_batch,
    waiting_of,
)
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db


def batch():
    return rows_of_batch(Message.objects.all(), "g")


def test_each_message_stands_in_one_place_whatever_its_columns_say():
    settled = (None, timezone.now())
    states = (None, -1, 0, 1, 2, 8, 16, 99)
    for status, state, at in itertools.product(Status, states, settled):
        MessageFactory(group="g", status=status, state=state, settled_at=at)
    rows = Message.objects.all()
    for row in rows:
        places = [n for n, q in STANDINGS.items() if rows.filter(q, pk=row.pk)]
        assert len(places) == 1, (row.status, row.state, row.settled_at)
    assert batch_progress(batch()).total == len(rows)


def test_counts_what_is_over_and_what_waits():
    for status in ("draft", "queued", "held", "sending", "rejected"):
        MessageFactory(group="g", status=status)
    MessageFactory(group="g", accepted=True)
    MessageFactory(group="g", accepted=True, state=1)
    MessageFactory(group="other")
    progress = batch_progress(batch())
    assert (progress.total, progress.over, progress.waiting) == (7, 2, 3)
    assert progress.standings["on_its_way"] == progress.standings["delivered"] == 1


def test_failures_come_by_reason_the_most_frequent_first():
    for _ in range(2):
        MessageFactory(group="g", status="rejected", code=27, detail="x")
    MessageFactory(group="g", status="cancelled", detail="It has opted out.")
    MessageFactory(group="g", accepted=True, state=16)
    first, *others = batch_progress(batch()).failures
    assert (first.standing, first.count) == ("rejected", 2)
    assert "27" not in first.reason
    assert {(each.standing, each.reason) for each in others} == {
        ("cancelled", "It has opted out."),
        ("refused", "Refused by the operator"),
    }


def test_cancelled_one_says_why_and_not_what_an_earlier_try_was_answered():
    MessageFactory(group="g", status="cancelled", code=14, detail="Cancelled by ali.")
    (failure,) = batch_progress(batch()).failures
    assert failure.reason == "Cancelled by ali."


def test_failed_are_those_that_nobody_has_to_look_up_and_that_were_not_sent_again():
    for status in ("cancelled", "uncertain", "queued"):
        MessageFactory(group="g", status=status)
    MessageFactory(group="g", accepted=True, state=1)
    MessageFactory(group="g", status="rejected", redacted_at=timezone.now())
    failed = [
        MessageFactory(group="g", status="rejected"),
        MessageFactory(group="g", status="expired"),
        MessageFactory(group="g", accepted=True, state=2),
        MessageFactory(group="g", accepted=True, state=16),
    ]
    assert list(failed_of(batch())) == failed
    services.resend(failed[:1], by=None)
    assert list(failed_of(batch())) == failed[1:]
    assert batch_progress(batch()).to_resend == 3


def test_waiting_are_those_that_have_not_left():
    rows = [MessageFactory(group="g", status=s) for s in ("draft", "queued", "held")]
    MessageFactory(group="g", sending=True)
    assert list(waiting_of(batch())) == rows


def test_only_the_newest_of_a_large_group_are_counted(monkeypatch):
    monkeypatch.setattr(module, "MOST_COUNTED", 3)
    for _ in range(2):
        MessageFactory(group="g", status="rejected", code=27)
    for _ in range(3):
        MessageFactory(group="g")
    progress = batch_progress(batch())
    assert (progress.total, progress.is_capped) == (3, True)
    assert (progress.failures, progress.to_resend) == ((), 0)


@pytest.mark.parametrize("group", ["", "\0", "other"])
def test_no_group_has_no_messages(group):
    MessageFactory(group="")
    assert not rows_of_batch(Message.objects.all(), group)


def test_latest_batches_are_the_groups_of_the_newest_messages(monkeypatch):
    for group in ("old", "", "a", "b", "b", "a"):
        MessageFactory(group=group)
    monkeypatch.setattr(module, "MOST_COUNTED", 4)
    found = latest_batches(Message.objects.all())
    assert [(each.group, each.recipients) for each in found] == [("a", 2), ("b", 2)]
    assert not any(each.is_capped for each in found)
    monkeypatch.setattr(module, "MOST_COUNTED", 3)
    cut, whole = latest_batches(Message.objects.all())
    assert (cut.recipients, cut.is_capped, whole.is_capped) == (1, True, False)
    assert cut.created_at == Message.objects.filter(group="a").earliest("pk").created_at
    # As ``queue_many`` writes them.
    Message.objects.update(created_at=cut.created_at)
    cut, whole = latest_batches(Message.objects.all())
    assert (cut.recipients, cut.is_capped, whole.is_capped) == (1, True, False)


def test_uncertain_message_is_not_over():
    MessageFactory(group="g", status="uncertain")
    MessageFactory(group="g", status="rejected")
    assert batch_progress(batch()).over == 1


def test_costs_a_few_queries(django_assert_num_queries):
    MessageFactory.create_batch(3, group="g", status="rejected")
    with django_assert_num_queries(4):
        batch_progress(batch())
