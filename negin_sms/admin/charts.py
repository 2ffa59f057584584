"""The report's bars as numbers for SVG: no label of anybody's is in them.

Everything is text already, with a decimal point whatever the language writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from negin_sms.services.statistics.counts import Counts

_FEWEST_COLUMNS = 14  # fewer would be blocks, not bars
_GAP = 0.15
_RECTANGLE = '<rect class="negin-sms-bar-{}" x="{}" y="{}" width="{}" height="{}"/>'

# What a bar is made of, from its foot: class, words, and how it is counted.
PARTS: tuple[tuple[str, Any, tuple[str, ...]], ...] = (
    ("delivered", _("Delivered"), ("delivered",)),
    ("underway", _("On the way"), ("at_operator", "waiting")),
    ("no_report", _("No report"), ("no_report",)),
    ("undelivered", pgettext_lazy("of messages", "Not delivered"), ("undelivered",)),
    ("rejected", _("Rejected"), ("rejected",)),
    ("unsent", _("Uncertain or not sent"), ("uncertain", "not_sent")),
)


class Piece(NamedTuple):
    """A rectangle of a bar, in the units of its drawing."""

    kind: str
    x: str
    y: str
    width: str
    height: str


class Bar(tuple[Piece, ...]):
    """The pieces of a bar."""

    __slots__ = ()

    @property
    def svg(self) -> SafeString:
        """Return its rectangles, in less time than a template takes for them."""
        return format_html_join("", _RECTANGLE, self)


@dataclass(frozen=True, slots=True)
class Column:
    """A day's bar, and the words that appear over it."""

    title: str
    bar: Bar


@dataclass(frozen=True, slots=True)
class Columns:
    """Bars side by side, in a drawing ``width`` wide and 100 high."""

    width: int
    columns: tuple[Column, ...]
    highest: int


def draw_columns(days: Sequence[tuple[str, Counts]], *, mirrored: bool) -> Columns:
    """Draw a bar for each of the days, time running as the language is read."""
    highest = max((counts.total for _title, counts in days), default=0)
    width = max(len(days), _FEWEST_COLUMNS)
    columns = []
    for number, (title, counts) in enumerate(days):
        left = (width - 1 - number if mirrored else number) + _GAP
        x, breadth = _number(left), _number(1 - 2 * _GAP)
        bar = Bar(
            Piece(kind, x, _number(100 - start - size), breadth, _number(size))
            for kind, start, size in _stack(counts, highest)
        )
        columns.append(Column(title, bar))
    return Columns(width, tuple(columns), highest)


def draw_bar(counts: Counts, longest: int, *, mirrored: bool) -> Bar:
    """Draw a bar that lies, 100 long for the longest, beginning where reading does."""
    return Bar(
        Piece(
            kind,
            _number(100 - start - size if mirrored else start),
            "0",
            _number(size),
            "10",
        )
        for kind, start, size in _stack(counts, longest)
    )


def _stack(counts: Counts, longest: int) -> list[tuple[str, float, float]]:
    """Return kind, beginning and length of each piece, of 100 for the longest."""
    found, start = [], 0.0
    for kind, _words, names in PARTS:
        size = 100 * sum(getattr(counts, name) for name in names) / (longest or 1)
        if size:
            found.append((kind, start, size))
        start += size
    return found


def _number(value: float) -> str:
    return f"{max(value, 0):.2f}"  # no "-0.00"
