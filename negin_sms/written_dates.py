"""The one reader of dates: for forms, commands, links and the API alike.

Both calendars, told apart by the year: from 1300 it is Jalali, from 1900 Gregorian.
Digits of any script, ``/`` ``-`` ``.`` or spaces, or the month's name; the time
before or after. What can be read in two ways is refused, with what to write instead.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from datetime import timezone as fixed_zone

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from . import jalali
from .characters import latin_digits, left_to_right, persian_letters, visible
from .exceptions import InvalidMessage

LONG_PAST = timedelta(days=30)

_JALALI_YEARS = range(1300, 1500)
_GREGORIAN_YEARS = range(1900, 2200)
_LONGEST_INPUT = 128

# How the objects of jdatetime, persiantools and khayyam tell their Gregorian twin.
_TWINS = ("togregorian", "to_gregorian", "todatetime", "todate")
_SEPARATORS = re.compile("[/\u060d\u2044\u2215\\-\u2010-\u2015\u2212.\u066b]")
_DIGITS_ONLY = re.compile(r"(\d{4})(?: ?[/. -] ?(\d\d?) ?[/. -] ?(\d\d?)|(\d\d)(\d\d))")
_TIME = re.compile(
    r"(?:\bساعت|\bat\b|(?<=\d)t(?=\d))? ?(?<!\d)(\d\d?):(\d\d)"
    r"(?::(\d\d)(?:\.(\d{1,9}))?)?"
    r" ?([ap]\.?m\b\.?|[قب] ?\.? ?ظ\b\.?)?"
    r" ?(z\b|utc\b|[+-]\d\d:?\d\d\b)?"
)
_WEEKDAYS = {
    "دوشنبه": 0, "سهشنبه": 1, "چهارشنبه": 2, "پنجشنبه": 3, "جمعه": 4, "آدینه": 4,
    "شنبه": 5, "یکشنبه": 6,
}  # fmt: skip
_WEEKDAY = re.compile(
    r"\b((?:(?:یک|دو|سه|چهار|پنج) ?)?شنبه|جمعه|آدینه|"
    r"(?:mon|tue(?:s)?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?)\b"
)
_ENGLISH_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FILLERS = frozenset({"ماه", "سال", "روز", "مورخ", "ام", "th", "st", "nd", "rd", "of"})

_JALALI_MONTHS = {name.replace("آ", "ا"): n for n, name in enumerate(jalali.MONTHS, 1)} | {
    "امرداد": 5, "farvardin": 1, "ordibehesht": 2, "khordad": 3, "tir": 4,
    "mordad": 5, "amordad": 5, "shahrivar": 6, "mehr": 7, "aban": 8, "azar": 9,
    "dey": 10, "dei": 10, "bahman": 11, "esfand": 12,
}  # fmt: skip
_GREGORIAN_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan ژانویه", "february feb فوریه", "march mar مارس",
            "april apr اوریل", "may مه می", "june jun ژوئن", "july jul ژوئیه جولای",
            "august aug اوت اگوست", "september sep sept سپتامبر",
            "october oct اکتبر", "november nov نوامبر", "december dec دسامبر",
        ),
        1,
    )
    for name in names.split()
}  # fmt: skip

EXAMPLES = _("Write such as 1405/09/10 10:30, or 2026-12-01 10:30.")


def read_moment(
    value: object,
    field: str = "send_at",
    *,
    now: datetime | None = None,
    long_past: timedelta = LONG_PAST,
    is_end: bool = False,
) -> datetime:
    """Return the aware moment that was meant.

    ``value`` is a datetime, naive ones in the current time zone; an object of
    jdatetime or its like; or text, a day alone being its midnight, but refused as an
    end: it may be meant to go with it. With ``now`` what is long past is refused.
    Raise InvalidMessage(field) with what to write instead.
    """
    moment = _aware(_moment(value, field, is_end=is_end), field)
    if now is not None:
        _refuse_past(moment, now, long_past, field)
    return moment


def read_day(value: object, field: str = "day") -> date:
    """Return the day that was meant: a date, an object like one, or text.

    Raise InvalidMessage(field) with what to write instead.
    """
    value = _twin(value)
    if isinstance(value, str | Promise):
        day, clock = _read(str(value), field)
        if clock is not None:
            raise InvalidMessage(field, _("Give a day without a time."))
        return day
    if isinstance(value, datetime):
        return timezone.localtime(_aware(value, field)).date()
    if isinstance(value, date):
        _refuse_year(value.year, field)
        return value
    raise _wrong_type(value, field)


def _moment(value: object, field: str, *, is_end: bool) -> datetime:
    value = _twin(value)
    if isinstance(value, datetime):
        return value
    if isinstance(value, str | Promise):
        day, clock = _read(str(value), field)
        if clock is not None or not is_end:
            return datetime.combine(day, clock or time())
    elif not isinstance(value, date):
        raise _wrong_type(value, field)
    reason = _("A day alone does not say when: give its time, too.")
    raise InvalidMessage(field, f"{reason} {EXAMPLES}")


def _twin(value: object) -> object:
    """Return the Gregorian twin of an object of another calendar, else itself."""
    if isinstance(value, str | Promise | datetime) or type(value) is date:
        return value
    for name in _TWINS:
        convert = getattr(value, name, None)
        if callable(convert):
            return convert()
    return value


def _aware(moment: datetime, field: str) -> datetime:
    _refuse_year(moment.year, field)
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)


def _refuse_year(year: int, field: str) -> None:
    if year in _JALALI_YEARS:
        reason = _(
            "The year %(year)s is Jalali, and a datetime is Gregorian: give it of the "
            "year %(twin)s, or a jdatetime, or text."
        )
        raise InvalidMessage(field, reason % {"year": year, "twin": year + 621})
    if year > _GREGORIAN_YEARS[-1]:
        raise _neither(year, field)


def _refuse_past(
    moment: datetime, now: datetime, allowed: timedelta, field: str
) -> None:
    if moment >= now - allowed:
        return
    # A translation puts the calendar of its readers first.
    reason = _("%(gregorian)s (%(jalali)s) is past.")
    if moment < now - LONG_PAST:  # as if read in the wrong calendar
        reason = _(
            "%(gregorian)s (%(jalali)s) is long past. Years such as 1405 are read as "
            "Jalali, years such as 2026 as Gregorian."
        )
    day = moment.date()
    gregorian, other = left_to_right(f"{day:%Y-%m-%d}"), jalali.written(day) or "-"
    raise InvalidMessage(field, reason % {"gregorian": gregorian, "jalali": other})


def _wrong_type(value: object, field: str) -> InvalidMessage:
    reason = _("Give a datetime or text, not a value of type %(type)s.")
    return InvalidMessage(field, reason % {"type": type(value).__name__})


def _read(text: str, field: str) -> tuple[date, time | None]:
    """Return the day of a text, and its time where it names one."""
    words = _fold(text, field)
    clock, words = _take_time(words, field)
    weekday, words = _take_weekday(words)
    year, month, number, is_jalali = _take_day(words, field)
    try:
        make = jalali.to_gregorian if is_jalali else date
        day = make(year, month, number)
    except ValueError:
        reason = _("There is no such day in the calendar.")
        raise InvalidMessage(field, reason) from None
    if weekday is not None and weekday != day.weekday():
        raise InvalidMessage(field, _("That day has another name in the week."))
    return day, clock


def _fold(text: str, field: str) -> str:
    if len(text) > _LONGEST_INPUT:
        raise _no_date(field)
    plain = persian_letters(latin_digits(visible(text))).casefold()
    words = " ".join(re.sub("[,\u060c]", " ", plain).split())
    if not words:
        raise InvalidMessage(field, _("The date is empty."))
    return words


def _take_time(words: str, field: str) -> tuple[time | None, str]:
    found = _TIME.search(words)
    if found is None:
        return None, words
    hour, minute, second, fraction, half, zone = found.groups()
    try:
        clock = time(
            _hour(int(hour), half),
            int(minute),
            int(second or 0),
            int((fraction or "0").ljust(6, "0")[:6]),
            tzinfo=_zone(zone),
        )
    except ValueError:
        raise InvalidMessage(field, _("There is no such time of the day.")) from None
    rest = f"{words[: found.start()]} {words[found.end() :]}"
    return clock, " ".join(rest.split()).strip(" -")


def _hour(hour: int, half: str | None) -> int:
    if not half:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError("no such hour of half a day")
    return hour % 12 + (12 if half[0] in "pب" else 0)


def _zone(written: str | None) -> tzinfo | None:
    if not written:
        return None
    if written[0] in "zu":
        return UTC
    sign = -1 if written[0] == "-" else 1
    hours, minutes = int(written[1:3]), int(written[-2:])
    return fixed_zone(sign * timedelta(hours=hours, minutes=minutes))


def _take_weekday(words: str) -> tuple[int | None, str]:
    found = _WEEKDAY.search(words)
    if found is None:
        return None, words
    name = found[1].replace(" ", "")
    weekday = _WEEKDAYS.get(name)
    if weekday is None:
        weekday = _ENGLISH_WEEKDAYS.index(name[:3])
    return weekday, " ".join(_WEEKDAY.sub(" ", words, count=1).split())


def _take_day(words: str, field: str) -> tuple[int, int, int, bool]:
    """Return year, month and day, and whether they are Jalali."""
    plain = _DIGITS_ONLY.fullmatch(_SEPARATORS.sub("-", words))
    if plain:
        year, month, day = (int(part) for part in plain.groups() if part)
        return year, month, day, _is_jalali(year, field)
    return _take_named_day(words, field)


def _take_named_day(words: str, field: str) -> tuple[int, int, int, bool]:
    parts = [
        part
        for part in re.findall(r"\d+|[^\W\d]+|[^\w\s/.-]", words)
        if part not in _FILLERS
    ]
    numbers = [part for part in parts if part.isdecimal()]
    names = [part for part in parts if not part.isdecimal()]
    years = [part for part in numbers if len(part) == 4]
    days = [part for part in numbers if len(part) <= 2]
    if not (len(names) == len(years) == len(days) == 1 and len(parts) == 3):
        raise _no_date(field)
    year, name = int(years[0]), _month_name(names[0])
    is_jalali = _is_jalali(year, field)
    months = _JALALI_MONTHS if is_jalali else _GREGORIAN_MONTHS
    if name not in months:
        reason = _("A year such as %(year)s has no such month.") % {"year": year}
        raise InvalidMessage(field, reason)
    return year, months[name], int(days[0]), is_jalali


def _month_name(written: str) -> str:
    # آذرماه, which ZWNJ or nothing keeps together; and many type ا for آ.
    return written.removesuffix("ماه").replace("آ", "ا")


def _no_date(field: str) -> InvalidMessage:
    reason = _("This is not a date, or not one that can be read in one way only.")
    return InvalidMessage(field, f"{reason} {EXAMPLES}")


def _is_jalali(year: int, field: str) -> bool:
    if year in _JALALI_YEARS:
        return True
    if year in _GREGORIAN_YEARS:
        return False
    raise _neither(year, field)


def _neither(year: int, field: str) -> InvalidMessage:
    reason = _("The year %(year)s is of neither calendar.") % {"year": year}
    return InvalidMessage(field, f"{reason} {EXAMPLES}")
