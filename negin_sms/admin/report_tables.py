"""What a report looks like: its tables, their bars and words, and its CSV."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.utils.formats import number_format
from django.utils.translation import (
    get_language_bidi,
    gettext_lazy,
    pgettext,
    pgettext_lazy,
)
from django.utils.translation import gettext as _

from negin_sms.choices import Scenario
from negin_sms.dates import day_words
from negin_sms.digits import spoken
from negin_sms.gateway.codes import code_meaning
from negin_sms.services.statistics.counts import Counts
from negin_sms.services.statistics.report import DeliveryStatistics, ReportRow

from .charts import PARTS, Bar, draw_bar, draw_columns
from .estimates import report_estimate
from .spreadsheets import Rows

# What is always shown, and what only where there is any.
_COLUMNS: dict[str, Any] = {
    "sent": gettext_lazy("Sent"),
    "delivered": gettext_lazy("Delivered"),
    "undelivered": pgettext_lazy("of messages", "Not delivered"),
    "at_operator": gettext_lazy("At the operator"),
    "waiting": gettext_lazy("Other without a last word"),
    "no_report": gettext_lazy("No report"),
    "rejected": gettext_lazy("Rejected"),
    "uncertain": gettext_lazy("Uncertain"),
    "not_sent": gettext_lazy("Not sent"),
    "fallback": gettext_lazy("Fallback"),
    "parts": gettext_lazy("Parts"),
}
_RARE = ("waiting", "uncertain", "not_sent")


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table: its label, where it leads, its numbers and its bar."""

    label: str
    url: str
    is_number: bool
    cells: tuple[int, ...]
    rate: str
    median: str
    bar: Bar


@dataclass(frozen=True, slots=True)
class Table:
    """One of the report's tables."""

    name: str
    title: str
    lines: tuple[Line, ...]


def draw_report(report: DeliveryStatistics, changelist: str) -> dict[str, Any]:
    """Return what the template shows of a report, its CSV's address included."""
    mirrored = get_language_bidi()
    columns = [
        name for name in _COLUMNS if name not in _RARE or getattr(report.total, name)
    ]
    days = [(_day_title(day, counts), counts) for day, counts in report.days]
    estimate = report_estimate(report)
    draft = _Tables(report, columns, changelist, mirrored=mirrored)
    return {
        "columns": [_COLUMNS[name] for name in columns],
        "chart": draw_columns(days, mirrored=mirrored),
        "legend": [
            (kind, words)
            for kind, words, names in PARTS
            if any(getattr(report.total, name) for name in names)
        ],
        "tables": draft.all(),
        "totals": [
            (_("Sent"), report.total.sent),
            (_("Delivered"), report.total.delivered),
            (_("Delivery rate"), rate_words(report.total) or "-"),
            (_("Without a last word"), report.total.sent - report.total.last_words),
            (_("Median time to delivery"), median_words(report.total) or "-"),
            (_("Parts"), report.total.parts),
            *([(_("Estimate in rials, as Persian"), estimate)] if estimate else []),
            (_("Fallback taken"), report.total.fallback),
        ],
        "reasons": [
            (row.value, _reason(row.value), row.counts.rejected)
            for row in report.reasons
        ],
        "csv_query": urlencode({**draft.period, "format": "csv"}),
        "xlsx_query": urlencode({**draft.period, "format": "xlsx"}),
    }


