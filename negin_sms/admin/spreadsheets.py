"""CSV that spreadsheets open as it is meant: Persian readable, nothing executed."""

from __future__ import annotations

import contextlib
import csv
import re
import unicodedata
from collections.abc import Generator, Iterator

from django.http import StreamingHttpResponse

# Spreadsheets calculate what begins with one of these, full width forms included.
_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
_FORMULA = (*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20")
# Behind any of these a cell begins, for a spreadsheet that separates by it: quotation
# marks are none to it where the cell did not begin with one.
_INNER = re.compile(
    "([,;|\\t\\r\\n]"
    "[\\s\"'\\x00-\\x1f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]*)"
    f"([{_SIGNS}])"
)
# Digits that a spreadsheet would take for a number and shorten: 0042, long ones, 12e45.
_SHORTENED = re.compile(r"0\d+|\d{12,}|\d+(?:\.\d+)?[eE]\d+")
Rows = Generator[list[object], None, None]
DOWNLOAD_HEADERS = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
}

_BOM = "\ufeff"  # without it Excel reads UTF-8 as something else


def safe_cell(value: object) -> str:
    """Return a value as text that no spreadsheet calculates or shortens.

    What would be a formula, also behind spaces or invisible characters, gets ``'`` in
    front; so does what would be one to a spreadsheet that separates the cells by
    another character than ours, and a number that would lose its zeros or digits.
    ``recipients.clean_cell`` takes the mark off again.
    """
    text = "" if value is None else str(value)
    if _SHORTENED.fullmatch(text):
        return f"'{text}"
    visible = _skip_invisible(text)
    is_formula = text.startswith(_FORMULA) or visible.startswith(_FORMULA)
    inside = _INNER.sub(r"\1'\2", text)
    return f"'{inside}" if is_formula else inside


def safe_mobile(mobile: str) -> str:
    """Return a number as text to every spreadsheet: 0939-521-3300."""
    national = "0" + mobile.removeprefix("+98")
    if len(national) != 11:
        return mobile
    return f"{national[:4]}-{national[4:7]}-{national[7:]}"


def csv_response(name: str, rows: Rows) -> StreamingHttpResponse:
    """Return a download that is written row by row, and never held as a whole.

    The generator is closed with the response, also when the download breaks off.
    """
    return StreamingHttpResponse(
        _lines(rows),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}.csv"',
            **DOWNLOAD_HEADERS,
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
    writer = csv.writer(_Line(), quoting=csv.QUOTE_ALL)
    with contextlib.closing(rows):
        yield _BOM
        for row in rows:
            yield writer.writerow([safe_cell(value) for value in row])
