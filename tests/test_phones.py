from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from numbers import Real

import pytest
from django.utils.functional import SimpleLazyObject
from hypothesis import assume, example, given, settings
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
FRACTION = "There are digits after the decimal point; a phone number has none."
SHORTENED = "A spreadsheet has shortened this number, and its last digits are lost."


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
        "smsto:09395213300",
        "98 0939 521 3300",
        "+98 0939 521 3300",
        "0098 0939 521 3300",
        "09395213300.",
        # What spreadsheets make of it, and of what they made of it.
        '="09395213300"',
        "=9395213300",
        '"09395213300"',
        "“09395213300”",
        "'09395213300",
        "’09395213300",
        "9395213300.0",
        "989395213300.00",
        "9395213300٫0",
        "9.395213300E+09",
        "9.3952133000e9",
        "9,395213300E+09",
        "۹٫۳۹۵۲۱۳۳۰۰E+۰۹",
        "9.89395213300E+11",
        "9,395,213,300",
        "۹٬۳۹۵٬۲۱۳٬۳۰۰",
        f"'{RLM}09395213300",
        "09\u064039521\u06403300",  # tatweel
        9395213300.0,
        989395213300.0,
        Decimal("9395213300.00"),
        Decimal("9.3952133E+9"),
        Fraction(9395213300),
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


PREFIXES = ("", "0", "98", "+98", "0098")
# How numbers arrive.
DRESSES: dict[str, Callable[[str], object]] = {
    "plain": lambda digits: f"0{digits}",
    "text cell": lambda digits: f'="0{digits}"',
    "apostrophe": lambda digits: f"'0{digits}",
    "point": lambda digits: f"{digits}.0",
    "scientific": lambda digits: f"{digits[0]}.{digits[1:]}E+{len(digits) - 1:02}",
    "thousands": lambda digits: f"{int(digits):,}",
    "number": int,
    "float": float,
    "decimal": Decimal,
    "marks": lambda digits: f"{RLM}0{digits[:3]}{ZWNJ}{digits[3:]}{LRM}",
    "spoken": lambda digits: f"+98 (0) {digits[:3]} {digits[3:6]}-{digits[6:]}",
}
WITH_ITS_PREFIX = {"plain", "text cell", "apostrophe", "marks", "spoken"}


@pytest.mark.parametrize(
    "landline", ["02188776655", "051-38000000", "+982188776655", "۰۲۱۸۸۷۷۶۶۵۵"]
)
def test_landline_is_refused(landline):
    assert refuse(landline) == NO_MOBILE


@pytest.mark.parametrize("line", ["3000123456", "+9830003300", "10001234", "110"])
def test_sender_line_and_short_code_are_refused(line):
    assert refuse(line) == NO_MOBILE


@pytest.mark.parametrize("dress", sorted(set(DRESSES) - WITH_ITS_PREFIX))
def test_line_is_refused_as_it_stands_in_an_export(dress):
    assert refuse(DRESSES[dress]("9830003300")) == NO_MOBILE


def test_mobile_that_begins_like_a_line_is_read_with_its_prefix():
    for prefix in PREFIXES[1:]:
        assert normalize_mobile(f"{prefix}9830003300") == "+989830003300"


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


@pytest.mark.parametrize(
    "short",
    ["939521330.0", "93952133.00", "0939521330.0", 939521330.0, "939,521,330"],
    ids=ascii,
)
def test_zeros_after_the_point_are_no_digits_of_the_number(short):
    assert refuse(short) == SHORT


@pytest.mark.parametrize(
    "lossy",
    ["9.39521E+09", "9.3952133E+09", "9.4E9", "9,3952E+09", "9.89395E+11", "۹٫۴E+۰۹"],
)
def test_digits_that_a_spreadsheet_lost_are_not_made_up(lossy):
    assert refuse(lossy).startswith(SHORTENED)


@pytest.mark.parametrize(
    "broken", [9395213300.5, Decimal("9395213300.1"), float("inf"), "9.39521330012E+09"]
)
def test_fraction_is_refused(broken):
    assert refuse(broken) == FRACTION


def test_number_type_without_room_for_its_digits_is_refused():
    # As NumPy's, which is a Real of 24 bits: 9395213300 becomes …312 in it.
    lossy = type("float32", (), {"__str__": lambda self: "9395213312.0"})
    Real.register(lossy)
    assert refuse(lossy()) == (
        "float32 does not hold all digits of a number; give it as text."
    )


@pytest.mark.parametrize(
    ("value", "kind"),
    [(b"09395213300", "bytes"), (bytearray(b"09395213300"), "bytearray")],
)
def test_bytes_are_refused_by_their_name(value, kind):
    assert refuse(value) == f"Give the number as text, not as {kind}."


def test_empty_cell_of_a_table_is_empty():
    assert refuse(float("nan")) == EMPTY


