"""Numbers and dates of a workbook's cells in the words that the sheet shows.

Only the formats that lists of people have: zeros in front, thousands, decimals,
percents, what stands before and behind the digits, dates and times in digits, also
those of the Persian calendar. Whatever else there is is written plainly: all digits of
a number, the date as 2026-11-26.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from negin_sms.jalali import from_gregorian

_LONGEST_FORMAT = 255  # characters, as in Excel: zeros in it are as many in the cell
# Digits enough for the largest float in percent, and the longest format's decimals.
_ROUNDING = Context(prec=311 + _LONGEST_FORMAT, rounding=ROUND_HALF_UP)
_PLAIN = re.compile(r"(?P<zeros>0+)(?P<decimals>\.0+)?(?P<percent>%)?")
_THOUSANDS = re.compile(r"#,##0(?P<decimals>\.0+)?")
# Excel names the calendar in front: [$-fa-IR,16], or in digits [$-2160429].
_PERSIAN_CALENDAR = re.compile(
    r"\[\$-(?:[A-Za-z-]+,16|[0-9A-Fa-f]{0,2}16[0-9A-Fa-f]{4})\]"
)
# What a number stands in: quoted, escaped, a currency, or a sign that needs neither.
_LITERAL = r'"[^"]*"|\\.|\[\$[^\]]*\]|[ $()+\-/:]'
_AROUND = re.compile(
    rf"(?P<before>(?:{_LITERAL})*)(?P<digits>[#0][#0,.]*%?)(?P<behind>(?:{_LITERAL})*)"
)
_NO_WIDTH = re.compile(r"\[(?!\$)[^\]]*\]|_.|\*.")
_NOT_SHOWN = re.compile(r"\[[^\]]*\]|\\(?=.)|_.|\*.|\"")
_TOKENS = re.compile(r"yyyy|yy|mm?|dd?|hh?|ss?|.")
# Three letters are a name, of a month or a day.
_NUMERIC_DATE = re.compile(r"(?:(?!mmm|ddd)[ymdhs\d\s/.:,-])+")
# The sheet's own short date, which looks different in every country.
_BUILT_IN = ("mm-dd-yy", "General")


def cell_words(cell: Any) -> str:
    """Return what a cell of openpyxl shows, "" for one without a value."""
    value = cell.value
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return str(value).upper()
    shown = (cell.number_format or "")[:_LONGEST_FORMAT].split(";")[0]
    if isinstance(value, int | float):
        return _number_words(value, _NO_WIDTH.sub("", shown))
    if isinstance(value, timedelta):
        return _hours_words(value, shown.lower())
    return _moment_words(value, shown)


def _number_words(value: float, shown: str) -> str:
    if not math.isfinite(value):
        return str(value)
    around = _AROUND.fullmatch(shown)
    digits = around and _digits(_as_kept(abs(value)), around["digits"])
    if not around or digits is None:
        # As the sheet keeps it: 15 digits, and whole numbers without a point.
        return str(int(value)) if value == int(value) else f"{value:.15g}"
    sign = "-" * (value < 0)
    return sign + _literally(around["before"]) + digits + _literally(around["behind"])


def _literally(shown: str) -> str:
    """Return what is shown as it is; of a currency such as [$ریال-429], its sign."""
    return "".join(
        each[2:-1].split("-")[0]
        if each.startswith("[$")
        else each.strip('"').lstrip("\\")
        for each in re.findall(_LITERAL, shown)
    )


def _hours_words(value: timedelta, shown: str) -> str:
    minutes, seconds = divmod(round(value.total_seconds()), 60)
    words = f"{minutes // 60}:{minutes % 60:02}"
    return f"{words}:{seconds:02}" if seconds or "s" in shown else words


def _as_kept(value: float) -> Decimal:
    """Return a number as sheets keep it: of a fraction the first 15 digits."""
    return Decimal(int(value) if value == int(value) else f"{value:.15g}")


def _digits(value: Decimal, shown: str) -> str | None:
    if plain := _PLAIN.fullmatch(shown):
        width = len(plain["zeros"]) + len(plain["decimals"] or "")
        percent = plain["percent"] or ""
        rounded = _round(
            _ROUNDING.scaleb(value, 2 if percent else 0), plain["decimals"]
        )
        return f"{rounded:0{width}f}{percent}"
    if grouped := _THOUSANDS.fullmatch(shown):
        return f"{_round(value, grouped['decimals']):,f}"
    return None


def _round(value: Decimal, decimals: str | None) -> Decimal:
    """Round as sheets do: a half up, where Python takes the even digit."""
    places = max(len(decimals or "") - 1, 0)
    return value.quantize(Decimal(1).scaleb(-places), context=_ROUNDING)


def _moment_words(value: date | time, shown: str) -> str:
    wanted = _NOT_SHOWN.sub("", shown).lower()
    tokens = _TOKENS.findall(wanted)
    no_day = isinstance(value, time) and not set("yd").isdisjoint(wanted)
    if shown in _BUILT_IN or no_day or not _NUMERIC_DATE.fullmatch(wanted):
        return _plainly(value)
    parts = _parts(value, persian=_PERSIAN_CALENDAR.search(shown) is not None)
    return "".join(_token_words(at, tokens, parts) for at in range(len(tokens)))


def _plainly(value: date | time) -> str:
    """Return the day, the time where there is one, its seconds where there are some."""
    clock = _clock(value)
    words = clock.isoformat("seconds" if clock.second else "minutes")
    if isinstance(value, time):
        return words
    day = f"{value:%Y-%m-%d}"
    return f"{day} {words}" if clock != time() else day


def _clock(value: date | time) -> time:
    if isinstance(value, datetime):
        return value.time()
    return value if isinstance(value, time) else time()


def _parts(value: date | time, *, persian: bool) -> dict[str, str]:
    """Return a moment by the letters of formats; minutes as "minute"."""
    day = value if isinstance(value, date) else date(2000, 1, 1)
    clock = _clock(value)
    year, month, number = day.year, day.month, day.day
    if persian:
        year, month, number = from_gregorian(day)
    numbers = {"m": month, "d": number, "h": clock.hour, "s": clock.second}
    return {
        **{letter: str(number) for letter, number in numbers.items()},
        **{letter * 2: f"{number:02}" for letter, number in numbers.items()},
        **{"yyyy": f"{year:04}", "yy": f"{year % 100:02}"},
        "minute": f"{clock.minute:02}",
    }


def _token_words(at: int, tokens: list[str], parts: dict[str, str]) -> str:
    is_minute = tokens[at] in ("mm", "m") and _is_minute(at, tokens)
    return parts.get("minute" if is_minute else tokens[at], tokens[at])


def _is_minute(at: int, tokens: list[str]) -> bool:
    """Return whether an m means minutes: after hours, or before seconds."""
    before = [token[0] for token in tokens[:at] if token.isalpha()]
    after = [token[0] for token in tokens[at + 1 :] if token.isalpha()]
    return before[-1:] == ["h"] or after[:1] == ["s"]
