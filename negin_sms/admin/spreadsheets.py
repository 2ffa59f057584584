"""CSV that spreadsheets open as it is meant: Persian readable, nothing executed."""

from __future__ import annotations

import contextlib
import csv
import unicodedata
from collections.abc import Generator, Iterator

from django.http import StreamingHttpResponse

# Spreadsheets calculate what begins with one of these, full width forms included.
_FORMULA = (*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20")
Rows = Generator[list[object], None, None]

_BOM = "\ufeff"  # without it Excel reads UTF-8 as something else


def safe_cell(value: object) -> str:
    """Return a value as text that no spreadsheet takes for a formula.

    What would be one, also behind spaces or invisible characters, gets a leading
    ``'``.
    """
    text = "" if value is None else str(value)
    visible = _skip_invisible(text)
    is_formula = text.startswith(_FORMULA) or visible.startswith(_FORMULA)
    return f"'{text}" if is_formula else text


def csv_response(name: str, rows: Rows) -> StreamingHttpResponse:
    """Return a download that is written row by row, and never held as a whole.

    The generator is closed with the response, also when the download breaks off.
    """
    return StreamingHttpResponse(
        _lines(rows),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}.csv"',
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _skip_invisible(text: str) -> str:
    """Return the text without spaces and format characters in front."""
    for position, character in enumerate(text):
        is_format = unicodedata.category(character) in ("Cf", "Cc")
        if not (character.isspace() or is_format):
            return text[position:]
    return ""


class _Line:
    """What csv.writer writes to: gives the line back."""

    def write(self, line: str) -> str:
        return line


def _lines(rows: Rows) -> Iterator[str]:
    writer = csv.writer(_Line())
    with contextlib.closing(rows):
        yield _BOM
        for row in rows:
            yield writer.writerow([safe_cell(value) for value in row])
