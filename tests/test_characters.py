"""Characters that look alike, or like nothing."""

from __future__ import annotations

import pytest
from django.utils import translation

from negin_sms import characters


@pytest.mark.parametrize(
    ("written", "read"),
    [("0939\u200c521", "0939521"), ("ســلام", "سلام"), ("\ufeffabc", "abc")],
)
def test_what_nobody_sees_is_left_out(written, read):
    assert characters.visible(written) == read


@pytest.mark.parametrize("digits", ["۰۱۲۹", "٠١٢٩", "0129"])
def test_digits_of_every_script_are_read(digits):
    assert characters.latin_digits(digits) == "0129"


def test_digits_and_letters_become_persian():
    assert characters.persian_digits("0129") == "۰۱۲۹"
    assert characters.persian_letters("علي كريمى") == "علی کریمی"


@pytest.mark.parametrize("text", ["", " \n", "\u3164", "ـ", "\u200f", "\ufe0f"])
def test_text_of_nothing_is_blank(text):
    assert characters.is_blank(text)
    assert not characters.is_blank(text + "x")


def test_what_an_encoding_lacks_is_escaped():
    assert characters.encodable("aس", "ascii") == "a\\u0633"
    assert characters.encodable("aس", None) == "aس"


@pytest.mark.parametrize(
    ("written", "read"),
    [("busy", "busy."), ("busy ", "busy."), ("Why?", "Why?"), ("تمام شد.", "تمام شد.")],
)
def test_words_become_a_sentence(written, read):
    assert characters.as_sentence(written) == read
    assert characters.as_sentence("") == ""


def test_list_has_the_comma_of_the_language():
    assert characters.listed(["text", 2]) == "text, 2"
    with translation.override("fa"):
        assert characters.listed(["متن", 2]) == "متن، 2"
