"""Recipients as people have them: pasted in any shape, or saved from a spreadsheet.

A *list* is numbers, one a line or with separators between them. A *table* is lines
of cells, of which the first names the columns: one of them holds the numbers, the
others the values of placeholders. Nothing is judged here but the shape; whether a
number can be reached is for whoever composes the messages.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from negin_sms.exceptions import InvalidMessage
from negin_sms.phones import normalize_mobile
from negin_sms.texts import fold_name

MOST_RECIPIENTS = 10_000
# In bytes and in characters. Django takes 2.5 MB in a form, and what was read comes
# back in one.
LARGEST_INPUT = 1_000_000

NUMBER_COLUMN = "mobile"
_NUMBER_COLUMNS = (
    *(NUMBER_COLUMN, "mobile number", "cell", "cellphone"),
    *("موبایل", "شماره موبایل", "تلفن همراه", "شماره همراه", "همراه"),
    *("phone", "phone number", "tel", "شماره تلفن", "تلفن", "شماره", "number"),
)
_DELIMITERS = "\t;,،|"
_SEPARATORS = re.compile(r"[\t;؛,،|&]")
# A heading may hold a year or a unit; five digits are the beginning of a number.
_DIGITS_OF_A_HEADING = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One recipient as given: the number as typed, the values by folded name.

    ``line`` counts from 1; ``problem`` says what is wrong with the row's shape.
    """

    line: int
    mobile: str = field(repr=False)
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The recipients, and the folded names of the columns beside the number's."""

    rows: tuple[Row, ...] = ()
    columns: tuple[str, ...] = ()


@sensitive_variables()
def decode_file(data: bytes) -> str:
    """Return the text of a file that a spreadsheet saved.

    UTF-8 with or without a mark, UTF-16 with one, or else the Persian Windows page.
    Raise InvalidMessage("file") for what is too large or no text.
    """
    if len(data) > LARGEST_INPUT:
        reason = _("The file is too large; give at most %(limit)s kB at a time.")
        raise InvalidMessage("file", reason % {"limit": LARGEST_INPUT // 1000})
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "cp1256"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise InvalidMessage(
        "file", _("This is not a CSV file. Save the spreadsheet as CSV first.")
    )


@sensitive_variables()
def read_sheet(text: str) -> Sheet:
    """Read a list or a table; lines without a word are skipped.

    Raise InvalidMessage("recipients") where the whole of it cannot be read.
    """
    lines = re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff"))
    first = next((at for at, line in enumerate(lines) if line.strip()), 0)
    delimiter = _delimiter(lines[first])
    if named := re.fullmatch(r"sep=(.)", lines[first].strip()):
        first, delimiter = first + 1, named[1]  # Excel's own way to say it
    heading = lines[first] if first < len(lines) else ""
    if not _is_heading(heading):
        return Sheet(_counted(_list_rows(lines, first)))
    if delimiter and len(names := _headings(heading, delimiter)) > 1:
        return _read_table(lines, first, delimiter, names)
    start = first + 1 if any(line.strip() for line in lines[first + 1 :]) else first
    return Sheet(_counted(_list_rows(lines, start)))


def write_sheet(rows: Iterable[Row], columns: Sequence[str] = ()) -> str:
    """Return rows in a shape that ``read_sheet`` reads and people can edit."""
    if not columns:
        return "".join(f"{row.mobile}\n" for row in rows)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([NUMBER_COLUMN, *columns])
    for row in rows:
        writer.writerow([row.mobile, *(row.values.get(name, "") for name in columns)])
    return out.getvalue()


def _delimiter(line: str) -> str:
    """Return what most often stands between the cells of a line, "" for nothing."""
    best = max(_DELIMITERS, key=line.count)
    return best if best in line else ""


def _is_heading(line: str) -> bool:
    cells = _SEPARATORS.split(line)
    digits = max(sum(c.isdecimal() for c in cell) for cell in cells)
    return digits <= _DIGITS_OF_A_HEADING and any(c.isalpha() for c in line)


def _headings(line: str, delimiter: str) -> list[str]:
    cells = next(csv.reader([line], delimiter=delimiter), [])
    names = [fold_name(cell) for cell in cells]
    twice = next((n for at, n in enumerate(names) if n and n in names[:at]), None)
    if twice is not None:
        reason = _("Two columns are named “%(name)s”; give each its own name.")
        raise InvalidMessage("recipients", reason % {"name": twice})
    return names


def _list_rows(lines: Sequence[str], first: int) -> Iterator[Row]:
    for at, line in enumerate(lines[first:], first + 1):
        for piece in _SEPARATORS.split(line):
            if mobile := piece.strip("\"' \u200b\ufeff\t"):
                yield Row(at, mobile)


def _read_table(
    lines: Sequence[str], first: int, delimiter: str, names: Sequence[str]
) -> Sheet:
    numbered = _records(lines[first + 1 :], first + 1, delimiter)
    number_at = _number_column(names, [cells for _line, cells in numbered[:1]])
    columns = tuple(n for at, n in enumerate(names) if n and at != number_at)
    rows = (_row(line, cells, names, number_at) for line, cells in numbered)
    return Sheet(_counted(rows), columns)


@sensitive_variables()  # which does not reach into a generator
def _records(
    lines: Sequence[str], offset: int, delimiter: str
) -> list[tuple[int, list[str]]]:
    """Return the line and the cells of each row that holds anything.

    A quotation mark that is never closed would swallow the rows behind it into one
    cell, so the reader is strict.
    """
    records: list[tuple[int, list[str]]] = []
    reader = csv.reader(
        (f"{line}\n" for line in lines), delimiter=delimiter, strict=True
    )
    line = offset + 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                records.append((line, stripped))
            line = offset + reader.line_num + 1
    except csv.Error:
        reason = _("A quotation mark is out of place in the row of line %(line)s.")
        raise InvalidMessage("recipients", reason % {"line": line}) from None
    return records


def _number_column(names: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    for known in _NUMBER_COLUMNS:
        if known in names:
            return names.index(known)
    for cells in rows:
        for at, cell in enumerate(cells[: len(names)]):
            if _is_mobile(cell):
                return at
    raise InvalidMessage(
        "recipients",
        _("No column holds mobile numbers; name the one that does “mobile”."),
    )


def _is_mobile(cell: str) -> bool:
    try:
        return bool(normalize_mobile(cell))
    except InvalidMessage:
        return False


def _row(line: int, cells: list[str], names: Sequence[str], number_at: int) -> Row:
    width = len(names)
    extra = [cell for cell in cells[width:] if cell]
    cells = [*cells[:width], *[""] * (width - len(cells))]
    problem = ""
    if extra:
        # Nothing that was typed gets lost: it comes back to be corrected.
        cells[-1] = ", ".join([cells[-1], *extra])
        problem = _("The line has more cells than the first one.")
    values = {
        name: cell
        for at, (name, cell) in enumerate(zip(names, cells, strict=True))
        if name and at != number_at
    }
    return Row(line, cells[number_at], values, problem)


def _counted(rows: Iterable[Row]) -> tuple[Row, ...]:
    found = tuple(islice(rows, MOST_RECIPIENTS + 1))
    if len(found) > MOST_RECIPIENTS:
        reason = _("These are too many; give at most %(limit)s recipients at a time.")
        raise InvalidMessage("recipients", reason % {"limit": MOST_RECIPIENTS})
    return found
