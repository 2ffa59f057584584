"""PRICES: rials a part, by line and alphabet. For estimates; the bill is the panel's.

``{"9830003300": {"fa": 1430, "en": 620}, "*": {…}}``: "fa" is for texts that need
Unicode, "*" for every other line.
"""

from __future__ import annotations

from typing import Any

from .readers import Unfit, line

Prices = tuple[tuple[str, float, float], ...]
"""A line, the rials of one of its parts in Unicode, and of one in GSM-7."""

_OTHERS = "*"
_SHAPE = (
    'a dict such as {"9830003300": {"fa": 1430, "en": 620}, "*": {…}}: lines in '
    "digits, prices in rials"
)
_DEAREST = 1e6  # rials a part; no infinity, and none of nan


def prices(value: Any) -> Prices:
    """Take rials a part by line and alphabet."""
    if not isinstance(value, dict):
        raise Unfit(_SHAPE)
    return tuple(_price(key, pair) for key, pair in value.items())


def price_of(known: Prices, sender: str, *, is_unicode: bool) -> float | None:
    """Return the rials of a part from a line, None where no price is known."""
    found = {name: pair for name, *pair in known}
    pair = found.get(sender) or found.get(_OTHERS)
    return (pair[0] if is_unicode else pair[1]) if pair else None


def _price(key: Any, pair: Any) -> tuple[str, float, float]:
    name = key if key == _OTHERS else _line(key)
    if not name or not isinstance(pair, dict) or pair.keys() != {"fa", "en"}:
        raise Unfit(_SHAPE)
    return name, _rials(pair["fa"]), _rials(pair["en"])


def _line(key: Any) -> str:
    try:
        return line(key)
    except Unfit:
        raise Unfit(_SHAPE) from None


def _rials(value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= _DEAREST:
        raise Unfit(_SHAPE)
    return float(value)
