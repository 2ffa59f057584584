from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from negin_sms import segments, texts
from negin_sms.choices import Priority, Scenario, Status
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message
from negin_sms.services.outbox.confirming import confirm_batch
from negin_sms.services.submission import drafting, text_length
from negin_sms.services.submission.drafting import Drafted, draft_batch
from negin_sms.services.submission.recipients.reader import read_sheet
from negin_sms.services.submission.recipients.tables import MOST_RECIPIENTS, Row, Sheet
from negin_sms.texts import MOST_PLACEHOLDERS

pytestmark = pytest.mark.django_db


def many(count: int) -> Sheet:
    rows = (Row(at, f"0939{at:07}", {"name": f"N{at}"}) for at in range(1, count + 1))
    return Sheet(tuple(rows), ("name",))


def draft(pasted: str, text: str = "Hello", **fields) -> Drafted:
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

    @pytest.mark.long
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

    def test_for_the_column_of_the_numbers(self):
        error = refusal("Mobile,name\n09395213300,Sara", "Dear {MOBILE}")
        assert "“MOBILE” is the column of the numbers" in str(error)

    def test_for_a_placeholder_that_is_no_column(self):
        error = refusal("mobile,Name,sum\n09395213300,Sara,7", "Dear {Nme}")
        assert "no column “Nme”; there are: Name, sum." in str(error)


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


class TestOnce:
    def test_page_that_is_sent_again_has_one_batch(self):
        first = draft("09395213300", once="page").group
        again = draft("09395213300\n09395213301", once="page").group
        assert first != again
        assert set(Message.objects.values_list("group", flat=True)) == {again}
        assert Message.objects.count() == 2

    def test_other_pages_keep_theirs(self):
        groups = {draft("09395213300", once=page).group for page in ("one", "two")}
        assert set(Message.objects.values_list("group", flat=True)) == groups

    def test_page_whose_batch_was_confirmed_writes_nothing_more(self):
        confirm_batch(draft("09395213300", once="page").group)
        with pytest.raises(InvalidMessage, match="confirmed, edited or discarded"):
            draft("09395213301", once="page")
        assert Message.objects.get().status == Status.QUEUED

    def test_batch_that_is_edited_is_replaced(self):
        old = draft("09395213300\n09395213301").group
        new = draft("09395213302", "Better", replaces=old).group
        row = Message.objects.get()
        assert (row.group, row.text) == (new, "Better")

    def test_batch_that_is_edited_twice_on_one_page_is_replaced_once(self):
        old = draft("09395213300").group
        for text in ("Better", "Best"):
            draft("09395213302", text, once="page", replaces=old)
        assert Message.objects.get().text == "Best"

    def test_batch_that_was_confirmed_meanwhile_is_not_replaced(self):
        old = draft("09395213300").group
        confirm_batch(old)
        with pytest.raises(InvalidMessage, match="confirmed, edited or discarded"):
            draft("09395213302", replaces=old)
        assert Message.objects.get().group == old

    def test_refused_rows_leave_the_old_batch_alone(self):
        old = draft("09395213300").group
        assert draft("0939", replaces=old).group == ""
        assert Message.objects.get().group == old


@pytest.mark.django_db(transaction=True)
def test_press_that_was_chosen_to_end_a_deadlock_is_done_again(monkeypatch):
    ends = iter([OperationalError(1213, "Deadlock found")])
    put = drafting._Writing._put

    def end_once(self, old):
        put(self, old)
        for error in ends:
            Message.objects.all().delete()  # as its rollback does
            raise error

    monkeypatch.setattr(drafting._Writing, "_put", end_once)
    group = draft_batch("Hello", [many(30)], once="page").group
    assert Message.objects.filter(group=group).count() == 30


@pytest.mark.skipif(connection.vendor == "sqlite", reason="a thread's own memory")
@pytest.mark.django_db(transaction=True)
def test_ten_presses_at_once_make_one_batch():
    groups: list[str] = []

    def press() -> None:
        try:
            groups.append(draft_batch("Hello", [many(30)], once="page").group)
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Message.objects.count() == 30
    assert Message.objects.values("group").distinct().count() == 1


class TestBounds:
    """The work is counted, not timed: see benchmarks/compose.py for that."""

    def test_endless_text_is_measured_once(self, monkeypatch):
        measured = count_lengths(monkeypatch)
        error = refuse_batch("a" * 500_000 + "{name}")
        assert (error.field, "parts" in str(error)) == ("text", True)
        assert measured == [500_000]

    def test_endless_value_is_not_even_put_in(self, monkeypatch):
        measured = count_lengths(monkeypatch)
        rows = tuple(Row(at, f"0939{at:07}", {"name": "x" * 90_000}) for at in range(9))
        drafted = draft_batch("{name}" * 100, [Sheet(rows, ("name",))])
        assert len(drafted.refused) == 9
        assert sum(measured) == 0

    def test_placeholders_are_few(self):
        error = refuse_batch("{name}" * (MOST_PLACEHOLDERS + 1))
        assert (error.field, "placeholders" in str(error)) == ("text", True)

    def test_text_is_taken_apart_once_for_all_rows(self, monkeypatch):
        parsed: list[str] = []

        def parse(text: str) -> texts.Template:
            parsed.append(text)
            return texts.parse(text)

        monkeypatch.setattr(drafting, "parse", parse)
        draft_batch("Dear {name}", [many(50)])
        assert len(parsed) == 1


def count_lengths(monkeypatch) -> list[int]:
    """Return a list that gets the length of every text that is measured."""
    measured: list[int] = []

    def measure(text: str):
        measured.append(len(text))
        return segments.measure(text)

    for module in (drafting, text_length):
        monkeypatch.setattr(module, "measure", measure)
    return measured


def refuse_batch(text: str) -> InvalidMessage:
    with pytest.raises(InvalidMessage) as caught:
        draft_batch(text, [many(1000)])
    return caught.value
