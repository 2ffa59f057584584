from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from negin_sms import services
from negin_sms.choices import Priority, Scenario, Status
from negin_sms.exceptions import InvalidMessage
from negin_sms.gateway.memory import outbox
from negin_sms.models import Message
from negin_sms.services.submission import batches
from negin_sms.services.submission.batches import confirm, discard, draft_batch, look_at
from negin_sms.services.submission.recipients import (
    MOST_RECIPIENTS,
    Row,
    Sheet,
    read_sheet,
)
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db

woken: list[str] = []


def note_waking(alias: str) -> None:
    woken.append(alias)


def many(count: int) -> Sheet:
    rows = (Row(at, f"0939{at:07}", {"name": f"N{at}"}) for at in range(1, count + 1))
    return Sheet(tuple(rows), ("name",))


def draft(pasted: str, text: str = "Hello", **fields) -> batches.Drafted:
    return draft_batch(text, [read_sheet(pasted)], **fields)


def refusal(pasted: str, text: str = "Hello", **fields) -> InvalidMessage:
    with pytest.raises(InvalidMessage) as caught:
        draft(pasted, text, **fields)
    assert not Message.objects.exists()
    return caught.value


class TestDrafts:
    def test_share_a_group_and_are_not_queued(self):
        drafted = draft("0939 521 3300\n۰۹۳۹۵۲۱۳۳۰۱")
        rows = Message.objects.filter(group=drafted.group, status=Status.DRAFT)
        assert sorted(r.mobile for r in rows) == ["+989395213300", "+989395213301"]

    def test_have_the_fields_of_the_wish(self):
        at = timezone.now() + timedelta(days=2)
        drafted = draft(
            "09395213300",
            scenario=Scenario.SERVICE_FALLBACK,
            template=3,
            priority=Priority.LOW,
            send_at=at,
            expires_in=600,
            sensitive=True,
            group="spring",
        )
        row = Message.objects.get()
        assert (row.template, row.priority, row.sensitive) == (3, Priority.LOW, True)
        assert (row.due_at, row.expires_at) == (at, at + timedelta(seconds=600))
        assert row.group == drafted.group
        assert row.group.startswith("spring ")

    def test_two_batches_of_one_name_are_two_groups(self):
        groups = {draft("09395213300", group="spring").group for _ in range(2)}
        assert len(groups) == 2

    def test_repeated_number_is_merged_however_it_is_spelled(self):
        drafted = draft("09395213300\n+98 939 521 3300\n۰۹۳۹۵۲۱۳۳۰۰")
        assert (Message.objects.count(), drafted.merged) == (1, 2)

    def test_refused_rows_hold_everything_back(self):
        drafted = draft("09395213300\n0939\nfoo")
        assert drafted.group == ""
        assert not Message.objects.exists()
        assert [r.row.line for r in drafted.refused] == [2, 3]
        assert "too short" in drafted.refused[0].reason
        assert [row.mobile for row in drafted.kept] == ["09395213300"]

    def test_refused_rows_may_be_left_out(self):
        drafted = draft("09395213300\n0939", leave_out=True)
        assert Message.objects.get(group=drafted.group).mobile == "+989395213300"

    def test_nobody_left_is_no_batch(self):
        drafted = draft("0939", leave_out=True)
        assert (drafted.group, len(drafted.refused)) == ("", 1)

    def test_five_thousand_cost_few_queries(self):
        with CaptureQueriesContext(
            connection,
        ) as few:
            draft_batch("Dear {name}", [many(500)])
        with CaptureQueriesContext(connection) as lots:
            draft_batch("Dear {name}", [many(5000)])
        inserts = connection.ops.bulk_batch_size(
            [f for f in Message._meta.fields if f.name != "id"], list(range(500))
        )
        assert len(lots) - len(few) <= 4500 / min(inserts, 500) + 10
        assert Message.objects.count() == 5500


