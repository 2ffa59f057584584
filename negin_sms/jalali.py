"""The calendar of Iran: its days as Gregorian ones and back.

Leap years follow a cycle of 33 years, which holds from 1178 to 1633 (1799 to 2255);
a test compares every day of the years that are read with jdatetime. A library for
these few lines would be an extra, and a page would read dates or not by what somebody
has installed.
"""

from __future__ import annotations

from datetime import date

MONTHS = (
    *("فروردین", "اردیبهشت", "خرداد", "تیر", "مرداد", "شهریور"),
    *("مهر", "آبان", "آذر", "دی", "بهمن", "اسفند"),
)
FIRST_YEAR, LAST_YEAR = 1178, 1633
_YEARS_OFF = 621
# Of a year that begins a cycle, and the day of the proleptic Gregorian calendar on
# which it began.
_CYCLE_YEAR, _CYCLE_DAY = 979, date(1600, 3, 20).toordinal()


def to_gregorian(year: int, month: int, day: int) -> date:
    """Return a day of this calendar as a Gregorian one; ValueError for none."""
    if not (FIRST_YEAR <= year <= LAST_YEAR and 1 <= month <= 12 and day >= 1):
        raise ValueError("no such day")
    if day > _month_length(year, month):
        raise ValueError("no such day")
    return date.fromordinal(_new_year(year) + _days_before(month) + day - 1)


def from_gregorian(day: date) -> tuple[int, int, int]:
    """Return year, month and day of this calendar; ValueError beyond its years."""
    ordinal, year = day.toordinal(), day.year - _YEARS_OFF
    if ordinal < _new_year(year):
        year -= 1
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError("beyond the years of the cycle")
    passed = ordinal - _new_year(year)
    # Six months of 31 days, then those of 30.
    month = passed // 31 + 1 if passed < 186 else (passed - 186) // 30 + 7
    return year, month, passed - _days_before(month) + 1


def written(day: date) -> str:
    """Return a Gregorian day as 1405/09/05, "" beyond the years of the calendar."""
    try:
        year, month, number = from_gregorian(day)
    except ValueError:
        return ""
    return f"{year}/{month:02}/{number:02}"


def _new_year(year: int) -> int:
    cycles, rest = divmod(year - _CYCLE_YEAR, 33)
    return _CYCLE_DAY + 12053 * cycles + 365 * rest + (rest + 3) // 4


def _days_before(month: int) -> int:
    return 31 * (month - 1) if month <= 7 else 186 + 30 * (month - 7)


def _month_length(year: int, month: int) -> int:
    if month < 12:
        return 31 if month <= 6 else 30
    return _new_year(year + 1) - _new_year(year) - 336
