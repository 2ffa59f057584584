from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from negin_sms.segments import (
    GSM,
    UNICODE,
    Length,
    costly_characters,
    measure,
    needs_unicode,
    unicode_characters,
)

PERSIAN = "س"
EMOJI = "😀"

# 3GPP TS 23.038 in the order of the table, the escape at 0x1B left out.
GSM_TABLE = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = "\f^{}\\[~]|€"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PERSIAN * 70, Length(UNICODE, 70, 1)),
        (PERSIAN * 71, Length(UNICODE, 71, 2)),
        (PERSIAN * 134, Length(UNICODE, 134, 2)),
        (PERSIAN * 135, Length(UNICODE, 135, 3)),
        ("a" * 160, Length(GSM, 160, 1)),
        ("a" * 161, Length(GSM, 161, 2)),
        ("a" * 306, Length(GSM, 306, 2)),
        ("a" * 307, Length(GSM, 307, 3)),
        ("€" * 80, Length(GSM, 160, 1)),
        ("€" * 81, Length(GSM, 162, 2)),
        (EMOJI * 35, Length(UNICODE, 70, 1)),
        (EMOJI * 36, Length(UNICODE, 72, 2)),
    ],
)
def test_borders_of_the_parts(text, expected):
    assert measure(text) == expected


def test_empty_text_has_no_parts():
    assert measure("") == Length(GSM, 0, 0)


def test_surrogate_pair_is_never_cut_in_two():
    text = PERSIAN * 66 + EMOJI + PERSIAN * 66
    assert measure(text) == Length(UNICODE, 134, 3)


def test_escape_pair_is_never_cut_in_two():
    text = "a" * 152 + "€" + "a" * 152
    assert measure(text) == Length(GSM, 306, 3)


def test_joiner_is_one_unit_and_makes_the_text_unicode():
    assert measure("a\u200cb") == Length(UNICODE, 3, 1)


@pytest.mark.parametrize("character", ["\t", "`", "ç", "۱", "١", "\u200c", "ی", EMOJI])
def test_character_makes_the_text_unicode(character):
    assert unicode_characters(f"a{character}b") == [character]


@pytest.mark.parametrize("character", ["Ç", "é", "\n", "\r", "@", "€", "~", "1"])
def test_character_stays_in_gsm(character):
    assert measure(character).encoding == GSM


def test_gsm_table_costs_one_unit_each():
    assert measure(GSM_TABLE) == Length(GSM, 127, 1)


def test_extension_table_costs_two_units_each():
    assert measure(GSM_EXTENSION) == Length(GSM, 2 * len(GSM_EXTENSION), 1)


def test_unicode_characters_are_named_once_in_their_order():
    assert unicode_characters("aسbلcسd") == ["س", "ل"]


def count_parts(text: str) -> int:
    """Cut a text into its parts the long way, as lists of bytes."""
    gsm = set(text) <= set(GSM_TABLE + GSM_EXTENSION)
    if gsm:
        cells = ["\x1b" + c if c in GSM_EXTENSION else c for c in text]
        single, several = 160, 153
    else:
        cells = [c.encode("utf-16-be", "surrogatepass").decode("latin-1") for c in text]
        single, several = 140, 134
    if len("".join(cells)) <= single:
        return int(bool(text))
    parts = [""]
    for cell in cells:
        if len(parts[-1] + cell) > several:
            parts.append("")
        parts[-1] += cell
    return len(parts)


_texts = st.text(st.sampled_from("aZ9€~{\n\t`çÇ۱سی\u200c😀🇮"), max_size=400)
_gsm_texts = st.text(GSM_TABLE + GSM_EXTENSION, max_size=500)


@pytest.mark.long
@given(_texts | _gsm_texts | st.text())
@example("a" * 152 + "€" * 80)
@example(PERSIAN * 66 + EMOJI * 40)
def test_parts_equal_those_of_a_reference(text):
    assert measure(text).parts == count_parts(text)


@given(_texts | _gsm_texts)
def test_parts_hold_all_units(text):
    length = measure(text)
    limit = 153 if length.encoding == GSM else 67
    if length.parts > 1:
        assert length.parts >= math.ceil(length.units / limit)
    else:
        assert length.units <= (160 if length.encoding == GSM else 70)


@given(_texts, st.integers(0, 400))
def test_prefix_never_takes_more_parts(text, end):
    assert measure(text[:end]).parts <= measure(text).parts


@given(st.text())
def test_units_of_unicode_are_those_of_utf16(text):
    length = measure(text + PERSIAN)
    encoded = (text + PERSIAN).encode("utf-16-le", "surrogatepass")
    assert length.units == len(encoded) // 2


@pytest.mark.parametrize(
    ("text", "costly"),
    [
        ("plain", []),
        ("It’s 5 °C", ["’", "°"]),
        ("ça", ["ç"]),
        ("Dear Sara\u200c", ["\u200c"]),
        ("۱۲۳", ["۱", "۲", "۳"]),
        ("سلام، می\u200cآیم؛ ۱۲۳ «باشه»", []),
        ("سلام\u200f 😀\ufeff", ["\u200f", "😀", "\ufeff"]),
        ("Привет", []),
    ],
)
def test_what_makes_a_text_longer_than_it_looks_is_named(text, costly):
    assert costly_characters(text) == costly


@pytest.mark.parametrize(
    ("text", "needs"), [("", False), ("[a] 5 €", False), ("ç", True), ("سلام", True)]
)
def test_alphabet_is_told(text, needs):
    assert needs_unicode(text) is needs