class TestWholeBatchIsRefused:
    def test_without_recipients(self):
        assert refusal(" \n").field == "recipients"

    def test_with_too_many_of_several_sheets(self):
        half = many(MOST_RECIPIENTS // 2 + 1)
        with pytest.raises(InvalidMessage, match="too many"):
            draft_batch("Hello", [half, half])

    @pytest.mark.parametrize(
        ("field", "wish"),
        [
            ("text", {"text": " "}),
            ("text", {"text": "{"}),
            ("text", {"text": "س" * 671}),
            ("line2", {"scenario": "single", "line2": "983000"}),
            ("scenario", {"scenario": "pigeon"}),
            ("account", {"account": "other"}),
            ("group", {"group": "g" * 60}),
        ],
    )
    def test_for_what_is_wrong_with_all(self, field, wish):
        assert refusal("09395213300", **wish).field == field

    def test_for_a_placeholder_without_columns(self):
        error = refusal("09395213300", "Dear {name}")
        assert "need a column" in str(error)

    def test_for_a_placeholder_that_is_no_column(self):
        error = refusal("mobile,name,sum\n09395213300,Sara,7", "Dear {nme}")
        assert "there are: name, sum." in str(error)


class TestPersonalTexts:
    def test_are_filled_from_the_columns(self):
        draft("mobile,Name\n09395213300,Sara\n09395213301,Ali", "Dear {name}!")
        assert set(Message.objects.values_list("text", flat=True)) == {
            "Dear Sara!",
            "Dear Ali!",
        }

    def test_missing_value_is_refused_with_its_line(self):
        drafted = draft("mobile,name\n09395213300,Sara\n09395213301,", "Dear {name}")
        assert not Message.objects.exists()
        (refused,) = drafted.refused
        assert (refused.row.line, "{name}" in refused.reason) == (3, True)

    def test_column_that_no_placeholder_needs_may_be_empty(self):
        draft("mobile,name,note\n09395213300,Sara,", "Dear {name}")
        assert Message.objects.get().text == "Dear Sara"

    def test_parts_are_those_of_the_filled_text(self):
        long = "س" * 80
        draft(f"mobile,name\n09395213300,Sara\n09395213301,{long}", "{name}")
        assert sorted(Message.objects.values_list("parts", flat=True)) == [1, 2]

    def test_text_that_gets_too_long_refuses_its_row(self):
        pasted = f"mobile,name\n09395213300,Sara\n09395213301,{'س' * 700}"
        assert [r.row.line for r in draft(pasted, "{name}").refused] == [3]

    def test_number_that_comes_again_with_another_text_is_refused(self):
        pasted = "mobile,name\n09395213300,Sara\n09395213300,Ali\n09395213300,Sara"
        drafted = draft(pasted, "Dear {name}")
        assert [r.row.line for r in drafted.refused] == [3]
        assert drafted.merged == 1

    def test_row_of_the_wrong_shape_is_refused(self):
        drafted = draft("mobile,name\n09395213300,Tehran, Iran", "{name}")
        assert "more cells" in drafted.refused[0].reason


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

    def test_costs_two_queries(self, django_assert_num_queries):
        group = draft_batch("Hello", [many(20)]).group
        with django_assert_num_queries(2):
            look_at(group)


class TestConfirm:
    def test_queues_once_and_sends_nothing(self):
        group = draft("09395213300\n09395213301").group
        assert (confirm(group), confirm(group)) == (2, 0)
        statuses = set(Message.objects.values_list("status", flat=True))
        assert (statuses, outbox) == ({Status.QUEUED}, [])

    def test_is_one_update(self):
        group = draft_batch("Hello", [many(50)]).group
        with CaptureQueriesContext(connection) as queries:
            confirm(group)
        statements = [q["sql"].split()[0] for q in queries]
        assert statements.count("UPDATE") == 1
        assert len(statements) == 2

    def test_leaves_other_groups_and_finished_rows_alone(self):
        group = draft("09395213300").group
        other = draft("09395213301").group
        cancelled = MessageFactory(group=group, status=Status.CANCELLED)
        assert confirm(group) == 1
        assert look_at(other) is not None
        cancelled.refresh_from_db()
        assert cancelled.status == Status.CANCELLED

    @pytest.mark.parametrize("act", [confirm, discard])
    def test_empty_group_is_nobody_s(self, act):
        MessageFactory(status=Status.DRAFT)
        assert act("") == 0
        assert look_at("") is None
        assert Message.objects.get().status == Status.DRAFT

    def test_lifetime_begins_now(self):
        group = draft("09395213300", expires_in=60).group
        long_ago = timezone.now() - timedelta(days=3)
        Message.objects.update(
            due_at=long_ago, expires_at=long_ago + timedelta(seconds=60)
        )
        confirm(group)
        assert Message.objects.due().count() == 1

    def test_wakes_the_waker_once(self, settings, django_capture_on_commit_callbacks):
        waker = {"WAKER": f"{__name__}.note_waking"}
        settings.NEGIN_SMS = {"default": settings.NEGIN_SMS["default"] | waker}
        woken.clear()
        group = draft("09395213300\n09395213301").group
        with django_capture_on_commit_callbacks(execute=True):
            confirm(group)
            confirm(group)
        assert woken == ["default"]

    def test_account_that_is_gone_leaves_the_drafts(self):
        group = draft("09395213300").group
        Message.objects.update(account="gone")
        with pytest.raises(InvalidMessage):
            confirm(group)
        assert Message.objects.get().status == Status.DRAFT


@pytest.mark.skipif(connection.vendor == "sqlite", reason="a thread's own memory")
@pytest.mark.django_db(transaction=True)
def test_ten_confirmations_at_once_make_one_batch():
    group = draft_batch("Hello", [many(30)]).group
    queued: list[int] = []

    def click() -> None:
        try:
            queued.append(confirm(group))
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
