"""Dates as people read them: in Persian by the Jalali calendar.

What is stored and exported stays Gregorian. What people type is read by
``written_dates``.
"""

from __future__ import annotations

from datetime import date, datetime

from django.utils import timezone
from django.utils.dateformat import DateFormat
from django.utils.formats import date_format, get_format
from django.utils.translation import get_language

from . import jalali
from .characters import left_to_right
from .conf import beside


def moment_words(moment: datetime, style: str = "DATETIME_FORMAT") -> str:
    """Return an aware moment in the current time zone, in one of Django's formats."""
    # First the zone: the Jalali day begins at its midnight, not at that of UTC.
    return _words(timezone.localtime(moment), style)


def exact_words(moment: datetime) -> str:
    """Return an aware moment to the second, with a short date."""
    return moment_words(moment, f"{get_format('SHORT_DATE_FORMAT')} H:i:s")


def to_the_second(moment: datetime) -> datetime:
    """Return an aware moment in the current time zone, without what nobody reads."""
    return timezone.localtime(moment).replace(microsecond=0)


def plain_words(moment: datetime) -> str:
    """Return an aware moment as a terminal shows it: Gregorian, to the second."""
    return f"{to_the_second(moment):%Y-%m-%d %H:%M:%S}"


def day_words(day: date, style: str = "SHORT_DATE_FORMAT") -> str:
    """Return a day in one of Django's formats."""
    return _words(day, style)


def both_words(moment: datetime) -> str:
    """Return an aware moment with its day in the other calendar in brackets.

    For what costs something: a date that was read in the wrong calendar is seen.
    """
    words, day = moment_words(moment), timezone.localtime(moment).date()
    other = left_to_right(f"{day:%Y-%m-%d}") if is_jalali() else jalali.written(day)
    return f"{words} ({other})" if other and beside.wants_jalali() else words


def is_jalali() -> bool:
    """Return whether dates are shown by the Jalali calendar here and now."""
    persian = (get_language() or "").partition("-")[0] == "fa"
    return persian and beside.wants_jalali()


def _words(value: date, style: str) -> str:
    if is_jalali():
        try:
            # Two digits each, as in our fields: one day below the other, in lists.
            written = get_format(style).replace("Y/n/j", "Y/m/d")
            return _JalaliFormat(value).format(written)
        except ValueError:
            pass  # beyond the years of the calendar
    return date_format(value, style)


class _JalaliFormat(DateFormat):
    """Django's format letters for day, month and year, by the other calendar."""

    def __init__(self, value: date) -> None:
        super().__init__(value)
        self._year, self._month, self._day = jalali.from_gregorian(value)

    def d(self) -> str:
        return f"{self._day:02}"

    def j(self) -> int:
        return self._day

    def m(self) -> str:
        return f"{self._month:02}"

    def n(self) -> int:
        return self._month

    def F(self) -> str:  # noqa: N802
        return jalali.MONTHS[self._month - 1]

    M = N = E = b = F  # the months have no short names

    def Y(self) -> int:  # noqa: N802
        return self._year

    def y(self) -> str:
        return f"{self._year % 100:02}"
