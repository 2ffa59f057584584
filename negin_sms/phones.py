"""Mobile numbers: one way in, one stored form, one way onto the wire.

Stored as E.164 text (``+989395213300``), sent without the plus. libphonenumber
does the reading; what it lets through and an SMS gateway must not see is
refused here, each with its reason.
"""

from __future__ import annotations

import re
import unicodedata

from django.utils.translation import gettext_lazy as _

from .exceptions import InvalidMessage

REGION = "IR"

# libphonenumber's Iranian prefixes lag behind the operators' (0941 is missing),
# so the shape decides: +98, a 9, nine more digits.
_MOBILE = re.compile(r"\+989\d{9}")
# What nearly everybody writes, programs above all: read here for a hundredth of what
# libphonenumber takes. A test holds both ways to the same answer.
_PLAIN = re.compile(r"(?:\+98|0098|98|0)?(9[0-9]{9})")
# No spelling of one number holds more digits: 0098 and ten.
_MOST_DIGITS = 14
_LONGEST_INPUT = 64
# libphonenumber finds a number inside "['0939…']" and reads 0912FLOWERS as keys.
_SPELLING = re.compile(r"[\s(]*[+＋]?[\d\s().\-/‐-―−]+")  # noqa: RUF001


def normalize_mobile(value: object) -> str:
    """Return an Iranian mobile number as E.164 text, ``+989395213300``.

    Accept local and international spellings, Persian and Arabic digits, spaces,
    dashes, invisible direction marks and joiners, and objects whose ``str()`` is
    such a number. Raise InvalidMessage("mobile") with the reason otherwise.
    """
    text = str(value)
    plain = _PLAIN.fullmatch(text)
    return f"+98{plain[1]}" if plain else _read_spelling(text)


def _read_spelling(text: str) -> str:
    text = re.sub("^tel:", "", _visible(text), flags=re.IGNORECASE)
    _refuse_lists(text)
    number = _parse(text)
    if not _MOBILE.fullmatch(number):
        raise _refusal(_complaint(number))
    return number


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
    visible = _visible(text)
    if not re.fullmatch(r"[\d\s()+.\-/]+", visible):
        return ""
    digits = "".join(str(unicodedata.decimal(c)) for c in visible if c.isdecimal())
    return re.sub(r"^(0098|98(?=9)|0+)", "", digits)


def _visible(text: str) -> str:
    """Drop format characters (ZWNJ, direction marks): they hide inside numbers."""
    return "".join(c for c in text if unicodedata.category(c) != "Cf").strip()


def _refuse_lists(text: str) -> None:
    if not text:
        raise _refusal(_("The mobile number is empty."))
    if len(text) > _LONGEST_INPUT or re.search(r"[,;،؛\n|&]", text):
        raise _refusal(_("This is more than one number; give one at a time."))
    if sum(c.isdecimal() for c in text) > _MOST_DIGITS:
        raise _refusal(_("The number is too long, or two numbers pasted together."))


def _parse(text: str) -> str:
    # phonenumbers costs 22 ms to import: only odd spellings need it.
    import phonenumbers

    # Without a plus libphonenumber takes 98… for a local number; it never is one.
    digits = re.sub(r"[^\d]", "", text)
    if re.match(r"98\s*9", text) and len(digits) == 12:
        text = "+" + text
    try:
        number = phonenumbers.parse(text, REGION)
    except phonenumbers.NumberParseException:
        raise _refusal(_("This is not a phone number.")) from None
    if number.extension:
        raise _refusal(_("The number has an extension; SMS cannot reach it."))
    if not _SPELLING.fullmatch(text):
        raise _refusal(_("This is not a phone number."))
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return str(e164)


def _complaint(number: str) -> object:
    if not number.startswith("+98"):
        return _("Only Iranian mobile numbers can be reached.")
    # Of a short number libphonenumber keeps the 0 in front.
    national = number.removeprefix("+98").lstrip("0")
    if not national.startswith("9"):
        return _("This is not a mobile number.")
    if len(national) < 10:
        return _("The number is too short.")
    return _("The number is too long, or two numbers pasted together.")


def _refusal(reason: object) -> InvalidMessage:
    return InvalidMessage("mobile", reason)
