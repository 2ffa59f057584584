"""The one reader of dates: what is read, and what is refused with its reason."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import jdatetime
import pytest
from django.utils import timezone
from django.utils.functional import lazystr
from django.utils.translation import override
from hypothesis import example, given
from hypothesis import strategies as st

from negin_sms import jalali
from negin_sms.characters import persian_digits
from negin_sms.dates import moment_words
from negin_sms.exceptions import InvalidMessage
from negin_sms.written_dates import read_day, read_moment

TEHRAN = timezone.get_default_timezone()
DAY = date(2026, 12, 1)  # 1405/09/10, a Tuesday
NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def at(hour: int = 0, minute: int = 0, day: date = DAY) -> datetime:
    return datetime.combine(day, time(hour, minute), TEHRAN)


def refuse(value: object, read: Any = read_moment, **options: Any) -> str:
    with pytest.raises(InvalidMessage) as caught:
        read(value, "send_at", **options)
    assert caught.value.field == "send_at"
    return str(caught.value.reason)


@pytest.mark.parametrize(
    "written",
    [
        *("1405/09/10", "1405-9-10", "1405.09.10", "1405 09 10", "14050910"),
        *("۱۴۰۵/۰۹/۱۰", "١٤٠٥/٠٩/١٠", "1405\u060d09\u060d10", "1405\u201309\u201310"),
        *("10 آذر 1405", "۱۰ آذرماه ۱۴۰۵", "10 آذر\u200cماه 1405", "1405 آذر 10"),
        *("10 اذر 1405", "10 Azar 1405", "سه\u200cشنبه ۱۰ آذر ۱۴۰۵", "سه شنبه 10 آذر 1405"),
        *("\u200f1405/09/10\u200e", "  1405/09/10\n", "1405\u0640/09/10", "10ام آذر 1405"),
        *("2026-12-01", "2026/12/1", "20261201", "1 December 2026", "Dec 1st, 2026"),
        *("1 دسامبر 2026", "Tuesday, 1 Dec. 2026", "2026-12-01T00:00", "2026-12-01 00:00"),
        *("2026-11-30T20:30Z", "2026-11-30 20:30 UTC", "2026-11-30T20:30:00+00:00"),
    ],
    ids=ascii,
)  # fmt: skip
def test_day_is_its_midnight(written):
    assert read_moment(written) == at()


@pytest.mark.parametrize(
    "written",
    [
        *("1405/09/10 10:30", "۱۴۰۵/۰۹/۱۰ ۱۰:۳۰", "10:30 ۱۴۰۵/۰۹/۱۰", "1405/09/10، 10:30"),
        *("10 آذر 1405 ساعت 10:30", "10 آذر 1405، ساعت ۱۰:۳۰", "1405/9/10 - 10:30"),
        *("1405/09/10 10:30 ق.ظ", "2026-12-01T10:30", "2026-12-01 10:30:00", "20261201 10:30"),
        *("2026-12-01T07:00:00Z", "2026-12-01T10:30:00.000+03:30", "1 Dec 2026 at 10:30 am"),
    ],
    ids=ascii,
)  # fmt: skip
def test_time_is_read_before_and_after_the_day(written):
    assert read_moment(written) == at(10, 30)


def test_afternoon_is_told():
    assert read_moment("1405/09/10 2:30 ب.ظ") == at(14, 30)
    assert read_moment("12:05 am, 2026-12-01") == at(0, 5)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "The date is empty."),
        ("\u200c\u200f", "The date is empty."),
        ("1404/12/30", "There is no such day in the calendar."),
        ("2026-02-29", "There is no such day in the calendar."),
        ("1405/13/01", "There is no such day in the calendar."),
        ("1405/09/10 24:00", "There is no such time of the day."),
        ("1405/09/10 13:00 pm", "There is no such time of the day."),
        ("پنجشنبه 10 آذر 1405", "That day has another name in the week."),
        ("10 آذر 2026", "A year such as 2026 has no such month."),
        ("1 December 1405", "A year such as 1405 has no such month."),
        ("1560/01/01", "The year 1560 is of neither calendar."),
        ("0784/01/01", "The year 784 is of neither calendar."),
    ],
    ids=ascii,
)  # fmt: skip
def test_reason_names_the_fault(written, reason):
    assert refuse(written).startswith(reason)


@pytest.mark.parametrize(
    "written",
    [
        *("05/09/10", "10/09/1405", "1/12/2026", "10:30", "tomorrow", "1405/09", "1405"),
        *("1405/09/10 1405/09/11", "1405/09/10 یا 11", "1405/09/10 (2026-12-01)"),
        *("=1405/09/10", "46357", "x" * 10_000, "1405/09/10" + " " * 200 + "!"),
    ],
    ids=lambda written: ascii(written[:30]),
)  # fmt: skip
def test_what_can_be_read_in_two_ways_is_refused_with_an_example(written):
    reason = refuse(written)
    assert reason.startswith(
        "This is not a date, or not one that can be read in one way"
    )
    assert reason.endswith("Write such as 1405/09/10 10:30, or 2026-12-01 10:30.")


def test_end_that_is_a_day_alone_is_refused():
    """It may be meant to go with that day; a beginning cannot."""
    for day in ("1405/09/10", lazystr("1 Dec 2026"), DAY):
        assert refuse(day, is_end=True).startswith("A day alone does not say when")
    for value in ("1405/09/10 0:00", "2026-12-01T00:00", at()):
        assert read_moment(value, is_end=True) == at()


class TestObjects:
    @pytest.mark.parametrize(
        "value",
        [
            pytest.param(at(10, 30), id="aware"),
            pytest.param(datetime(2026, 12, 1, 10, 30), id="naive"),
            pytest.param(jdatetime.datetime(1405, 9, 10, 10, 30), id="jdatetime"),
            pytest.param(
                jdatetime.datetime(1405, 9, 10, 10, 30, tzinfo=TEHRAN), id="aware j"
            ),
            pytest.param(lazystr("1405/09/10 10:30"), id="lazy"),
        ],
    )
    def test_what_knows_its_moment_is_asked(self, value):
        assert read_moment(value) == at(10, 30)

    @pytest.mark.parametrize("name", ["to_gregorian", "todatetime"])
    def test_other_libraries_objects_are_asked_too(self, name):
        twin = type("Jalali", (), {name: lambda self: datetime(2026, 12, 1, 10, 30)})
        assert read_moment(twin()) == at(10, 30)

    @pytest.mark.parametrize("day", [DAY, jdatetime.date(1405, 9, 10)], ids=repr)
    def test_day_alone_does_not_say_when(self, day):
        assert refuse(day).startswith("A day alone does not say when")
        assert read_day(day) == DAY

    @pytest.mark.parametrize("value", [1796108400, 1.5, b"1405/09/10", time(10), None])
    def test_other_types_are_named(self, value):
        kind = type(value).__name__
        assert refuse(value).endswith(f"not a value of type {kind}.")
        assert refuse(value, read_day).endswith(f"not a value of type {kind}.")

    def test_jalali_year_in_a_datetime_is_told_by_its_twin(self):
        for value in (datetime(1405, 9, 10), datetime(1405, 9, 10, tzinfo=UTC)):
            assert refuse(value).startswith("The year 1405 is Jalali")
            assert "year 2026" in refuse(value)
        assert refuse(date(1405, 9, 10), read_day).startswith("The year 1405 is Jalali")


class TestFarMoments:
    def test_long_past_is_refused_and_names_the_calendars(self):
        reason = refuse("1404/09/10 10:00", now=NOW)
        assert reason.startswith("2025-12-01 (1404/09/10) is long past.")
        assert "Jalali" in reason
        assert "Gregorian" in reason

    def test_past_is_called_long_only_where_it_is(self):
        day = timedelta(days=1)
        for passed, told in ((2 * day, "is past."), (31 * day, "is long past.")):
            with pytest.raises(InvalidMessage) as caught:
                read_moment(NOW - passed, now=NOW, long_past=day)
            assert told in str(caught.value.reason)

    def test_day_keeps_its_order_in_persian(self):
        with override("fa"):
            reason = refuse("1404/09/10 10:00", now=NOW)
        assert "\u20662025-12-01\u2069" in reason

    def test_own_calendar_is_first_in_persian(self):
        with override("fa"):
            reason = refuse("1404/09/10 10:00", now=NOW)
        assert reason.index("1404/09/10") < reason.index("2025-12-01")

    def test_what_has_just_passed_is_not(self):
        for passed in (timedelta(minutes=5), timedelta(days=29)):
            assert read_moment(NOW - passed, now=NOW) == NOW - passed

    def test_without_a_now_the_past_is_as_good(self):
        assert read_moment("1300/01/01").year == 1921

    @pytest.mark.parametrize("far", ["2200-01-01", datetime.max, datetime(2200, 1, 1)])
    def test_years_that_nobody_means_are_refused(self, far):
        assert "is of neither calendar" in refuse(far, now=NOW)


def test_day_is_that_of_the_current_zone():
    assert read_day(datetime(2026, 11, 30, 20, 30, tzinfo=UTC)) == DAY
    with timezone.override("UTC"):
        assert read_day(datetime(2026, 11, 30, 20, 30, tzinfo=UTC)) == date(
            2026, 11, 30
        )


def test_day_has_no_time():
    assert read_day("۱۴۰۵/۰۹/۱۰") == DAY
    assert refuse("1405/09/10 10:00", read_day) == "Give a day without a time."


# Before 1946 Tehran kept a local time, to the second.
_days = st.dates(date(1946, 1, 1), date(2099, 12, 31))
WAYS = {
    "jalali": lambda y, m, d: f"{y}/{m:02}/{d:02}",
    "short": lambda y, m, d: f"{y}-{m}-{d}",
    "persian": lambda y, m, d: persian_digits(f"{y}/{m}/{d}"),
    "arabic": lambda y, m, d: f"{y}/{m:02}/{d:02}".translate(ARABIC),
    "named": lambda y, m, d: f"{d} {jalali.MONTHS[m - 1]} {y}",
}


@given(_days, st.sampled_from(sorted(WAYS)), st.times(), st.booleans())
@example(date(2025, 3, 20), "named", time(23, 59), False)
def test_moment_is_read_however_it_is_written(day, way, clock, before):
    minute = clock.replace(second=0, microsecond=0)
    written = WAYS[way](*jalali.from_gregorian(day))
    parts = [f"{minute:%H:%M}", written] if before else [written, f"{minute:%H:%M}"]
    assert read_moment(" ".join(parts)) == datetime.combine(day, minute, TEHRAN)


@given(_days)
def test_what_our_pages_show_is_read_again(day):
    moment = at(10, 30, day)
    assert read_moment(f"{moment:%Y-%m-%d %H:%M}") == moment
    with timezone.override("Asia/Tehran"):
        assert read_moment(moment.isoformat()) == moment


@given(st.text("0123456789۰۹/-.: آذرمه", max_size=20) | st.text(max_size=30))
def test_nothing_but_a_moment_or_a_reason_comes_out(text):
    with contextlib.suppress(InvalidMessage):
        moment = read_moment(text)
        assert timezone.is_aware(moment)
        assert 1921 <= moment.year < 2200


def test_words_of_our_pages_in_persian_are_read():
    with override("fa"):
        assert read_moment(moment_words(at(10, 30))) == at(10, 30)
