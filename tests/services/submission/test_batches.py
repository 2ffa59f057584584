from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.exceptions import InvalidMessage
from negin_sms.gateway.memory import outbox
from negin_sms.models import Message
from negin_sms.services.outbox.confirming import confirm_batch
from negin_sms.services.submission import batches
from negin_sms.services.submission.batches import (
    discard,
    look_at,
    unconfirmed,
)
from negin_sms.services.submission.drafting import Drafted, draft_batch
from negin_sms.services.submission.recipients.reader import read_sheet
from negin_sms.services.submission.recipients.tables import Row, Sheet
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db

woken: list[str] = []


def note_waking(alias: str) -> None:
    woken.append(alias)


def many(count: int) -> Sheet:
    rows = (Row(at, f"0939{at:07}", {"name": f"N{at}"}) for at in range(1, count + 1))
    return Sheet(tuple(rows), ("name",))


def draft(pasted: str, text: str = "Hello", **fields) -> Drafted:
    return draft_batch(text, [read_sheet(pasted)], **fields)


class TestLookAt:
    def test_totals_and_samples(self):
        long = "س" * 80
        pasted = "mobile,name\n" + "".join(
            f"0939521330{at},{long if at else 'Sara'}\n" for at in range(7)
        )
        group = draft(pasted, "{name}").group
        batch = look_at(group)
        assert (batch.recipients, batch.total_parts) == (7, 13)
        assert (batch.fewest_parts, batch.most_parts) == (1, 2)
        assert [m.text for m in batch.samples] == ["Sara", *[long] * 4]

    def test_group_without_drafts_is_none(self):
        MessageFactory(group="g")
        assert look_at("g") is None

    def test_costs_three_queries(self, django_assert_num_queries):
        group = draft_batch("Hello", [many(20)]).group
        with django_assert_num_queries(3):
            look_at(group)

    @pytest.mark.parametrize(
        "name", ["????", "Ali ???", "S\ufffdra", "#N/A", "#NUM!", "•••"]
    )
    def test_names_that_lost_their_letters_are_counted(self, name):
        pasted = f"mobile,name\n09395213300,Sara\n09395213301,{name}"
        MessageFactory(text="????", status=Status.DRAFT)
        row = Message.objects.get(
            group=draft(pasted.replace("\ufffd", "x"), "{name}").group,
            mobile__endswith="01",
        )
        Message.objects.filter(pk=row.pk).update(text=name)
        assert look_at(row.group).doubtful == 1

    def test_unconfirmed_batches_are_listed_the_newest_first(self):
        older, newer = draft("09395213300").group, draft("09395213301").group
        Message.objects.filter(group=older).update(
            created_at=timezone.now() - timedelta(1)
        )
        MessageFactory(status=Status.DRAFT)
        confirm_batch(draft("09395213302").group)
        assert [batch.group for batch in unconfirmed()] == [newer, older]


