"""The characters of a text file: UTF-8 and UTF-16, and what Persian Windows writes.

What the file does not say itself is guessed from what it holds, and said. A file of
UTF-8 with a stray byte stays UTF-8: read as anything else, every name in it would be
another one. The bytes that cannot be read become U+FFFD, and their rows are refused.
"""

from __future__ import annotations

import codecs
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from negin_sms.exceptions import InvalidMessage

from .tables import DAMAGED

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# A number in each line, and what separates it, have a zero for each character.
_ZEROS_OF_UTF16 = 20
_PERSIAN_WINDOWS = "cp1256"
_PERSIAN_SHARE = 0.8  # of the characters beyond ASCII, in a text that is Persian
_PERSIAN = frozenset(
    "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىيپچژگک،؛؟ـًٌٍَُِّْ\u200c\u200d\u200e\u200f«»ھہےں\u00a0"
)


class Decoded(NamedTuple):
    """A text, and what was guessed of it."""

    text: str
    remarks: tuple[str, ...] = ()


@sensitive_variables()
def decode(data: bytes) -> Decoded:
    """Return the text of a file; raise InvalidMessage("file") where it is none."""
    if data.startswith(_UTF16):
        return Decoded(_as_utf16(data, "utf-16"))
    if _ZEROS_OF_UTF16 * data.count(0) >= len(data):
        words = _("The file does not say its encoding; it was read as UTF-16.")
        return Decoded(_as_utf16(data, _likelier_utf16(data)), (words,))
    text, remarks = _as_one_byte_or_more(data)
    if "\0" not in text:
        return Decoded(text, remarks)
    told = dict.fromkeys([*remarks, _damage()])
    return Decoded(text.replace("\0", DAMAGED), tuple(told))


def _as_one_byte_or_more(data: bytes) -> Decoded:
    text = data.decode("utf-8-sig", "replace")
    if DAMAGED not in text or text.encode() == data.removeprefix(codecs.BOM_UTF8):
        return Decoded(text)
    if _is_damaged_utf8(text):
        return Decoded(text, (_damage(),))
    return _as_persian_windows(data)


def _damage() -> str:
    return _("The file is damaged: some characters of it cannot be read.")


def _as_utf16(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        reason = _("This is not a table. Save the spreadsheet as .xlsx or as CSV.")
        raise InvalidMessage("file", reason)
    return text


def _likelier_utf16(data: bytes) -> str:
    """Return the byte order that has the zeros of ASCII where they belong."""
    return "utf-16-le" if data[1::2].count(0) > data[::2].count(0) else "utf-16-be"


def _as_persian_windows(data: bytes) -> Decoded:
    text = data.decode(_PERSIAN_WINDOWS, "replace")
    if not _is_persian(text):
        raise InvalidMessage(
            "file",
            _(
                "The letters of this file cannot be told. Save the table again, as "
                "“CSV UTF-8” or .xlsx."
            ),
        )
    words = _(
        "The file does not say its encoding; it was read as Persian Windows "
        "(cp1256). See whether the names are right."
    )
    return Decoded(text, (words,))


def _is_damaged_utf8(text: str) -> bool:
    """Return whether more of a text could be read as UTF-8 than could not."""
    read = sum(not c.isascii() and c != DAMAGED for c in text)
    return read > text.count(DAMAGED)


def _is_persian(text: str) -> bool:
    beyond = [c for c in text if not c.isascii()]
    persian = sum(c in _PERSIAN for c in beyond)
    return persian >= _PERSIAN_SHARE * len(beyond)
