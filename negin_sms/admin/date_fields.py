"""Entry of dates: one field with one label, read in both calendars.

In Persian it is a text with a Jalali calendar beside it, which works without script
too; in other languages the browser's own entry of dates. The calendar is
@majidh1/jalalidatepicker 0.9.12 (MIT, 20 kB and 8 kB of style, no dependency), its
files are in static/negin_sms/vendor/; what it lacks for the keyboard, for screen
readers and for dark pages is in ours, calendar.js and calendar.css.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone
from django.utils.translation import gettext as _

from negin_sms import jalali
from negin_sms.dates import is_jalali
from negin_sms.digits import are_wanted, spoken
from negin_sms.exceptions import InvalidMessage
from negin_sms.written_dates import EXAMPLES, read_day, read_moment

# Somebody at a form looks at now; programs may be late (LONG_PAST).
_LONG_PAST = timedelta(days=1)
# Days that have a day before and after them in every time zone.
SANE_DAYS = [
    MinValueValidator(date(2000, 1, 1)),
    MaxValueValidator(date(2100, 1, 1)),
]
_VENDOR = "negin_sms/vendor/jalalidatepicker/jalalidatepicker.min"


class _DateInput(forms.TextInput):
    """The entry; what is typed is kept as it is when it comes back with an error."""

    kind = native = ""

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        """Choose the entry by the language of the page."""
        context = super().get_context(name, value, attrs)
        widget = context["widget"]
        widget["attrs"]["class"] = "negin-sms-date"
        if not is_jalali():
            widget["type"] = self.native
            widget["attrs"]["dir"] = "ltr"
            # Else an entry that holds seconds takes no round minute.
            widget["attrs"]["step"] = "any"
        else:
            widget["attrs"] |= {
                "autocomplete": "off",
                "dir": "auto",  # digits run one way, a month's name the other
                "data-negin-sms-jalali": self.kind,
                "data-words": "|".join(_words()),
                "data-utc-offset": _minutes_ahead(),
                "data-digits": "fa" if are_wanted() else "",
            }
        return context

    @staticmethod
    def as_read(value: Any, read: Callable[[object], Any]) -> Any:
        """Return what was typed as a date where the browser's entry holds no other.

        A link may have it in the other calendar.
        """
        if is_jalali() or not isinstance(value, str):
            return value
        with contextlib.suppress(InvalidMessage):
            return read(value)
        return value

    @property
    def media(self) -> forms.Media:
        """Return the calendar's files, or what keeps a date from being lost by half."""
        styles = ["negin_sms/calendar.css"]
        if not is_jalali():
            return forms.Media(css={"all": styles}, js=["negin_sms/half_filled.js"])
        return forms.Media(
            css={"all": [f"{_VENDOR}.css", *styles]},
            js=[f"{_VENDOR}.js", "negin_sms/calendar.js"],
        )


class MomentInput(_DateInput):
    """A day and a time."""

    kind, native = "moment", "datetime-local"

    def format_value(self, value: Any) -> str | None:
        """Return a moment as the entry holds it, and anything else as it was."""
        value = self.as_read(value, read_moment)
        if not isinstance(value, datetime):
            return None if value is None else str(value)
        local = timezone.localtime(value) if timezone.is_aware(value) else value
        clock = local.strftime("%H:%M:%S" if local.second else "%H:%M")
        written = is_jalali() and jalali.written(local.date())
        return spoken(f"{written} {clock}") if written else f"{local:%Y-%m-%d}T{clock}"


class DayInput(_DateInput):
    """A day."""

    kind, native = "day", "date"

    def format_value(self, value: Any) -> str | None:
        """Return a day as the entry holds it, and anything else as it was."""
        value = self.as_read(value, read_day)
        if not isinstance(value, date):
            return None if value is None else str(value)
        written = is_jalali() and jalali.written(value)
        return spoken(written) if written else f"{value:%Y-%m-%d}"


class MomentField(forms.Field):
    """A moment that is not long past."""

    widget = MomentInput
    is_end = False

    def to_python(self, value: Any) -> datetime | None:
        """Read it, or say what is wrong with it."""
        if value in self.empty_values:
            return None
        try:
            return read_moment(
                value, now=timezone.now(), long_past=_LONG_PAST, is_end=self.is_end
            )
        except InvalidMessage as error:
            raise ValidationError(str(error.reason)) from None


class EndField(MomentField):
    """The moment at which something is over."""

    is_end = True


class DayField(forms.Field):
    """A day."""

    widget = DayInput

    def to_python(self, value: Any) -> date | None:
        """Read it, or say what is wrong with it."""
        if value in self.empty_values:
            return None
        try:
            return read_day(value)
        except InvalidMessage as error:
            # The reader's own examples have a time, which this field refuses.
            reason = str(error.reason).replace(
                str(EXAMPLES), _("Write such as 1405/09/10, or 2026-12-01.")
            )
            raise ValidationError(reason) from None


def _minutes_ahead() -> int:
    """Return how far the current time zone is ahead of UTC; browsers have their own."""
    offset = timezone.localtime().utcoffset() or timedelta(0)
    return int(offset.total_seconds() // 60)


def _words() -> list[str]:
    """Return what calendar.js says aloud; it names them in this order."""
    return [
        _("Calendar"),
        _("Year"),
        _("Month"),
        _("Hour"),
        _("Minute"),
        _("Next year"),
        _("Previous year"),
        _("Next month"),
        _("Previous month"),
    ]
