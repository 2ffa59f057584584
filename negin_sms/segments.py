"""Length in parts, as the networks count it.

A text of GSM-7 characters only is counted in septets (160, or 153 a part when
there are several); any other character makes the whole text UCS-2, counted in
UTF-16 units (70, or 67). Neither an escape pair nor a surrogate pair is ever cut
in two. The gateway's own count stays the authority for the bill.
Source: 3GPP TS 23.038 and 23.040.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

_GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("^{}\\[~]|€\f")

GSM = "GSM-7"
UNICODE = "UCS-2"
_LIMITS = {GSM: (160, 153), UNICODE: (70, 67)}


# Marks of direction and their like, which come along when text is copied; not ZWNJ,
# which Persian is spelt with.
_HIDDEN = frozenset(
    "\u00ad\u061c\u200b\u200d\u200e\u200f\u2060\ufeff"
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def _one_of(characters: Iterable[str]) -> str:
    return re.escape("".join(sorted(characters)))


# Expressions and not loops: a text is looked at a few times for each message.
_NOT_GSM = re.compile(f"[^{_one_of(_GSM_BASIC | _GSM_EXTENDED)}]")
_DOUBLE = {  # what takes two units
    GSM: re.compile(f"[{_one_of(_GSM_EXTENDED)}]"),
    UNICODE: re.compile("[\U00010000-\U0010ffff]"),
}


@dataclass(frozen=True, slots=True)
class Length:
    """How long a text is: its encoding, its units and the parts it is sent in."""

    encoding: str
    units: int
    parts: int


def measure(text: str) -> Length:
    """Return the encoding, the units and the number of parts of a text.

    An empty text has no parts.
    """
    encoding = UNICODE if needs_unicode(text) else GSM
    units = len(text) + len(_DOUBLE[encoding].findall(text))
    single, several = _LIMITS[encoding]
    if units <= single:
        return Length(encoding, units, 1 if text else 0)
    if units == len(text):
        return Length(encoding, units, math.ceil(units / several))
    return Length(encoding, units, _fill(text, encoding, several))


def needs_unicode(text: str) -> bool:
    """Return whether any character makes a text UCS-2."""
    return _NOT_GSM.search(text) is not None


def unicode_characters(text: str) -> list[str]:
    """Return the characters that make a text UCS-2, each once, in their order."""
    return list(dict.fromkeys(_NOT_GSM.findall(text)))


def costly_characters(text: str) -> list[str]:
    """Return what makes a text longer than it looks, each once, in their order.

    Where its letters need Unicode anyway, as Persian ones do, that is what nobody
    sees and what takes two units; else whatever forces Unicode.
    """
    forcing = unicode_characters(text)
    if all(_is_latin(c) or not c.isalpha() for c in forcing):
        return forcing
    return [c for c in forcing if c in _HIDDEN or len(c.encode("utf-16-le")) > 2]


def _is_latin(character: str) -> bool:
    return unicodedata.name(character, "").startswith("LATIN")


def _fill(text: str, encoding: str, capacity: int) -> int:
    """Count the parts of a text some of whose characters must not be cut in two."""
    double = _DOUBLE[encoding]
    parts, used = 1, 0
    for character in text:
        width = 2 if double.match(character) else 1
        if used + width > capacity:
            parts, used = parts + 1, 0
        used += width
    return parts
