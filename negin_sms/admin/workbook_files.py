"""The same tables as workbooks: every text a text, and no cell a formula.

openpyxl, which is the extra ``xlsx``, writes row by row into a file on the disk, which
is packed and sent when it is whole: how many rows that may take is bounded.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
from typing import Any

from django.http import HttpResponse
from django.utils.translation import get_language_bidi

from .spreadsheets import DOWNLOAD_HEADERS, Rows

XLSX = "xlsx"  # what a form or an address asks for
MOST_ROWS = 20_000  # some seconds, and megabytes
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MOST_DIGITS = 15  # of a number that no spreadsheet shortens
_LONGEST = 32_767  # characters of a cell
# XML has none of these.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def can_write_workbooks() -> bool:
    """Return whether openpyxl is installed."""
    return importlib.util.find_spec("openpyxl") is not None


def xlsx_response(name: str, rows: Rows) -> HttpResponse:
    """Return a download of these rows, the first of which names the columns.

    The generator is closed when it was read, or when that fails.
    """
    from openpyxl import Workbook  # 0.2 s: only when it is needed

    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.sheet_view.rightToLeft = get_language_bidi()
    sheet.freeze_panes = "A2"
    with contextlib.closing(rows):
        for row in rows:
            sheet.append([_cell(sheet, value) for value in row])
    file = io.BytesIO()
    book.save(file)
    return HttpResponse(
        file.getvalue(),
        content_type=_TYPE,
        headers={
            "Content-Disposition": f'attachment; filename="{name}.xlsx"',
            **DOWNLOAD_HEADERS,
        },
    )


def _cell(sheet: Any, value: object) -> Any:
    """Return a number as one, and everything else as text, whatever it begins with."""
    from openpyxl.cell import WriteOnlyCell

    if value is None:
        return None
    if isinstance(value, int | float) and len(str(value)) <= _MOST_DIGITS:
        return value
    text = _UNWRITABLE.sub("\ufffd", str(value))[:_LONGEST]
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"  # openpyxl takes "=…" and "#N/A" for something else
    return cell
