"""Text from outside, made one safe line."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from negin_sms.gateway.cleaning import as_text, clean

_nasty = st.text(st.characters() | st.sampled_from("\0\n\r\t\u202e\u200c\ud800 \u2028"))


@given(_nasty, st.integers(1, 60))
def test_clean_text_is_one_safe_line(text, limit):
    cleaned = clean(text, limit=limit)
    assert len(cleaned) <= limit
    assert cleaned == cleaned.strip()
    assert len(cleaned.splitlines()) <= 1
    unsafe = [c for c in cleaned if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
    assert unsafe == []
    assert {c for c in cleaned if unicodedata.category(c) == "Cf"} <= {"\u200c"}


@given(_nasty, st.integers(1, 60))
def test_cleaning_twice_changes_nothing(text, limit):
    once = clean(text, limit=limit)
    assert clean(once, limit=limit) == once


@given(st.text("abcسلام۱😀\u200c.<>", max_size=100))
def test_plain_text_is_left_alone(text):
    assert clean(text) == text


def test_cleaning_takes_a_huge_text_in_its_stride():
    assert clean("x\0" * 10_000_000) == ("x " * 250).strip()


def test_unreadable_body_is_shown_as_far_as_it_is_text():
    assert as_text(b"caf\xe9") == "caf\ufffd"
    assert len(as_text(b"x" * 100_000)) == 2000
