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

from negin_sms.characters import latin_digits
from negin_sms.error_reports import hide_values
from negin_sms.exceptions import InvalidMessage, NeginSmsError
from negin_sms.written_dates import read_moment

_LONGEST_KEY = 18  # digits


def count(text: str) -> int:
    """Read a whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("give a whole number from 1")
    return int(text)


def key(text: str) -> int:
    """Read a message's number: one that a primary key can be."""
    if not text.isdecimal() or len(text) > _LONGEST_KEY:
        raise argparse.ArgumentTypeError("give a message's number")
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
    found = re.fullmatch(r"([0-9]{1,5})([mhd])", latin_digits(text).strip().lower())
    if found is None or not int(found[1]):
        raise argparse.ArgumentTypeError("give an age such as 90d, 12h or 30m")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def moment(text: str, *, is_end: bool = False) -> datetime:
    """Read a day or a moment of either calendar, by ``written_dates.read_moment``."""
    try:
        return read_moment(text, is_end=is_end)
    except InvalidMessage as error:
        raise argparse.ArgumentTypeError(str(error.reason)) from None


def end(text: str) -> datetime:
    """Read the moment at which something is over, in either calendar."""
    return moment(text, is_end=True)


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Turn what an operator can do something about into a sentence."""
    try:
        yield
    except (NeginSmsError, ImproperlyConfigured) as error:
        raise CommandError(str(error)) from None
    except DatabaseError as error:
        hide_values(error)
        raise CommandError(
            f"The database cannot be used ({type(error).__name__}: {error}). See that "
            "the server runs and that manage.py migrate was run, then run the command "
            "again. Keep the log's lines «SMS result not saved», if there are any: the "
            "runbook says how to write them down."
        ) from None
