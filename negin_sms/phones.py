"""Mobile numbers: one way in, one stored form, one way onto the wire.

Stored as E.164 text (``+989395213300``), sent without the plus. libphonenumber
does the reading; what it lets through and an SMS gateway must not see is
refused here, each with its reason. What a spreadsheet has made of a number is undone
where nothing was lost of it, and refused where a digit was.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction
from numbers import Integral, Real

from django.utils.translation import gettext_lazy as _

from .characters import latin_digits, visible
from .exceptions import InvalidMessage

REGION = "IR"

# libphonenumber's Iranian prefixes lag behind the operators' (0941 is missing),
# so the shape decides: +98, a 9, nine more digits.
_MOBILE = re.compile(r"\+989\d{9}")
# What nearly everybody writes, programs above all: read here for a hundredth of what
# libphonenumber takes. A test holds both ways to the same answer.
_PLAIN = re.compile(r"(?:\+98|0098|98|0)(9[0-9]{9})|(9[0-79][0-9]{8})")
# 98 and eight digits: a line as the panel writes it (9830003300), and as an export of
# ours does. With 0 or +98 in front the shape decides, as ever.
_LINE = re.compile(r"98\d{8}")
# No spelling of one number holds more digits: 0098, 0 and ten.
_MOST_DIGITS = 15
_LONGEST_INPUT = 64
# libphonenumber finds a number inside "['0939…']" and reads 0912FLOWERS as keys.
_SPELLING = re.compile(r"[\s(]*[+＋]?[\d\s().\-/‐-―−]+")  # noqa: RUF001
# Numbers that hold each of their digits; others (NumPy's float32) make some up.
_EXACT = (int, float, Decimal, Fraction)

# What spreadsheets and links put around a number: ="0939…", '0939…, tel:0939…
_WRAPPED = re.compile(
    r"""\s*(?:(?:tel|sms|smsto|callto):|=?\s*["“”]|['’‘`=])?(.*?)["“”'’]?\s*""",  # noqa: RUF001
    re.IGNORECASE | re.DOTALL,
)
# The decimal and the thousands mark of Persian are U+066B and U+066C.
_SCIENTIFIC = re.compile(r"\+?([1-9])[.,\u066b](\d+)[eE]\+?0?(\d\d?)")
_DECIMAL = re.compile(r"([^.\u066b]*\d)[.\u066b]0{1,2}")
_GROUPED = re.compile(r"\d{1,3}(?:[,\u066c\u060c]\d{3}){2,4}")


def normalize_mobile(value: object) -> str:
    """Return an Iranian mobile number as E.164 text, ``+989395213300``.

    Accept local and international spellings, Persian and Arabic digits, spaces,
    dashes, invisible direction marks and joiners, whole numbers as floats, what a
    spreadsheet writes without losing a digit (``="0939…"``, ``9395213300.0``), and
    objects: of one that knows its country and national number (``PhoneNumber``)
    these, of others their ``str()``. Raise InvalidMessage("mobile") with the reason
    otherwise.
    """
    text = value if type(value) is str else _written(value)
    plain = _PLAIN.fullmatch(text)
    return f"+98{plain[1] or plain[2]}" if plain else _read_spelling(text)


def mask_mobile(mobile: str) -> str:
    """Return a number that people recognise and nobody can dial: 0939•••3300."""
    national = "0" + mobile.removeprefix("+98")
    if len(national) != 11:
        return "•••"
    return f"{national[:4]}•••{national[-4:]}"


def search_digits(text: str) -> str:
    """Return what of a search term can stand in a stored number, or ``""``.

    ``۰۹۳۹ ۵۲۱`` becomes ``939521``: ASCII digits without the prefixes that people
    write and the stored form spells otherwise.
    """
    term = latin_digits(visible(text)).strip()
    if not re.fullmatch(r"[\d\s()+.\-/]+", term):
        return ""
    digits = re.sub(r"\D", "", term)
    # No number begins with more zeros than these: 0009 can only be a number's end.
    return re.sub(r"^(0098|98(?=9)|0+$|0(?!0))", "", digits)


def _written(value: object) -> str:
    """Return the text that stands for a value which is none."""
    if isinstance(value, Real | Decimal):
        return _whole(value)
    if getattr(value, "national_number", None) and getattr(value, "country_code", None):
        return _international(value)
    if isinstance(value, bytes | bytearray | memoryview):
        reason = _("Give the number as text, not as %(type)s.")
        raise _refusal(reason % {"type": type(value).__name__})
    return str(value)


def _whole(value: Real | Decimal) -> str:
    if not isinstance(value, (*_EXACT, Integral)):
        reason = _("%(type)s does not hold all digits of a number; give it as text.")
        raise _refusal(reason % {"type": type(value).__name__})
    if math.isnan(value):  # what a table's empty cell becomes
        raise _refusal(_EMPTY)
    if math.isinf(value) or value != int(value):
        raise _refusal(_FRACTION)
    return str(int(value))


def _international(number: object) -> str:
    """Ask an object for what it knows; its ``str()`` may be without the country."""
    if getattr(number, "extension", None):
        raise _refusal(_EXTENSION)
    # They keep zeros that begin a national number apart; no mobile has any.
    zeros = "0" if getattr(number, "italian_leading_zero", None) else ""
    code, rest = (getattr(number, name) for name in ("country_code", "national_number"))
    return f"+{code}{zeros}{rest}"


def _read_spelling(text: str) -> str:
    # Marks that nobody sees may be many, an essay in their place is none.
    text = _unwrap(visible(text[: 4 * _LONGEST_INPUT]))
    _refuse_lists(text)
    number = _parse(text)
    if not _MOBILE.fullmatch(number):
        raise _refusal(_complaint(number))
    return number


def _unwrap(text: str) -> str:
    """Undo what a spreadsheet does to a number; refuse where it lost digits."""
    if len(text) > _LONGEST_INPUT:
        raise _refusal(_SEVERAL)
    wrapped = _WRAPPED.fullmatch(text)
    text = wrapped[1].strip() if wrapped else text.strip()
    if scientific := _SCIENTIFIC.fullmatch(latin_digits(text)):
        return _expand(*scientific.groups())
    if whole := _DECIMAL.fullmatch(latin_digits(text)):
        return whole[1]
    if _GROUPED.fullmatch(text):
        return re.sub(r"\D", "", text)
    return text


def _expand(first: str, rest: str, exponent: str) -> str:
    places = int(exponent)
    if len(rest) < places:
        raise _refusal(
            _(
                "A spreadsheet has shortened this number, and its last digits are "
                "lost. Make the column text, and write the number anew."
            )
        )
    if rest[places:].strip("0"):
        raise _refusal(_FRACTION)
    return first + rest[:places]


def _refuse_lists(text: str) -> None:
    if not text:
        raise _refusal(_EMPTY)
    if re.search(r"[,;،؛\n|&]", text):
        raise _refusal(_SEVERAL)
    if sum(c.isdecimal() for c in text) > _MOST_DIGITS:
        raise _refusal(_LONG)


def _parse(text: str) -> str:
    # phonenumbers costs 22 ms to import: only odd spellings need it.
    import phonenumbers

    try:
        number = phonenumbers.parse(_with_plus(text), REGION)
    except phonenumbers.NumberParseException:
        raise _refusal(_NO_NUMBER) from None
    if number.extension:
        raise _refusal(_EXTENSION)
    if not _SPELLING.fullmatch(text):
        raise _refusal(_NO_NUMBER)
    if _LINE.fullmatch(latin_digits(re.sub(r"[^\d+＋]", "", text))):  # noqa: RUF001
        raise _refusal(_NO_MOBILE)
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return str(e164)


def _with_plus(text: str) -> str:
    """Mark the country code of a number that is Iran's without doubt.

    Without a plus libphonenumber takes 98… for a local number; it never is one.
    """
    digits = latin_digits(re.sub(r"\D", "", text))
    international = re.fullmatch(r"(?:0098|98)0?(9\d{9})", digits)
    if international and re.match(r"[\s(]*\d", text):
        return f"+98{international[1]}"
    return text


def _complaint(number: str) -> object:
    if not number.startswith("+98"):
        return _("Only Iranian mobile numbers can be reached.")
    # Of a short number libphonenumber keeps the 0 in front.
    national = number.removeprefix("+98").lstrip("0")
    if not national.startswith("9"):
        return _NO_MOBILE
    return _("The number is too short.") if len(national) < 10 else _LONG


def _refusal(reason: object) -> InvalidMessage:
    return InvalidMessage("mobile", reason)


_EMPTY = _("The mobile number is empty.")
_SEVERAL = _("This is more than one number; give one at a time.")
_LONG = _("The number is too long, or two numbers pasted together.")
_NO_NUMBER = _("This is not a phone number.")
_NO_MOBILE = _("This is not a mobile number.")
_EXTENSION = _("The number has an extension; SMS cannot reach it.")
_FRACTION = _("There are digits after the decimal point; a phone number has none.")
