"""The calendar, every day of the years that are read, against jdatetime."""

from __future__ import annotations

from datetime import date, timedelta

import jdatetime
import pytest

from negin_sms import jalali

LEAP = (1399, 1403, 1408, 1412, 1416, 1420, 1424, 1428, 1432, 1436, 1441)


def test_every_day_that_is_read_is_that_of_jdatetime():
    day, end = jalali.to_gregorian(1300, 1, 1), jalali.to_gregorian(1500, 1, 1)
    while day < end:
        theirs = jdatetime.date.fromgregorian(date=day)
        ours = (theirs.year, theirs.month, theirs.day)
        assert jalali.from_gregorian(day) == ours
        assert jalali.to_gregorian(*ours) == day
        day += timedelta(days=1)


@pytest.mark.parametrize("year", LEAP)
def test_leap_years_have_a_thirtieth_of_esfand(year):
    assert jdatetime.date(year, 1, 1).isleap()
    assert (
        jalali.to_gregorian(year, 12, 30) == jdatetime.date(year, 12, 30).togregorian()
    )
    for other in {year - 1, year + 1} - set(LEAP):
        with pytest.raises(ValueError, match="no such day"):
            jalali.to_gregorian(other, 12, 30)


def test_last_day_of_1403():
    assert jalali.to_gregorian(1403, 12, 30) == date(2025, 3, 20)
    assert jalali.from_gregorian(date(2025, 3, 20)) == (1403, 12, 30)


@pytest.mark.parametrize(
    "none", [(1405, 13, 1), (1405, 0, 1), (1405, 1, 0), (1405, 6, 32), (1405, 7, 31)]
)
def test_days_that_are_none(none):
    with pytest.raises(ValueError, match="no such day"):
        jalali.to_gregorian(*none)


def test_beyond_its_years_nothing_is_said():
    for day in (date(500, 1, 2), date(2300, 1, 1)):
        assert jalali.written(day) == ""
    assert jalali.written(date(2026, 11, 26)) == "1405/09/05"
