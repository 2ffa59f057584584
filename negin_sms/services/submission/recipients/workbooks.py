"""Workbooks (.xlsx): the cells of their first sheet as a person sees them there.

Read by openpyxl, which is the extra ``xlsx``. python-calamine is fifteen times as fast
(1 against 20 µs a cell, measured in November 2026), but tells neither the format of a
cell nor which rows a filter hides: a code that is seen as 0042 would leave as 42, and
who was filtered out would get the message. So the cells are few instead (about 60,000),
and counted before anything is read (``bombs``).
"""

from __future__ import annotations

import io
import re
from dataclasses import replace
from itertools import islice
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables

from negin_sms.exceptions import InvalidMessage

from .bombs import MOST_TAGS, Bomb, Broken, refuse_bombs
from .cells import cell_words
from .reader import read_records
from .tables import MOST_COLUMNS, Record, Sheet, clean_cell

_MOST_ROWS = 1_048_576  # Excel's; without cells they cost nothing
_MOST_EMPTY = 50_000  # rows that are there and hold nothing
_MOST_CHARACTERS = 1_000_000
# Neither "<" stands in a tag: what is never closed is looked through once.
_ROW = re.compile(rb"<(?:\w{1,20}:)?row\b([^<>]*)>")
_HIDDEN = re.compile(rb"\bhidden=[\"'](?:1|true)[\"']")
_NUMBER = re.compile(rb"\br=[\"'](\d{1,7})[\"']")


@sensitive_variables()
def read_workbook(data: bytes) -> Sheet:
    """Return the recipients of the first visible sheet that holds anything.

    Hidden rows are left out, and other sheets not read; ``remarks`` say so. Raise
    InvalidMessage("file") for what cannot be read, or would cost too much.
    """
    _refuse_what_costs_too_much(data)
    book = _open(data)
    try:
        visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        read = {sheet.title: _records(sheet, book) for sheet in visible}
    except InvalidMessage:
        raise
    except Exception:
        raise _unreadable() from None
    finally:
        book.close()
    filled = {title: found for title, found in read.items() if found[0]}
    if not filled:
        raise InvalidMessage(
            "file", _("No visible sheet of this workbook holds anything.")
        )
    (title, (records, hidden)), *others = filled.items()
    sheet = read_records(records)
    remarks = (*_sheet_remarks(title, len(others)), *_row_remarks(hidden))
    return replace(sheet, remarks=(*remarks, *sheet.remarks))


def _open(data: bytes) -> Any:
    try:
        from openpyxl.reader.excel import ExcelReader  # 0.2 s: only when it is needed
    except ImportError:
        reason = _(
            "Workbooks cannot be read here yet. Save the table as CSV, or have "
            "“django-negin-sms[xlsx]” installed: it brings openpyxl."
        )
        raise InvalidMessage("file", reason) from None

    class Reader(ExcelReader):  # type: ignore[misc]
        """openpyxl's own, which reads no sheet twice: a file may name one 255 times."""

        def read_worksheets(self) -> None:
            parts = [part.target for _sheet, part in self.parser.find_sheets()]
            if len(set(parts)) < len(parts):
                raise Broken
            super().read_worksheets()

    try:
        reader = Reader(
            io.BytesIO(data), read_only=True, data_only=True, keep_links=False
        )
        reader.read()
    except Exception:  # whatever a file can make a reader of XML say
        raise _unreadable() from None
    return reader.wb


def _refuse_what_costs_too_much(data: bytes) -> None:
    try:
        refuse_bombs(data)
    except Bomb:
        raise _too_large() from None
    except Broken:
        raise _unreadable() from None


def _records(sheet: Any, book: Any) -> tuple[list[Record], int]:
    """Return the filled rows that a sheet shows, and how many it hides."""
    hidden = _hidden_rows(sheet, book)
    sheet.reset_dimensions()  # what a file says of its own size need not be true
    rows = sheet.iter_rows(max_col=MOST_COLUMNS + 1)
    records: list[Record] = []
    unseen = characters = empty = 0
    before: Any = None
    for line, row in enumerate(islice(rows, _MOST_ROWS), 1):
        if row is before:
            continue  # openpyxl gives one tuple for all the rows that are not there
        before = row
        if len(set(map(id, row))) == 1:  # and one cell for all that are not
            empty += 1
            if empty > _MOST_EMPTY:
                raise _too_large()
            continue
        words = ["" if cell.value is None else cell_words(cell) for cell in row]
        characters += sum(map(len, words))
        if characters > _MOST_CHARACTERS:
            raise _too_large()
        cells = list(map(clean_cell, words))
        if any(cells) and line in hidden:
            unseen += 1
        elif any(cells):
            records.append((line, cells))
    return records, unseen


def _hidden_rows(sheet: Any, book: Any) -> set[int]:
    """Return the lines that a filter or a person hides, which openpyxl passes over."""
    # openpyxl keeps these two names to itself; a test holds that they are there.
    with book._archive.open(sheet._worksheet_path) as part:
        rows = _ROW.findall(part.read())
    hidden = filter(_HIDDEN.search, rows)
    numbers = (_NUMBER.search(attributes) for attributes in hidden)
    return {int(number[1]) for number in numbers if number}


def _sheet_remarks(title: str, others: int) -> tuple[str, ...]:
    if not others:
        return ()
    words = ngettext(
        "Only the sheet “%(title)s” was read; %(count)s other holds something too.",
        "Only the sheet “%(title)s” was read; %(count)s others hold something too.",
        others,
    )
    return (words % {"title": title, "count": others},)


def _row_remarks(hidden: int) -> tuple[str, ...]:
    if not hidden:
        return ()
    words = ngettext(
        "%(count)s row that the sheet hides was left out.",
        "%(count)s rows that the sheet hides were left out.",
        hidden,
    )
    return (words % {"count": hidden},)


def _too_large() -> InvalidMessage:
    reason = _(
        "The workbook holds too much; give at most about %(limit)s cells at a time, "
        "on one sheet and without pictures."
    )
    return InvalidMessage("file", reason % {"limit": MOST_TAGS // 5})


def _unreadable() -> InvalidMessage:
    return InvalidMessage(
        "file",
        _("This workbook cannot be read. Save it once more as .xlsx, or as CSV."),
    )
