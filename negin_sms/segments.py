"""Length in parts, as the networks count it.

A text of GSM-7 characters only is counted in septets (160, or 153 a part when
there are several); any other character makes the whole text UCS-2, counted in
UTF-16 units (70, or 67). Neither an escape pair nor a surrogate pair is ever cut
in two. The gateway's own count stays the authority for the bill.
Source: 3GPP TS 23.038 and 23.040.
"""

from __future__ import annotations

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
    encoding = UNICODE if unicode_characters(text) else GSM
    widths = [_width(character, encoding) for character in text]
    units = sum(widths)
    single, several = _LIMITS[encoding]
    if units <= single:
        return Length(encoding, units, 1 if text else 0)
    return Length(encoding, units, _fill(widths, several))


def unicode_characters(text: str) -> list[str]:
    """Return the characters that make a text UCS-2, each once, in their order."""
    return list(dict.fromkeys(c for c in text if not _is_gsm(c)))


def _is_gsm(character: str) -> bool:
    return character in _GSM_BASIC or character in _GSM_EXTENDED


def _width(character: str, encoding: str) -> int:
    if encoding == GSM:
        return 2 if character in _GSM_EXTENDED else 1
    return 2 if ord(character) > 0xFFFF else 1


def _fill(widths: Iterable[int], capacity: int) -> int:
    parts, used = 1, 0
    for width in widths:
        if used + width > capacity:
            parts, used = parts + 1, 0
        used += width
    return parts