class TestConfirm:
    def test_queues_once_and_sends_nothing(self):
        group = draft("09395213300\n09395213301").group
        assert (confirm_batch(group), confirm_batch(group)) == (2, 0)
        statuses = set(Message.objects.values_list("status", flat=True))
        assert (statuses, outbox) == ({Status.QUEUED}, [])

    def test_is_one_update(self):
        group = draft_batch("Hello", [many(50)]).group
        with CaptureQueriesContext(connection) as queries:
            confirm_batch(group)
        statements = [q["sql"].split()[0] for q in queries]
        assert statements == ["SELECT", "SAVEPOINT", "UPDATE", "RELEASE"]

    @pytest.mark.parametrize(
        "change",
        [
            {"text": "Bello"},
            {"mobile": "+989395213309"},
            {"line": "9830003301", "default_line": False},
            {"send_at": timezone.now()},
            {"expires_at": timezone.now() + timedelta(days=9)},
            {"sensitive": True},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_what_was_not_seen_does_not_leave(self, change):
        group = draft("09395213300\n09395213301").group
        seen = look_at(group).seen
        Message.objects.filter(mobile__endswith="00").update(**change)
        with pytest.raises(InvalidMessage, match="look at them again"):
            confirm_batch(group, seen=seen)
        assert set(Message.objects.values_list("status", flat=True)) == {Status.DRAFT}
        assert confirm_batch(group, seen=look_at(group).seen) == 2

    def test_draft_that_joined_or_left_was_not_seen(self):
        group = draft("09395213300\n09395213301").group
        seen = look_at(group).seen
        Message.objects.filter(mobile__endswith="00").update(group="other")
        with pytest.raises(InvalidMessage, match="look at them again"):
            confirm_batch(group, seen=seen)

    def test_line_of_the_account_is_seen_too(self, settings):
        group = draft("09395213300").group
        seen = look_at(group).seen
        moved = settings.NEGIN_SMS["default"] | {"LINE": "9830009999"}
        settings.NEGIN_SMS = {"default": moved}
        with pytest.raises(InvalidMessage, match="look at them again"):
            confirm_batch(group, seen=seen)

    def test_second_confirmation_of_what_was_seen_finds_nothing(self):
        group = draft("09395213300").group
        seen = look_at(group).seen
        assert (confirm_batch(group, seen=seen), confirm_batch(group, seen=seen)) == (
            1,
            0,
        )

    def test_leaves_other_groups_and_finished_rows_alone(self):
        group = draft("09395213300").group
        other = draft("09395213301").group
        cancelled = MessageFactory(group=group, status=Status.CANCELLED)
        assert confirm_batch(group) == 1
        assert look_at(other) is not None
        cancelled.refresh_from_db()
        assert cancelled.status == Status.CANCELLED

    @pytest.mark.parametrize("act", [confirm_batch, discard])
    def test_empty_group_is_nobody_s(self, act):
        MessageFactory(status=Status.DRAFT)
        assert act("") == 0
        assert look_at("") is None
        assert Message.objects.get().status == Status.DRAFT

    def test_lifetime_begins_now(self):
        group = draft("09395213300", expires_in=60).group
        long_ago = timezone.now() - timedelta(days=3)
        times = {"due_at": long_ago, "begins_at": long_ago}
        Message.objects.update(**times, expires_at=long_ago + timedelta(seconds=60))
        confirm_batch(group)
        assert Message.objects.due().count() == 1

    def test_wakes_the_waker_once(self, settings, django_capture_on_commit_callbacks):
        waker = {"WAKER": f"{__name__}.note_waking"}
        settings.NEGIN_SMS = {"default": settings.NEGIN_SMS["default"] | waker}
        woken.clear()
        group = draft("09395213300\n09395213301").group
        with django_capture_on_commit_callbacks(execute=True):
            confirm_batch(group)
            confirm_batch(group)
        assert woken == ["default"]

    def test_account_that_is_gone_leaves_the_drafts(self):
        group = draft("09395213300").group
        Message.objects.update(account="gone")
        with pytest.raises(InvalidMessage):
            confirm_batch(group)
        assert Message.objects.get().status == Status.DRAFT


@pytest.mark.skipif(connection.vendor == "sqlite", reason="a thread's own memory")
@pytest.mark.django_db(transaction=True)
def test_ten_confirmations_at_once_make_one_batch():
    group = draft_batch("Hello", [many(30)]).group
    seen = look_at(group).seen
    queued: list[int] = []

    def click() -> None:
        try:
            queued.append(confirm_batch(group, seen=seen))
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(queued) == [*[0] * 9, 30]


class TestDiscardAndPurge:
    def test_discard_deletes_the_drafts_only(self, monkeypatch):
        monkeypatch.setattr(batches, "_CHUNK", 2)
        group = draft_batch("Hello", [many(5)]).group
        kept = MessageFactory(group=group, status=Status.QUEUED)
        assert discard(group) == 5
        assert Message.objects.get() == kept

    def test_purge_takes_the_old_drafts_only(self):
        now = timezone.now()
        for status, age in (("draft", 8), ("draft", 6), ("queued", 8)):
            MessageFactory(status=status, created_at=now - timedelta(days=age))
        assert services.purge_drafts(timedelta(days=7)) == 1
        left = Message.objects.order_by("pk").values_list("status", flat=True)
        assert list(left) == ["draft", "queued"]

    def test_draft_that_is_queued_meanwhile_stays(self, monkeypatch):
        group = draft("09395213300\n09395213301").group
        first = Message.objects.order_by("pk").first()
        real = transaction.atomic

        def queue_first(*args, **kwargs):
            Message.objects.filter(pk=first.pk).update(status=Status.QUEUED)
            return real(*args, **kwargs)

        monkeypatch.setattr(transaction, "atomic", queue_first)
        discard(group)
        assert Message.objects.get().pk == first.pk


def test_group_that_none_can_have_is_not_asked_for(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert not batches.drafts_of("a\0").exists()
