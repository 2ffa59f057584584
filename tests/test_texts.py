from __future__ import annotations

import pytest
from django.utils.functional import lazystr
from django.utils.safestring import mark_safe
from hypothesis import given
from hypothesis import strategies as st

from negin_sms.exceptions import InvalidMessage
from negin_sms.texts import fill, fold_name, names, quote_name, read_text, with_footer

VALUES = {"name": "Sara", "Code": 12, "نام خانوادگی": "محمدی"}


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("Dear {name}, {code}.", "Dear Sara, 12."),
        ("{ Name }{CODE}{name}", "Sara12Sara"),
        ("{نام خانوادگی} عزیز", "محمدی عزیز"),
        ("{{name}} and {{{name}}}", "{name} and {Sara}"),
        ("no placeholder", "no placeholder"),
        ("", ""),
    ],
)
def test_placeholders_are_filled(template, filled):
    assert fill(template, VALUES) == filled


def test_names_are_folded_and_given_once():
    template = "{Name} {name} {{none}} {نام\u200cخانوادگي}"
    assert names(template) == ("name", "نام خانوادگی")


def test_arabic_letters_and_joiners_name_the_same_column():
    assert fill("{شماره\u200cي كالا}", {"شماره ی کالا": "7"}) == "7"


@pytest.mark.parametrize(
    "heading",
    ["مبلغ (ریال)", "تاریخ/ساعت", "شماره-پرونده", "تخفیف ٪", "نام و نام خانوادگی"],
)
def test_headings_of_sheets_with_everyday_signs_are_names(heading):
    assert fill(f"{{{heading}}}", {heading: "150000"}) == "150000"


@pytest.mark.parametrize(
    "template",
    [
        *("{name.upper}", "{name[0]}", "{name!r}", "{name:>9}", "{0}", "{}", "{ }"),
        *(
            "{",
            "}",
            "{name",
            "name}",
            "{na{me}}",
            "{__class__.x}",
            "{a;b}",
            "{" + "a" * 65 + "}",
        ),
    ],
)
def test_what_is_no_name_is_refused(template):
    for read in (names, lambda text: fill(text, VALUES | {"0": "x", "": "x"})):
        with pytest.raises(InvalidMessage) as caught:
            read(template)
        assert caught.value.field == "text"


def test_errors_say_where_and_hold_nothing_of_the_text():
    with pytest.raises(InvalidMessage) as caught:
        names("code {1234 secret}")
    assert "character 6 " in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", [None, "", " \n"])
def test_missing_and_blank_values_are_refused(value):
    with pytest.raises(InvalidMessage) as caught:
        fill("Dear { First Name}", {"first name": value})
    assert "{First Name}" in str(caught.value.reason)


def test_name_is_quoted_as_it_is_written_and_no_longer_than_it_is_read():
    assert quote_name(" \u200fFirst\n Name\u0640 ") == "First Name"
    assert quote_name("نمرهٔ نیم\u200cسال") == "نمرهٔ نیم\u200cسال"
    assert len(quote_name("x" * 30_000)) == 255


def test_unknown_name_is_refused():
    with pytest.raises(InvalidMessage):
        fill("Dear {nme}", VALUES)


def test_values_are_not_read_as_templates():
    assert fill("{name}!", {"name": "{code} {{ }"}) == "{code} {{ }!"


def test_dunder_name_is_looked_up_like_any_other():
    assert fill("{__class__}", {"__class__": "plain"}) == "plain"


@given(st.text())
def test_escaped_text_fills_to_itself(text):
    escaped = text.replace("{", "{{").replace("}", "}}")
    assert fill(escaped, {}) == text
    assert names(escaped) == ()


@given(st.text("{}a. [0]!:"), st.text())
def test_nothing_but_the_values_gets_into_a_text(template, value):
    try:
        filled = fill(template, {"a": value})
    except InvalidMessage:
        return
    assert set(filled) <= set(template) | set(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("سلام", "سلام"),
        (lazystr("سلام"), "سلام"),
        (mark_safe("<b>"), "<b>"),
        ("a\r\nb\rc\n", "a\nb\nc\n"),
        ("می\u200cآیم", "می\u200cآیم"),
        ("😀", "😀"),
    ],
)
def test_text_is_its_words(value, text):
    assert read_text(value) == text
    assert type(read_text(value)) is str


@pytest.mark.parametrize(
    "blank",
    [
        *("", " \n\t", "\u200f", "\u200c \u200b", "\ufeff", "\u00a0\u2003", "\u2800"),
        *("\u3164", "\u115f", "\u0640", "\ufe0f", "\u00ad", "\u0001", "\U000e0020"),
    ],
    ids=ascii,
)
def test_text_that_nobody_sees_is_empty(blank):
    with pytest.raises(InvalidMessage, match="The text is empty"):
        read_text(blank)


@pytest.mark.parametrize("value", [b"text", bytearray(b"x"), 12, ["text"], 1.5])
def test_what_is_no_text_is_named(value):
    with pytest.raises(InvalidMessage) as caught:
        read_text(value)
    assert caught.value.field == "text"
    assert str(caught.value.reason).endswith(f"of type {type(value).__name__}.")


class TestFooter:
    @pytest.mark.parametrize(
        ("text", "whole"),
        [
            ("سلام", "سلام\nلغو۱۱"),
            ("سلام\n\n", "سلام\nلغو۱۱"),
            ("لغو۱۱ برای لغو", "لغو۱۱ برای لغو\nلغو۱۱"),
        ],
    )
    def test_stands_on_a_line_of_its_own(self, text, whole):
        assert with_footer(text, "لغو۱۱") == whole

    @pytest.mark.parametrize(
        "end",
        [
            *("لغو۱۱", "لغو11", "لغو۱۱\u200f ", "ل\u200eغو١١\n", "\u2067لغو۱۱\u2069"),
            *("لغو ۱۱", "لغو 11.", "«لغو-۱۱»", "لغو\u200c۱۱"),
        ],
    )
    def test_never_stands_there_twice(self, end):
        text = f"{'سلام ' * 200}\n{end}"
        assert with_footer(text, "لغو۱۱") == text
        once = with_footer("Hello", "STOP 11")
        assert with_footer(once, "Stop  11") == once

    def test_of_marks_alone_is_compared_as_it_is(self):
        once = with_footer("سلام", "***")
        assert once == "سلام\n***"
        assert with_footer(once, "***") == once
        assert with_footer("***", "لغو۱۱") == "***\nلغو۱۱"


def test_long_name_is_not_folded_to_its_end():
    """Of one character folding makes eighteen."""
    assert len(fold_name("\ufdfa" * 300_000)) < 10_000
