"""Persian digits on our pages in Persian; NEGIN_SMS_PERSIAN_DIGITS = False says no.

The page is rendered as everywhere, then the digits of its words are exchanged: not in
tags, code, fields or what is set apart by its direction (phone numbers, ids, texts),
nor in a word with Latin letters or isolates (``left_to_right``), a masked number, an
id, an address or a Gregorian date: people copy it.
"""

from __future__ import annotations

import re

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from .characters import persian_digits
from .conf import beside

# A tag's attributes may hold ">" in their quotes.
_PIECE = re.compile(
    r"""<!--.*?-->|</?[a-zA-Z!](?:"[^"]*"|'[^']*'|[^>"'])*>|&[#\w]+;|[^<&]+|[<&]""",
    re.DOTALL,
)
_TAG = re.compile(r"<(/?)([a-zA-Z][\w-]*)")
_VERBATIM = frozenset({"bdi", "code", "pre", "script", "style", "textarea"})
_OWN_DIRECTION = re.compile(r'\bdir="(?:ltr|auto)"')
_VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})
_LABEL = re.compile(r'(?<=\bvalue=")[^"]*')
# A bracket without Persian letters is a word: mostly the gateway's own, "(error 27)".
_WORD = re.compile(r"\([^()<>\u0600-\u06ff]*[A-Za-z][^()<>\u0600-\u06ff]*\)|\S*\d\S*")
_COPIED = re.compile("[A-Za-z_@•\u2066\u2069]|\\d-\\d|\\d{9}|\\d\\.\\d+\\.\\d")
_SIGNS = (
    (re.compile(r"(?<=\d),(?=\d{3}(?:\D|$))"), "\u066c"),
    (re.compile(r"(?<=\d)\.(?=\d+%?$)"), "\u066b"),
    (re.compile(r"(?<=\d)%"), "\u066a"),
)


def in_persian_digits(html: str) -> SafeString:
    """Return HTML with Persian digits where they are wanted."""
    return mark_safe(_exchange(html) if are_wanted() else html)  # noqa: S308


def spoken(text: object) -> str:
    """Return a number or a day of ours in the digits that are wanted, as plain text."""
    return _WORD.sub(_word, str(text)) if are_wanted() else str(text)


def are_wanted() -> bool:
    """Return whether numbers are shown in Persian digits here and now."""
    persian = (get_language() or "").partition("-")[0] == "fa"
    return persian and beside.wants_persian_digits()


def _exchange(html: str) -> str:
    written: list[str] = []
    skipped, depth = "", 0  # the element that stays as it is, and how often it is open
    for piece in _PIECE.findall(html):
        tag = _TAG.match(piece) if piece[0] == "<" else None
        if tag is None:
            spoken = not depth and piece[0] not in "<&"
            written.append(_WORD.sub(_word, piece) if spoken else piece)
            continue
        name = tag[2].lower()
        if depth:
            if name == skipped and not piece.endswith("/>"):
                depth += -1 if tag[1] else 1
        elif not tag[1] and name not in _VOID and _stays(name, piece):
            skipped, depth = name, 1
        written.append(_labelled(piece) if name == "input" and not depth else piece)
    return "".join(written)


def _stays(name: str, tag: str) -> bool:
    return name in _VERBATIM or _OWN_DIRECTION.search(tag) is not None


def _labelled(tag: str) -> str:
    """Return a button with its label spoken; other fields hold what is posted."""
    if 'type="submit"' not in tag or "name=" in tag:
        return tag
    return _LABEL.sub(lambda label: _WORD.sub(_word, label[0]), tag)


def _word(found: re.Match[str]) -> str:
    word = found[0]
    if _COPIED.search(word):
        return word
    for sign, persian in _SIGNS:
        word = sign.sub(persian, word)
    return persian_digits(word)
