"""Recipients as people have them: pasted in any shape, or read from a file.

A *list* is numbers, one a line or with separators between them. A *table* is lines
of cells, of which one names the columns: one of them holds the numbers, the others
the values of placeholders. Nothing is judged here but the shape; whether a number can
be reached is for whoever composes the messages.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from negin_sms.characters import latin_digits, visible
from negin_sms.error_reports import private
from negin_sms.exceptions import InvalidMessage
from negin_sms.texts import fold_name

from .tables import (
    DECIDED,
    MOST_CELLS,
    MOST_COLUMNS,
    Record,
    Row,
    Sheet,
    clean_cell,
    counted,
    has_mobile,
    is_number_heading,
    keep_cell,
    read_table,
    refuse_cells,
)

_DELIMITERS = "\t;؛,،|"
_SEPARATORS = re.compile(r"[\t;؛,،|&]")
_BREAKS = re.compile(rf"{_SEPARATORS.pattern}|[\r\n]+")
_TITLES = 10  # lines above a heading, at the most
# A heading may hold a year or a unit; five digits are the beginning of a number.
_DIGITS_OF_A_HEADING = 4
_YEAR = r"(?:1[34]|19|20)\d\d"
_DATE = re.compile(
    rf"\b(?:{_YEAR}[/.-]\d\d?[/.-]\d\d?|\d\d?[/.-]\d\d?[/.-]{_YEAR})(?!\d)"
)


class _Heading(NamedTuple):
    """The line that names the columns, and what stands between them."""

    at: int
    delimiter: str


@private
def read_sheet(text: str) -> Sheet:
    """Read a list or a table; lines without a word are skipped.

    Raise InvalidMessage("recipients") where the whole of it cannot be read.
    """
    lines = re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff"))
    first = next((at for at, line in enumerate(lines) if line.strip()), 0)
    delimiter = ""
    if named := re.fullmatch(r"sep=(.)", lines[first].strip()):
        first, delimiter = first + 1, named[1]  # Excel's own way to say it
    if table := _table_heading(lines, _headings(lines, first), delimiter):
        return read_table(list(_records(lines, first, table.delimiter)))
    return _read_list(lines, first)


@private
def read_records(records: Sequence[Record]) -> Sheet:
    """Read the rows of a workbook: a table, or a list where no row names columns."""
    widest = max((sum(map(bool, cells)) for _line, cells in records), default=0)
    if widest > 1 and not has_mobile(records[0][1]):
        return read_table(records)
    lines = [""] * (records[-1][0] if records else 1)
    for line, cells in records:
        lines[line - 1] = "\t".join(cells)
    return _read_list(lines, 0)


def write_sheet(rows: Iterable[Row], columns: Sequence[str] = ()) -> str:
    """Return rows in a shape that ``read_sheet`` reads and people can edit."""
    if not columns:
        # What was refused as one would be read as several where these are commas.
        return "".join(f"{_BREAKS.sub(' + ', row.mobile)}\n" for row in rows)
    out = io.StringIO()
    heading = [_number_heading(columns), *columns]
    # Tabs, unless the reader took it for others: between them each cell has its own
    # direction, where commas let numbers and Persian words change places.
    between = _delimiter("\t".join(heading))
    writer = csv.writer(out, delimiter=between, lineterminator="\n")
    writer.writerow(heading)
    names = [fold_name(column) for column in columns]
    for row in rows:
        cells = (row.values.get(name, "") for name in names)
        writer.writerow([row.mobile, *map(keep_cell, cells)])
    return out.getvalue()


def _number_heading(columns: Sequence[str]) -> str:
    """Return what says to the reader that the numbers are below; no column is it."""
    translated = pgettext("heading of a column of numbers", "send to")
    words = [word for word in (translated, *DECIDED) if fold_name(word) in DECIDED]
    taken = {fold_name(column) for column in columns}
    return next((w for w in words if fold_name(w) not in taken), words[0])


def _read_list(lines: Sequence[str], first: int) -> Sheet:
    above = _headings(lines, first)
    return Sheet(counted(_list_rows(lines, _list_start(lines, first, above))))


def _headings(lines: Sequence[str], first: int) -> list[int]:
    """Return which of the first lines are headings or titles: words and no number."""
    found: list[int] = []
    for at, line in enumerate(lines[first:], first):
        if not line.strip():
            continue
        if len(found) > _TITLES or not _is_heading(line):
            break
        found.append(at)
    return found


def _is_heading(line: str) -> bool:
    cells = _SEPARATORS.split(_DATE.sub("", latin_digits(visible(line))))
    digits = max(sum(c.isdecimal() for c in cell) for cell in cells)
    return digits <= _DIGITS_OF_A_HEADING and any(c.isalpha() for c in line)


def _table_heading(
    lines: Sequence[str], above: Sequence[int], given: str
) -> _Heading | None:
    """Return the heading with a known name, or else the one with the most cells."""
    best: tuple[bool, int] = (False, 1)
    heading = None
    for at in above:
        delimiter = given or _delimiter(lines[at])
        cells = lines[at].split(delimiter) if delimiter else []
        filled = sum(bool(cell.strip()) for cell in cells)
        rank = (
            filled > 1 and any(map(is_number_heading, cells[:MOST_COLUMNS])),
            filled,
        )
        if rank > best:
            best, heading = rank, _Heading(at, delimiter)
    return heading


def _delimiter(line: str) -> str:
    """Return what most often stands between the cells of a line, "" for nothing."""
    best = max(_DELIMITERS, key=line.count)
    return best if best in line else ""


def _list_start(lines: Sequence[str], first: int, above: Sequence[int]) -> int:
    """Return where the numbers of a list begin: below what names them, if anything."""
    named = [at for at in above if is_number_heading(lines[at])]
    heading = (named or list(above[:1]) or [first - 1])[0]
    return heading + 1 if any(map(str.strip, lines[heading + 1 :])) else first


def _list_rows(lines: Sequence[str], first: int) -> Iterator[Row]:
    for at, line in enumerate(lines[first:], first + 1):
        for piece in _SEPARATORS.split(line):
            if mobile := clean_cell(piece).strip("\"' \u200b\ufeff\t"):
                yield Row(at, mobile)


@private
def _records(
    lines: Sequence[str], first: int, delimiter: str
) -> Iterator[tuple[int, list[str]]]:
    """Yield the line and the cells of each row that holds anything.

    A quotation mark that is never closed would swallow the rows behind it into one
    cell, so the reader is strict.
    """
    reader = csv.reader(
        (f"{line}\n" for line in lines[first:]), delimiter=delimiter, strict=True
    )
    line, left = first + 1, MOST_CELLS
    try:
        for cells in reader:
            left = refuse_cells(left, len(cells))
            cleaned = [clean_cell(cell) for cell in cells]
            if any(cleaned):
                yield line, cleaned
            line = first + reader.line_num + 1
    except csv.Error as error:
        reason = _("A quotation mark is out of place in the row of line %(line)s.")
        if "limit" in str(error):
            reason = _("A cell in the row of line %(line)s is too long.")
        raise InvalidMessage("recipients", reason % {"line": line}) from None
