"""Dates as people read them: in Persian by the Jalali calendar.

That takes the extra ``jalali`` (jdatetime). What is stored, typed in and exported stays
Gregorian.
"""

from __future__ import annotations

import functools
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.dateformat import DateFormat
from django.utils.formats import date_format, get_format
from django.utils.translation import get_language

from . import conf


@functools.cache
def _jdatetime() -> Any:
    """Return the library, None where it is not installed."""
    # It takes 6 ms to load: only pages in Persian need it.
    try:
        import jdatetime
    except ImportError:
        return None
    return jdatetime


def moment_words(moment: datetime, style: str = "DATETIME_FORMAT") -> str:
    """Return an aware moment in the current time zone, in one of Django's formats."""
    # First the zone: the Jalali day begins at its midnight, not at that of UTC.
    return _words(timezone.localtime(moment), style)


def exact_words(moment: datetime) -> str:
    """Return an aware moment to the second, with a short date."""
    return moment_words(moment, f"{get_format('SHORT_DATE_FORMAT')} H:i:s")


def day_words(day: date, style: str = "SHORT_DATE_FORMAT") -> str:
    """Return a day in one of Django's formats."""
    return _words(day, style)


def _words(value: date, style: str) -> str:
    if _is_jalali():
        try:
            return _JalaliFormat(value).format(get_format(style))
        except ValueError:
            pass  # before the calendar begins
    return date_format(value, style)


def _is_jalali() -> bool:
    persian = (get_language() or "").partition("-")[0] == "fa"
    return persian and conf.wants_jalali() and _jdatetime() is not None


class _JalaliFormat(DateFormat):
    """Django's format letters for day, month and year, by the other calendar."""

    def __init__(self, value: date) -> None:
        super().__init__(value)
        self._jalali = _jdatetime().date.fromgregorian(
            year=value.year, month=value.month, day=value.day
        )

    def d(self) -> str:
        return f"{self._jalali.day:02}"

    def j(self) -> int:
        return int(self._jalali.day)

    def m(self) -> str:
        return f"{self._jalali.month:02}"

    def n(self) -> int:
        return int(self._jalali.month)

    def F(self) -> str:  # noqa: N802
        return str(_jdatetime().date.j_months_fa[self._jalali.month - 1])

    M = N = E = b = F  # the months have no short names

    def Y(self) -> int:  # noqa: N802
        return int(self._jalali.year)

    def y(self) -> str:
        return f"{self._jalali.year % 100:02}"
