"""Argument types and words that the commands share."""

from __future__ import annotations

import argparse
import contextlib
import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError
from django.db import DatabaseError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from negin_sms.exceptions import NeginSmsError


def count(text: str) -> int:
    """Read a whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("give a whole number from 1")
    return int(text)


def seconds(text: str) -> float:
    """Read a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("give a number above 0")
    return value


def service_text(text: str) -> int | str:
    """Read the number of a service-line text, or its name."""
    return int(text) if text.isdecimal() else text


def age(text: str) -> timedelta:
    """Read a length of time such as 90d, 12h or 30m."""
    found = re.fullmatch(r"([0-9]{1,5})([mhd])", text.strip().lower())
    if found is None or not int(found[1]):
        raise argparse.ArgumentTypeError("give an age such as 90d, 12h or 30m")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def moment(text: str) -> datetime:
    """Read a date or a time, in the current time zone unless it names one."""
    try:
        value = parse_datetime(text)
        day = parse_date(text) if value is None else None
    except ValueError:
        value = day = None
    if day is not None:
        value = datetime(day.year, day.month, day.day)
    if value is None:
        raise argparse.ArgumentTypeError("give a time such as 2026-11-22T18:00")
    return value if timezone.is_aware(value) else timezone.make_aware(value)


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Turn what an operator can do something about into a sentence."""
    try:
        yield
    except (NeginSmsError, ImproperlyConfigured) as error:
        raise CommandError(str(error)) from None
    except DatabaseError as error:
        raise CommandError(
            f"The database cannot be used ({type(error).__name__}: {error}). Nothing "
            "was lost; run the command again when it is back."
        ) from None
