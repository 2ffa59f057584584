"""Characters that look alike, or like nothing: what is read is read through here.

Numbers, dates and names arrive from Persian and Arabic keyboards, spreadsheets and
chats, with marks between them that nobody sees. Nothing that is sent passes here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from django.utils.translation import get_language_bidi, pgettext

_TATWEEL = "\u0640"
# Letters and a symbol drawn as nothing: Hangul's fillers, an empty cell of Braille.
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0" + _TATWEEL)
# Spreadsheets saved as cp1256, and some keyboards, have the Arabic letters for these.
_LETTERS = str.maketrans("يىكۀة", "ییکهه")
_ARABIC_LETTERS = str.maketrans("یک", "يك")
_PERSIAN_DIGITS = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")


def visible(text: str) -> str:
    """Return a text without format characters (category Cf) and tatweel."""
    if text.isascii():
        return text
    return "".join(c for c in text if unicodedata.category(c) != "Cf" and c != _TATWEEL)


def latin_digits(text: str) -> str:
    """Return a text with the decimal digits of every script as 0 to 9."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)


def persian_digits(text: str) -> str:
    """Return a text with 0 to 9 as Persian digits."""
    return text.translate(_PERSIAN_DIGITS)


def persian_letters(text: str) -> str:
    """Return a text with the Arabic forms of Persian letters as the Persian ones."""
    return text.translate(_LETTERS)


def arabic_letters(text: str) -> str:
    """Return a text with the Arabic forms that cp1256 and its keyboards have."""
    return text.translate(_ARABIC_LETTERS)


def left_to_right(text: str) -> str:
    """Return a text that keeps its order where the language runs the other way."""
    return f"\u2066{text}\u2069" if get_language_bidi() else text


def listed(words: Iterable[object]) -> str:
    """Return words as a list in a sentence, with the comma of the language."""
    return pgettext("between the words of a list", ", ").join(map(str, words))


def as_sentence(words: str) -> str:
    """Return what somebody wrote with a full stop, where another sentence follows."""
    return words if words.rstrip()[-1:] in (*".!?…؟:", "") else f"{words.rstrip()}."


def is_blank(text: str) -> bool:
    """Return whether nobody would see anything of a text."""
    return not any(_is_seen(c) for c in text)


def _is_seen(character: str) -> bool:
    if character in _FILLERS:
        return False
    # Marks, such as a variation selector, need a letter to be seen on.
    category = unicodedata.category(character)
    return category[0] not in "ZM" and category not in ("Cc", "Cf", "Cs")


def encodable(text: str, encoding: str | None) -> str:
    r"""Return a text that an encoding can write, ``\u0633`` for what it lacks."""
    encoding = encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
