"""What the keys of NEGIN_SMS may hold: one reader for each shape.

A reader returns the value as the program uses it, or raises Unfit.
"""

from __future__ import annotations

import ipaddress
from datetime import time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HOUR = 3600.0
LONGEST_LINE = 20  # digits, as the columns have room for
_LONGEST = 3660 * 24 * HOUR  # ten years; no infinity, and none of nan
_FASTEST = 1e6
_LONGEST_FOOTER = 70  # characters: a part of Persian
_PERIODS = {"minute": 60, "hour": 3600, "day": 86400}


class Unfit(Exception):
    """A value is not of the shape its key needs; the text says which shape."""


def text(value: Any) -> str:
    """Take text."""
    if not isinstance(value, str):
        raise Unfit("text")
    return value


def optional_text(value: Any) -> str | None:
    """Take text or a path, or None."""
    if isinstance(value, Path):
        return str(value)
    return None if value is None else text(value)


def folder(value: Any) -> str | None:
    """Take an absolute path, "" for none, or None for the usual one."""
    path = optional_text(value)
    if path and not Path(path).is_absolute():
        raise Unfit("an absolute path, an empty text or None")
    return path


def flag(value: Any) -> bool:
    """Take a truth value."""
    if not isinstance(value, bool):
        raise Unfit("True or False")
    return value


def seconds(value: Any) -> float:
    """Take seconds or a timedelta, from 0."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= _LONGEST:
        raise Unfit("a number of seconds up to ten years, or a timedelta")
    return float(value)


def positive(value: Any) -> float:
    """Take seconds or a timedelta, above 0."""
    length = seconds(value)
    if length == 0:
        raise Unfit("a number of seconds above 0, or a timedelta")
    return length


def count(value: Any) -> int:
    """Take a whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Unfit("a whole number from 1")
    return value


def rate(value: Any) -> float | None:
    """Take messages a second, or None."""
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= _FASTEST:
        raise Unfit("messages per second above 0, or None")
    return float(value)


def line(value: Any) -> str:
    """Take a line, as text or as a number."""
    # Lines are written as numbers and as text alike.
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    digits = text(value)
    is_line = digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_LINE
    if digits and not is_line:
        raise Unfit(
            f"up to {LONGEST_LINE} digits without + or spaces, such as "
            '"9830003300", or an empty text'
        )
    return digits


def schedule(value: Any) -> tuple[float, ...]:
    """Take ages that grow."""
    wanted = "a list of seconds or timedeltas above 0, each longer than the one before"
    if not isinstance(value, list | tuple) or not value:
        raise Unfit(wanted)
    try:
        ages = tuple(positive(age) for age in value)
    except Unfit:
        raise Unfit(wanted) from None
    if list(ages) != sorted(set(ages)):
        raise Unfit(wanted)
    return ages


def numbers(value: Any) -> frozenset[str] | None:
    """Take mobile numbers as text, or None."""
    if value is None:
        return None
    many = isinstance(value, list | tuple | set | frozenset)
    if not many or not all(isinstance(number, str) for number in value):
        raise Unfit("a list of mobile numbers as text, or None")
    # Read as numbers where they are compared, and by the system checks.
    return frozenset(value)


def base_url(value: Any) -> str:
    """Take an http(s) address of scheme, host and path."""
    url = text(value).rstrip("/")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise Unfit("an http(s) address such as https://sms.3300.ir/api") from None
    clean = not (parts.query or parts.fragment) and "@" not in parts.netloc
    plain = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Unfit("an http(s) address such as https://sms.3300.ir/api")
    if not clean or not plain or "?" in url or "#" in url or "\\" in url:
        raise Unfit("an address of scheme, host and path only")
    return parts.geturl()  # HTTPS: becomes https:


def caps(value: Any) -> tuple[tuple[int, int], ...]:
    """Take the most messages by period; give pairs of (seconds, messages)."""
    if value is None:
        return ()
    wanted = 'a dict such as {"minute": 1, "hour": 5, "day": 20}, or None'
    if not isinstance(value, dict) or not value or not value.keys() <= _PERIODS.keys():
        raise Unfit(wanted)
    try:
        pairs = ((_PERIODS[period], count(most)) for period, most in value.items())
        return tuple(sorted(pairs))
    except Unfit as unfit:
        raise Unfit(f"{wanted}, each number {unfit}") from None


def hours(value: Any) -> tuple[time, time] | None:
    """Take two times of the day, as text or as time, or None."""
    wanted = (
        'two different times such as ("22:00", "08:00"), midnight as "00:00", or None'
    )
    if value is None:
        return None
    try:
        start, end = (
            each if isinstance(each, time) else time.fromisoformat(each)
            for each in value
        )
    except (TypeError, ValueError):
        raise Unfit(wanted) from None
    if start == end or start.tzinfo or end.tzinfo:
        raise Unfit(wanted)
    return start, end


def footer(value: Any) -> str:
    """Take what is written below a text: one line, or nothing."""
    words = text(value).strip()
    if len(words) > _LONGEST_FOOTER or len(words.splitlines()) > 1:
        raise Unfit(f"text on one line, of {_LONGEST_FOOTER} characters at the most")
    if not words.replace("\u200c", "").isprintable():
        raise Unfit("text without characters that nobody sees")
    return words


def service_texts(value: Any) -> tuple[tuple[str, int], ...]:
    """Take the vendor's numbered texts by name; give pairs of (name, number)."""
    wanted = 'a dict of names and numbers such as {"otp": 3}, or None'
    if value is None:
        return ()
    if not isinstance(value, dict) or not all(map(_is_name, value)):
        raise Unfit(wanted)
    for number in value.values():
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise Unfit(wanted)
    return tuple(value.items())


def _is_name(value: Any) -> bool:
    # A name in digits would be taken for the number itself.
    return isinstance(value, str) and bool(value.strip()) and not value.isdecimal()


def is_loopback(url: Any) -> bool:
    """Return whether an address leads to this machine."""
    try:
        host = urlsplit(url).hostname or ""
        if host == "localhost" or host.endswith(".localhost"):
            return True
        return ipaddress.ip_address(host).is_loopback
    except (ValueError, TypeError, AttributeError):
        return False
