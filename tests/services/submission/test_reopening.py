from __future__ import annotations

import pytest

from negin_sms.models import Message
from negin_sms.services.submission import reopening
from negin_sms.services.submission.drafting import draft_batch
from negin_sms.services.submission.recipients.reader import read_sheet
from negin_sms.services.submission.reopening import reopen

pytestmark = pytest.mark.django_db


def texts() -> list[tuple[str, str]]:
    return sorted(Message.objects.values_list("mobile", "text"))


@pytest.mark.parametrize(
    ("pasted", "text"),
    [
        ("09395213300\n09395213301", "Hello {{you}}"),
        ("mobile,n\n09395213300,Sara\n09395213301,Sahar", "Dear {n}, it {{is}} here."),
        ("mobile,n\n09395213300,a b\n09395213301,a c", "{n}"),
        ('mobile,n\n09395213300,"a\nb"\n09395213301,"x, ""y"""', "{n} and {n}\nend"),
        ("mobile,n\n09395213300,1\n09395213301,12", "سلام {n} تومان"),
        ("mobile,n\n09395213300,5\n09395213301,6", "'{n} toman"),
        ("mobile,n\n09395213300,5\n09395213301,6", '="{n}" it is'),
    ],
)
def test_what_is_reopened_composes_the_same_again(pasted, text):
    draft_batch(text, [read_sheet(pasted)])
    before = texts()
    reopened = reopen(list(Message.objects.order_by("pk")))
    Message.objects.all().delete()
    draft_batch(reopened.text, [read_sheet(reopened.recipients)])
    assert texts() == before


def test_words_in_common_are_the_text_and_the_others_a_column():
    sheet = read_sheet("mobile,n\n09395213300,Sara\n09395213301,Sahar")
    draft_batch("Dear {n}, your order is here.", [sheet])
    reopened = reopen(list(Message.objects.order_by("pk")))
    assert reopened.text == "Dear {text}, your order is here."
    assert "+989395213300\tSara\n" in reopened.recipients
    (remark,) = reopened.remarks
    assert "the column “text” now, and {text} is its place" in remark
    assert "Dear" not in repr(reopened)


def test_column_may_have_capitals_where_a_language_wants_them(monkeypatch):
    monkeypatch.setattr(reopening, "_", lambda words: words.replace("text", "Text", 1))
    draft_batch("{n}", [read_sheet("mobile,n\n09395213300,Sara\n09395213301,Ali")])
    reopened = reopen(list(Message.objects.order_by("pk")))
    assert reopened.text == "{Text}"
    assert "+989395213300\tSara\n" in reopened.recipients


@pytest.mark.parametrize(
    ("text", "shared"),
    [
        ("Dear {n}.", "Dear {text}."),
        ("{n}! Come", "{text}! Come"),
        ("it is {n}d, today", "it is {text}, today"),
        ("it costs {n},000 toman", "it costs {text} toman"),
        ("no {n}mark", "no {text}"),
    ],
)
def test_marks_behind_a_word_are_of_the_text(text, shared):
    sheet = read_sheet("mobile,n\n09395213300,Sara\n09395213301,Sahar")
    draft_batch(text, [sheet])
    assert reopen(list(Message.objects.order_by("pk"))).text == shared


@pytest.mark.parametrize(
    ("texts", "has_footer"),
    [
        (["hello\nbye", "hello\nbye"], True),
        (["hello Sara\nbye", "hello Ali\nbye"], True),
        (["hello\nbye", "hello"], False),
        (["bye"], False),
    ],
)
def test_footer_of_all_is_taken_off(texts, has_footer):
    drafts = [Message(mobile="+989395213300", text=text) for text in texts]
    reopened = reopen(drafts, "bye")
    assert reopened.has_footer is has_footer
    assert ("bye" in reopened.text + reopened.recipients) is not has_footer