class _Tables:
    """The report's tables, with links to the messages behind their rows."""

    def __init__(
        self,
        report: DeliveryStatistics,
        columns: list[str],
        changelist: str,
        *,
        mirrored: bool,
    ) -> None:
        self._report = report
        self._columns = columns
        self._changelist = changelist
        self._mirrored = mirrored
        self._account = {"account": report.account} if report.account else {}
        self.period = {"first": report.first, "last": report.last, **self._account}

    def all(self) -> list[Table]:
        """Return those that say something: not one whose only row is "none"."""
        report = self._report
        days = [
            (spoken(day_words(day)), {"sent": day}, False, counts)
            for day, counts in report.days
        ]
        tables = [
            self._table("days", _("By day"), days),
            self._table("lines", _("By line"), self._named(report.lines, _line)),
            self._table(
                "scenarios",
                _("By scenario"),
                self._named(report.scenarios, _scenario, "scenario"),
            ),
            self._table(
                "templates", _("By template"), self._named(report.templates, _template)
            ),
            self._table(
                "groups", _("By group"), self._named(report.groups, _group, "group")
            ),
        ]
        return [table for table in tables if table.lines]

    def _named(self, rows: Iterable[ReportRow], words: Any, parameter: str = "") -> Any:
        rows = list(rows)
        if [row.value for row in rows] in ([""], []):
            return
        between = f"{self._report.first}..{self._report.last}"
        for row in rows:
            label, is_number = words(row.value)
            query = {"sent": between, parameter: row.value} if parameter else {}
            yield label, query if row.value else {}, is_number, row.counts

    def _table(self, name: str, title: str, rows: Iterable[Any]) -> Table:
        rows = list(rows)
        longest = max((counts.total for *_label, counts in rows), default=0)
        return Table(
            name,
            title,
            tuple(
                Line(
                    label,
                    self._url(query),
                    is_number,
                    tuple(getattr(counts, column) for column in self._columns),
                    rate_words(counts),
                    median_words(counts),
                    draw_bar(counts, longest, mirrored=self._mirrored),
                )
                for label, query, is_number, counts in rows
            ),
        )

    def _url(self, query: dict[str, Any]) -> str:
        return f"{self._changelist}?{urlencode(query | self._account)}" if query else ""


def _line(value: str) -> tuple[str, bool]:
    return (value, True) if value else (_("Without a line"), False)


def _scenario(value: str) -> tuple[str, bool]:
    return str(dict(Scenario.choices).get(value, value)), False


def _template(value: str) -> tuple[str, bool]:
    return (spoken(value), True) if value else (_("Without a template"), False)


def _group(value: str | None) -> tuple[str, bool]:
    if value is None:
        return _("Other groups"), False
    return value or _("Without a group"), False


def _reason(code: str | None) -> str:
    meaning = code_meaning(int(code)) if code else ""
    return meaning or _("Without a code")


def _day_title(day: date, counts: Counts) -> str:
    words = _("%(day)s: %(sent)d sent, %(delivered)d delivered")
    return words % {
        "day": day_words(day),
        "sent": counts.sent,
        "delivered": counts.delivered,
    }


def file_rows(report: DeliveryStatistics) -> Rows:
    """Yield the header and the rows of all the report's tables."""
    seconds, percent = _("Median seconds to delivery"), _("Delivery rate (%)")
    head = pgettext("column of a table", "By"), pgettext("column of a table", "Value")
    yield [*head, *_COLUMNS.values(), percent, seconds]
    for day, counts in report.days:
        yield [_("day"), day.isoformat(), *_numbers(counts)]
    for name, rows in (
        (_("line"), report.lines),
        (_("scenario"), report.scenarios),
        (_("template"), report.templates),
        (pgettext("of messages", "group"), report.groups),
        (_("reason"), report.reasons),
    ):
        for row in rows:
            value = _("others") if row.value is None else row.value
            shown = _scenario(value)[0] if rows is report.scenarios else value
            yield [name, shown, *_numbers(row.counts)]


def _numbers(counts: Counts) -> list[object]:
    rate, median = counts.delivery_rate, counts.median_seconds
    return [
        *(getattr(counts, name) for name in _COLUMNS),
        None if rate is None else round(100 * rate, 1),
        None if median is None else round(median),
    ]


def rate_words(counts: Counts) -> str:
    """Return the delivered share of what has a last word, "" where nothing has."""
    rate = counts.delivery_rate
    return "" if rate is None else f"{_rounded(100 * rate, 1)}%"


def median_words(counts: Counts) -> str:
    """Return the median time to delivery as people say it, "" where there is none."""
    seconds = counts.median_seconds
    if seconds is None:
        return ""
    if seconds < 90:
        return _("%(number)s s") % {"number": _rounded(seconds, 0)}
    if seconds < 90 * 60:
        return _("%(number)s min") % {"number": _rounded(seconds / 60, 0)}
    return _("%(number)s h") % {"number": _rounded(seconds / 3600, 1)}


def _rounded(number: float, places: int) -> str:
    # number_format cuts off; the report's files round.
    return number_format(round(number, places), places)
