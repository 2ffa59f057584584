"""Redacting what a gateway echoes of our own request before it is kept or shown."""

from __future__ import annotations

import html
import itertools
import operator
import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import unquote

from django.views.decorators.debug import sensitive_variables

from .cleaning import clean

_SHORTEST_SECRET = 3  # redacting every "a" would leave nothing to read

# What a gateway may echo is sought in the answer as it came and with the escapes of
# the web undone, each kind apart and two kinds deep. A view is the text so read,
# each character with its place in the answer as it came.
_View = list[tuple[str, int, int]]
_ESCAPES: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
    (
        re.compile(r"&#?\w+;|<br\s*/?>", re.I),
        lambda said: " " if said[0] == "<" else html.unescape(said),
    ),
    (re.compile(r"(?:%[0-9a-f]{2})+", re.I), unquote),
    (
        re.compile(r"(?:\\u[0-9a-f]{4})+", re.I),
        # Characters beyond the basic plane come as two halves.
        lambda said: bytes.fromhex(said.replace(said[:2], "")).decode(
            "utf-16-be", "replace"
        ),
    ),
    (re.compile(r"\\."), lambda said: " " if said[1] in "bfnrt" else said[1]),
)
# An answer that was cut to our limit may end inside a secret, inside an escape.
_HALF_ESCAPE = re.compile(
    r"(?:%[0-9a-f]?|&#?\w{0,8}|\\(?:u[0-9a-f]{0,3})?|\ufffd)+$", re.I
)
_ASCII_DIGITS = {
    zero + digit: ord("0") + digit for zero in (0x6F0, 0x660) for digit in range(10)
}


@sensitive_variables()
def redact(text: str, secrets: Iterable[str]) -> str:
    """Redact what a gateway echoes of our own request, however it spells it."""
    folded = ("".join(map(_fold, clean(one, limit=len(one)))) for one in secrets)
    wanted = [one for one in folded if len(one) >= _SHORTEST_SECRET]
    # All at once: one secret may be a part of another.
    hidden = bytearray(len(text))
    for view in _views(text):
        for start, end in _find_all(view, wanted):
            hidden[start:end] = b"\1" * (end - start)
    runs = itertools.groupby(zip(text, hidden, strict=True), operator.itemgetter(1))
    return "".join(
        "•••" if is_hidden else "".join(char for char, _hidden in run)
        for is_hidden, run in runs
    )


def _views(text: str) -> Iterator[_View]:
    first: _View = [(char, at, at + 1) for at, char in enumerate(text)]
    yield first
    for once in filter(None, (_undo(first, *kind) for kind in _ESCAPES)):
        yield once
        yield from filter(None, (_undo(once, *kind) for kind in _ESCAPES))


def _undo(
    view: _View, escape: re.Pattern[str], decode: Callable[[str], str]
) -> _View | None:
    """Return a view with one kind of escape undone, None where it has none."""
    text = "".join(char for char, _start, _end in view)
    undone: _View = []
    done = 0
    for found in escape.finditer(text):
        start, end = view[found.start()][1], view[found.end() - 1][2]
        undone += view[done : found.start()]
        undone += [(char, start, end) for char in decode(found[0])]
        done = found.end()
    return undone + view[done:] if done else None


@sensitive_variables()
def _find_all(view: _View, wanted: Iterable[str]) -> Iterator[tuple[int, int]]:
    kept = [one for one in view if _fold(one[0])]
    text = "".join(_fold(char) for char, _start, _end in kept)
    stem = _HALF_ESCAPE.sub("", text)
    for secret in wanted:
        at = text.find(secret)
        while at >= 0:
            yield kept[at][1], kept[at + len(secret) - 1][2]
            at = text.find(secret, at + 1)
        for size in range(min(len(secret), len(stem)), _SHORTEST_SECRET - 1, -1):
            if stem.endswith(secret[:size]):
                yield kept[len(stem) - size][1], kept[-1][2]
                break


def _fold(char: str) -> str:
    """Return a character as it is compared: no case, ASCII digits, no white space."""
    # Cleaning folds white space, and forms write it as a plus.
    if char.isspace() or char == "+":
        return ""
    lower = char.translate(_ASCII_DIGITS).lower()
    return lower if len(lower) == 1 else char