class TestNumberThatKnowsItsCountry:
    """What phonenumbers and django-phonenumber-field make; S7 of the field trial."""

    def parsed(self, number: str, region: str | None = None) -> object:
        import phonenumbers

        class National(phonenumbers.PhoneNumber):
            """As with PHONENUMBER_DEFAULT_FORMAT = "NATIONAL"."""

            def __str__(self) -> str:
                form = phonenumbers.PhoneNumberFormat.NATIONAL
                return phonenumbers.format_number(self, form)

        held = National()
        held.merge_from(phonenumbers.parse(number, region))
        return held

    @pytest.mark.parametrize(
        "number", ["+919395213300", "+19395213300", "+499395213300"]
    )
    def test_foreigner_stays_foreign(self, number):
        assert re.sub(r"\D", "", str(self.parsed(number))).endswith("9395213300")
        assert refuse(self.parsed(number)) == FOREIGN

    def test_iranian_is_read(self):
        assert normalize_mobile(self.parsed("0939 521 3300", "IR")) == NUMBER

    def test_extension_is_refused(self):
        assert refuse(self.parsed("+989395213300 ext 5")) == EXTENSION

    def test_zeros_in_front_are_not_dropped(self):
        held = self.parsed("+989395213300")
        held.italian_leading_zero = True  # type: ignore[attr-defined]
        held.national_number = 939521330  # type: ignore[attr-defined]
        assert refuse(held) == SHORT

    def test_lazy_one_is_asked_too(self):
        lazy = SimpleLazyObject(lambda: self.parsed("+919395213300"))
        assert refuse(lazy) == FOREIGN

    def test_one_that_could_not_be_parsed_is_read_as_written(self):
        class Unparsed:
            country_code = national_number = None

            def __str__(self) -> str:
                return "0939"

        assert refuse(Unparsed()) == SHORT


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
        "O9395213300",  # the letter
        "+09395213300",
        "-9395213300e0",
        "nan",
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


def careful(text: str) -> str | None:
    """Read a number as a careful person does, None where it is none for them.

    Beside ``normalize_mobile`` on purpose: by its look, without a library.
    """
    text = "".join(c for c in text if unicodedata.category(c) != "Cf" and c != "\u0640")
    text = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
    text = re.sub(
        r"^\s*(tel:|sms:|smsto:|callto:|=?\s*[\"“”]|['’‘`=])", "", text.lower()
    )
    text = text.strip().strip("\"“”'’").strip()
    if found := re.fullmatch(r"\+?(\d)[.,٫](\d+)e\+?0?(\d\d?)", text):
        first, rest, places = found[1], found[2], int(found[3])
        if len(rest) < places or rest[places:].strip("0"):
            return None
        text = first + rest[:places]
    text = re.sub(r"^([^.٫]*\d)[.٫]0{1,2}$", r"\1", text)
    if re.search(r"[a-z]", text):
        return None
    digits = re.fullmatch(r"(?:0?0?98)?0?(9[0-9]{9})", re.sub(r"\D", "", text))
    return f"+98{digits[1]}" if digits else None


_numberlike = st.text("0123456789۰۹٣+-() ./,;x#~eE='\"\u200c\u200e98", max_size=24)
_exported = st.from_regex(r"\A[='\"]{0,2}\+?(98|0)?9[0-9.,eE+]{6,16}\"?\Z")


@settings(deadline=None, max_examples=500)  # the first one imports phonenumbers
@given(
    st.text(max_size=40)
    | _numberlike
    | _exported
    | st.from_regex(r"\A(\+98|0098|0)?9.{9}\Z")
)
@example("0939521330 / 0")
@example("9" * 10)
@example("9.395213300E+08")
def test_what_is_accepted_is_what_a_careful_person_reads(text):
    with contextlib.suppress(InvalidMessage):
        assert normalize_mobile(text) == careful(text)


# Without 98…, which is a line where nothing stands in front of it.
_nationals = (st.integers(900, 979) | st.integers(990, 999)).flatmap(
    lambda operator: st.integers(0, 9_999_999).map(lambda n: f"{operator}{n:07}")
)


@settings(deadline=None)
@given(_nationals, st.sampled_from(sorted(DRESSES)))
def test_number_is_read_in_every_dress(national, dress):
    assert normalize_mobile(DRESSES[dress](national)) == f"+98{national}"


@settings(deadline=None)
@given(_nationals, st.sampled_from(sorted(DRESSES)), st.integers(1, 9), st.booleans())
def test_digit_lost_or_doubled_is_told_in_every_dress(national, dress, place, lost):
    doubled = national[:place] + national[place] + national[place:]
    damaged = national[:place] + national[place + 1 :] if lost else doubled
    fault = SHORT if lost else LONG
    # Of a damaged 98… nobody knows whether that is its country code.
    assume(not damaged.startswith("98"))
    assert refuse(DRESSES[dress](damaged)) == fault


@settings(deadline=None)
@given(_nationals)
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
        ("0009", "0009"),
        ("0093", "0093"),
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


@pytest.mark.parametrize("prefix", PREFIXES)
def test_plain_spellings_are_read_as_libphonenumber_reads_them(prefix):
    for operator in range(900, 1000):
        if not prefix and operator // 10 == 98:
            continue  # a line
        for rest in ("0000000", "1234567", "9999999", "8989898"):
            number, by_library = both_ways(f"{prefix}{operator}{rest}")
            assert number == by_library == f"+98{operator}{rest}"


_PLAIN_OR_NEARLY = r"\A(\+98|0098|98|0|\+|00|009|980|\+980|\+98 )?9?[0-9]{8,10}\n?\Z"
_ONE_IN_PERSIAN = r"\A(\+98|0098|98|0)?9[0-9]{8}[۰-۹]\Z"


@pytest.mark.long
@settings(deadline=None, max_examples=500)
@given(st.from_regex(_PLAIN_OR_NEARLY) | st.from_regex(_ONE_IN_PERSIAN) | _numberlike)
@example("9830003300")
@example("09395213300\n")
@example("+98989395213300")
def test_both_ways_of_reading_agree(text):
    number, by_library = both_ways(text)
    assert number == by_library
