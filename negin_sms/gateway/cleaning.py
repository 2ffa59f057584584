"""Text from outside, made safe to store, log and show. Nothing here raises."""

from __future__ import annotations

import unicodedata

LONGEST_DETAIL = 500
_ZWNJ = "\u200c"  # half the words of Persian need it
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def clean(text: str, *, limit: int = LONGEST_DETAIL) -> str:
    """Return text from outside as one line that is safe to store, log and show.

    Control and format characters (newlines, NUL, direction overrides) and lone
    surrogates become spaces; the result is cut at ``limit`` characters.
    """
    kept = text[: 4 * limit]
    if not kept.isprintable():  # it has some such character, or an unusual space
        kept = "".join(
            " " if c != _ZWNJ and unicodedata.category(c) in _UNSAFE else c
            for c in kept
        )
    return " ".join(kept.split())[:limit].rstrip()


def as_text(body: bytes) -> str:
    """Return the beginning of an answer that could not be read, for people."""
    return body[: 4 * LONGEST_DETAIL].decode("utf-8", "replace")
