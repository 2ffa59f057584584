from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from negin_sms.exceptions import InvalidMessage
from negin_sms.phones import (
    _read_spelling,
    mask_mobile,
    normalize_mobile,
    search_digits,
)

NUMBER = "+989395213300"
LRM, RLM, LRE, PDF, ZWNJ = "\u200e", "\u200f", "\u202a", "\u202c", "\u200c"

EMPTY = "The mobile number is empty."
SEVERAL = "This is more than one number; give one at a time."
LONG = "The number is too long, or two numbers pasted together."
SHORT = "The number is too short."
NO_NUMBER = "This is not a phone number."
NO_MOBILE = "This is not a mobile number."
FOREIGN = "Only Iranian mobile numbers can be reached."
EXTENSION = "The number has an extension; SMS cannot reach it."


class PhoneNumber:
    """What phonenumber fields hold: an object that knows how it is written."""

    def __str__(self) -> str:
        return NUMBER


def refuse(value: object) -> str:
    with pytest.raises(InvalidMessage) as caught:
        normalize_mobile(value)
    assert caught.value.field == "mobile"
    return str(caught.value.reason)


@pytest.mark.parametrize(
    "spelling",
    [
        "09395213300",
        "9395213300",
        "00989395213300",
        "989395213300",
        "+989395213300",
        "+98 939 521 3300",
        "+98(0)9395213300",
        "(+98) 939 521 3300",
        "98 939 521 3300",
        "98-939-521-3300",
        "0939-521-3300",
        "0939 521 3300",
        "0939.521.3300",
        "(0939) 521 3300",
        "0939\u00a0521\u00a03300",
        "0939\u2013521\u20133300",
        "  09395213300\t",
        "۰۹۳۹۵۲۱۳۳۰۰",
        "۹۸۹۳۹۵۲۱۳۳۰۰",
        "+۹۸۹۳۹۵۲۱۳۳۰۰",
        "٠٩٣٩٥٢١٣٣٠٠",
        "＋９８９３９５２１３３００",
        f"{LRM}+989395213300{LRM}",
        f"{RLM}09395213300",
        f"{LRE}+98 939 521 3300{PDF}",
        f"0939{ZWNJ}5213300",
        "tel:+98-939-521-3300",
        "TEL:09395213300",
        9395213300,
        989395213300,
        pytest.param(PhoneNumber(), id="object"),
    ],
    ids=ascii,
)
def test_every_spelling_is_stored_as_e164(spelling):
    assert normalize_mobile(spelling) == NUMBER


def test_stored_number_is_its_own_spelling():
    assert normalize_mobile(normalize_mobile("0939 521 3300")) == NUMBER


def test_prefix_unknown_to_libphonenumber_is_accepted():
    assert normalize_mobile("09415213300") == "+989415213300"


@pytest.mark.parametrize(
    "landline", ["02188776655", "051-38000000", "+982188776655", "۰۲۱۸۸۷۷۶۶۵۵"]
)
def test_landline_is_refused(landline):
    assert refuse(landline) == NO_MOBILE


@pytest.mark.parametrize("line", ["3000123456", "+9830003300", "10001234", "110"])
def test_sender_line_and_short_code_are_refused(line):
    assert refuse(line) == NO_MOBILE


@pytest.mark.parametrize(
    "foreign", ["+14155552671", "0014155552671", "+905321234567", "+9647701234567"]
)
def test_foreign_number_is_refused(foreign):
    assert refuse(foreign) == FOREIGN


@pytest.mark.parametrize("short", ["0939521330", "939521330", "+98939521330", "0912"])
def test_short_number_is_refused(short):
    assert refuse(short) == SHORT


@pytest.mark.parametrize("long", ["093952133000", "+9893952133001", "0939521330009"])
def test_long_number_is_refused(long):
    assert refuse(long) == LONG


@pytest.mark.parametrize("separator", ["", " ", "/", " - ", "\t", "\u2028"])
def test_two_numbers_pasted_together_are_refused(separator):
    assert refuse(f"09395213300{separator}09121112233") == LONG


@pytest.mark.parametrize("separator", [",", "،", ";", "؛", "\n", "|", " & "])
def test_separated_numbers_are_refused(separator):
    assert refuse(f"09395213300{separator}09121112233") == SEVERAL


@pytest.mark.parametrize("lonely", ["09395213300,", ";09395213300", "09395213300;5"])
def test_comma_or_semicolon_is_refused_even_with_one_number(lonely):
    assert refuse(lonely) == SEVERAL


def test_essay_is_refused():
    assert refuse("0" * 65) == SEVERAL


@pytest.mark.parametrize("mark", [" ext 5", "ext.5", " x5", "#5", "~5"])
def test_extension_is_refused(mark):
    assert refuse(f"09395213300{mark}") == EXTENSION


@pytest.mark.parametrize("empty", ["", "   ", ZWNJ, LRM + RLM])
def test_empty_number_is_refused(empty):
    assert refuse(empty) == EMPTY


