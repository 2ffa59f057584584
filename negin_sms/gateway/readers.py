"""Tolerant readers of single values: what is no value of its kind becomes None or "".

Nothing here raises, whatever comes. Marks in comments as in ``wire``.
"""

from __future__ import annotations

import json
import re
from typing import Any

from negin_sms.characters import latin_digits

from .cleaning import clean

_LONGEST_ID = 32
INT_BOUND = 2**31  # every integer of the contract is small; others are unreadable
_DIGITS = re.compile(r"[+-]?[0-9]{1,10}")
_ID = re.compile(rf"\+?0*([1-9][0-9]{{0,{_LONGEST_ID - 1}}})")
_COMMAS = re.compile("[,،٫]")  # noqa: RUF001 - the guide prints one of these


def load_object(body: bytes) -> dict[str, Any] | None:
    """Read a JSON object with its keys in lower case; None for anything else."""
    try:
        # Nesting beyond the interpreter's stack raises RecursionError; bytes that
        # are no UTF-8 and an integer of thousands of digits raise ValueError.
        answer = _decode(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _fold(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Lower the keys (F: Status and Msg were seen); a key said twice says nothing."""
    folded: dict[str, Any] = {}
    for key, value in pairs:
        name = key.lower()
        folded[name] = None if name in folded else value
    return folded


_decode = json.JSONDecoder(object_pairs_hook=_fold).decode


def integer(value: Any) -> int | None:
    """Read an integer, or ASCII digits with an optional sign; None for the rest."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -INT_BOUND <= value < INT_BOUND else None


def gateway_id_of(value: Any) -> str:
    """Return an id as canonical digits, or "" for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    digits = _ID.fullmatch(str(value)) if _is_small(value) else None
    return digits[1] if digits else ""


def _is_small(value: int | str) -> bool:
    # str() of a huge integer raises ValueError.
    return isinstance(value, str) or abs(value) < 10**_LONGEST_ID


def short_text(value: Any) -> str:
    """Read a text or an integer that is shown and never reckoned with."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    return clean(str(value), limit=_LONGEST_ID) if _is_small(value) else ""


def items(value: Any) -> list[Any] | None:
    """Read a comma-joined string, an array or a bare number as a list."""
    if value is None:
        return []  # as "null" and the empty text: nothing is said of any id
    if isinstance(value, list):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return [value]
    if not isinstance(value, str):
        return None
    text = value.strip()
    return _COMMAS.split(text) if text and text.lower() != "null" else []


def western(value: Any) -> Any:
    """Return a text stripped and with ASCII digits, anything else as it is."""
    return latin_digits(value.strip()) if isinstance(value, str) else value