@pytest.mark.parametrize(
    "other",
    [
        None,
        True,
        "garbage",
        "+",
        "call 09395213300",
        "09395213300abc",
        "0912FLOWERS",  # letters are keys to libphonenumber
        "<b>09395213300</b>",
        "*09395213300",
        "+98+989395213300",
        b"09395213300",
    ],
    ids=ascii,
)
def test_what_is_no_number_is_refused(other):
    assert refuse(other) == NO_NUMBER


@pytest.mark.parametrize(
    "numbers",
    [
        ["09395213300"],
        [9395213300],
        {"09395213300"},
        ("09395213300",),
        {"09395213300": 1},
    ],
    ids=ascii,
)
def test_list_is_refused_even_of_one_number(numbers):
    assert refuse(numbers) in (SEVERAL, NO_NUMBER)


def test_two_numbers_in_a_list_are_refused():
    assert refuse(["09395213300", "09121112233"]) == SEVERAL


def test_refusal_does_not_repeat_the_number():
    with pytest.raises(InvalidMessage) as caught:
        normalize_mobile("093952133000")
    assert not re.search(r"\d", f"{caught.value!r}{caught.value}")


_numberlike = st.text("0123456789۰۹٣+-() ./,;x#~\u200c\u200e98", max_size=24)


@settings(deadline=None)  # the first one imports phonenumbers
@given(st.text(max_size=40) | _numberlike | st.from_regex(r"\A(\+98|0098|0)?9.{9}\Z"))
@example("0939521330 / 0")
@example("9" * 10)
def test_nothing_but_an_iranian_mobile_comes_out(text):
    with contextlib.suppress(InvalidMessage):
        number = normalize_mobile(text)
        assert re.fullmatch(r"\+989[0-9]{9}", number)
        written = "".join(str(unicodedata.decimal(c)) for c in text if c.isdecimal())
        assert re.fullmatch(rf"(00)?(98)?0?{number[3:]}", written)


@settings(deadline=None)
@given(st.integers(9_000_000_000, 9_999_999_999))
def test_every_mobile_survives_each_of_its_spellings(national):
    spellings = (f"0{national}", f"{national}", f"98{national}", f"0098{national}")
    assert {normalize_mobile(s) for s in spellings} == {f"+98{national}"}


def test_mask_keeps_both_ends():
    assert mask_mobile(NUMBER) == "0939•••3300"


@pytest.mark.parametrize("odd", ["", "+14155552671", "garbage", "+98939521330"])
def test_mask_shows_nothing_of_what_is_no_mobile(odd):
    assert mask_mobile(odd) == "•••"


@pytest.mark.parametrize(
    ("term", "digits"),
    [
        ("09395213300", "9395213300"),
        ("+98 939 521", "939521"),
        ("0098939521", "939521"),
        ("98939521", "939521"),
        ("۰۹۳۹ ۵۲۱", "939521"),
        ("٠٩٣٩-٥٢١", "939521"),
        (f"{LRE}0939{ZWNJ}521{PDF}", "939521"),
        ("(0939) 521", "939521"),
        ("3300", "3300"),
        ("98", "98"),
        ("", ""),
        ("0", ""),
        ("+", ""),
        ("ali", ""),
        ("0939 ali", ""),
    ],
)
def test_search_term_becomes_digits_of_the_stored_form(term, digits):
    assert search_digits(term) == digits


@given(st.sampled_from(["0", "", "+98", "0098", "98"]), st.integers(1, 10))
def test_search_finds_what_is_typed_so_far(prefix, typed):
    term = prefix + "9395213300"[:typed]
    assert search_digits(term) == "9395213300"[:typed]


def both_ways(text: str) -> tuple[str, str]:
    """Read a number as it is read, and without the short way for plain spellings."""
    return outcome(normalize_mobile, text), outcome(_read_spelling, text)


def outcome(read: Callable[[str], str], text: str) -> str:
    try:
        return read(text)
    except InvalidMessage as error:
        return str(error.reason)


PREFIXES = ("", "0", "98", "+98", "0098")


@pytest.mark.parametrize("prefix", PREFIXES)
def test_plain_spellings_are_read_as_libphonenumber_reads_them(prefix):
    for operator in range(900, 1000):
        for rest in ("0000000", "1234567", "9999999", "8989898"):
            number, by_library = both_ways(f"{prefix}{operator}{rest}")
            assert number == by_library == f"+98{operator}{rest}"


_PLAIN_OR_NEARLY = r"\A(\+98|0098|98|0|\+|00|009|980|\+980|\+98 )?9?[0-9]{8,10}\n?\Z"
_ONE_IN_PERSIAN = r"\A(\+98|0098|98|0)?9[0-9]{8}[۰-۹]\Z"


@settings(deadline=None, max_examples=500)
@given(st.from_regex(_PLAIN_OR_NEARLY) | st.from_regex(_ONE_IN_PERSIAN) | _numberlike)
@example("9830003300")
@example("09395213300\n")
@example("+98989395213300")
def test_both_ways_of_reading_agree(text):
    number, by_library = both_ways(text)
    assert number == by_library
