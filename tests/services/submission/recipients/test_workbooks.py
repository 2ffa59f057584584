"""Workbooks: what is read of them, what is said, and what is too much."""

from __future__ import annotations

import io
import sys
import zipfile
from datetime import datetime
from unittest.mock import Mock

import openpyxl
import pytest

from negin_sms.exceptions import InvalidMessage
from negin_sms.services.submission.recipients import workbooks
from negin_sms.services.submission.recipients.cells import cell_words
from negin_sms.services.submission.recipients.tables import MOST_COLUMNS
from negin_sms.services.submission.recipients.workbooks import read_workbook

HEADING = ("نام", "موبایل")
SARA, ALI = ("سارا", "09395213300"), ("علی", "09395213301")


def make(*sheets, hide: tuple[int, ...] = ()) -> bytes:
    """Return a workbook with these rows on each of its sheets."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for at, rows in enumerate(sheets, 1):
        sheet = book.create_sheet(f"S{at}")
        for row in rows:
            sheet.append(row)
        for line in hide:
            sheet.row_dimensions[line].hidden = True
    return saved(book)


def saved(book) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def mobiles(sheet) -> list[str]:
    return [row.mobile for row in sheet.rows]


def refusal(data: bytes) -> str:
    with pytest.raises(InvalidMessage) as caught:
        read_workbook(data)
    assert caught.value.field == "file"
    return str(caught.value)


def replaced(data: bytes, name: str, old: bytes, new: bytes) -> bytes:
    """Return the workbook with something else in one of its parts."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old_file,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new_file,
    ):
        for member in old_file.namelist():
            content = old_file.read(member)
            if member == name:
                assert old in content
                content = content.replace(old, new, 1)
            new_file.writestr(member, content)
    return out.getvalue()


FIRST = "xl/worksheets/sheet1.xml"


def test_lines_are_those_of_the_sheet():
    sheet = read_workbook(make([("گزارش",), (), HEADING, (), SARA]))
    assert [(row.line, row.mobile) for row in sheet.rows] == [(5, "09395213300")]


def test_numbers_may_be_numbers():
    data = make([("mobile", "n"), (9395213300, 1), (9395213301.0, 2)])
    assert mobiles(read_workbook(data)) == ["9395213300", "9395213301"]


def test_column_without_a_heading_is_a_list():
    assert mobiles(read_workbook(make([(9395213300,), ("09395213301",)]))) == [
        *("9395213300", "09395213301"),
    ]


def test_rows_that_a_filter_hides_are_left_out_and_said():
    """Who was filtered out must not get the message."""
    sheet = read_workbook(make([HEADING, SARA, ALI], hide=(3,)))
    assert mobiles(sheet) == ["09395213300"]
    assert "1 row that the sheet hides" in sheet.remarks[0]


def test_first_sheet_that_holds_anything_is_read_and_others_are_said():
    sheet = read_workbook(make([], [HEADING, SARA], [HEADING, ALI]))
    assert mobiles(sheet) == ["09395213300"]
    assert "“S2”" in sheet.remarks[0]


def test_hidden_sheet_is_not_read():
    book = openpyxl.load_workbook(io.BytesIO(make([HEADING, SARA], [HEADING, ALI])))
    book.worksheets[0].sheet_state = "hidden"
    book.active = 1
    assert mobiles(read_workbook(saved(book))) == ["09395213301"]


def test_formula_is_what_it_came_to():
    cell = b'<c r="B2" t="inlineStr"><is><t>09395213300</t></is></c>'
    data = make([HEADING, ("سارا", 1)])
    with_formula = b'<c r="B2"><f>9395213299+1</f><v>9395213300</v></c>'
    plain = b'<c r="B2" t="n"><v>1</v></c>'
    assert cell != with_formula
    assert mobiles(read_workbook(replaced(data, FIRST, plain, with_formula))) == [
        "9395213300"
    ]


def test_size_that_a_file_claims_is_not_believed():
    data = make([HEADING, SARA, ALI])
    lying = replaced(data, FIRST, b'<dimension ref="A1:B3"', b'<dimension ref="A1:A1"')
    assert len(read_workbook(lying).rows) == 2


def test_empty_workbook_is_refused():
    assert "holds anything" in refusal(make([]))


def test_where_the_library_is_missing_the_answer_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl.reader.excel", None)
    assert "django-negin-sms[xlsx]" in refusal(make([HEADING, SARA]))


def test_what_is_no_workbook_inside_is_refused():
    assert "cannot be read" in refusal(
        replaced(make([HEADING]), FIRST, b"<sheetData>", b"<sheetData")
    )


def test_part_that_is_named_twice_is_never_read(monkeypatch):
    """A few bytes name it 255 times."""
    book = replaced(
        make([HEADING, SARA], [HEADING, ALI]),
        "xl/_rels/workbook.xml.rels",
        b"/xl/worksheets/sheet2.xml",
        b"/xl/worksheets/sheet1.xml",
    )
    monkeypatch.setattr(workbooks, "_records", None)
    assert "cannot be read" in refusal(book)


def test_cells_are_counted_before_they_are_cleaned(monkeypatch):
    monkeypatch.setattr(workbooks, "clean_cell", None)
    assert "too much" in refusal(make([("x" * 30_000,) * 40]))


def test_empty_rows_are_few(monkeypatch):
    monkeypatch.setattr(workbooks, "_MOST_EMPTY", 5)
    few, many = (b"<row/>" * count + b"</sheetData>" for count in (5, 6))
    data = make([HEADING, SARA])
    assert read_workbook(replaced(data, FIRST, b"</sheetData>", few)).rows
    assert "too much" in refusal(replaced(data, FIRST, b"</sheetData>", many))


def test_row_that_never_ends_is_looked_through_once():
    assert workbooks._ROW.findall(b'<row hidden="1" <row r="2" hidden="1"/>') == [
        b' r="2" hidden="1"/'
    ]


def test_row_far_below_costs_nothing(monkeypatch):
    words = Mock(wraps=cell_words)
    monkeypatch.setattr(workbooks, "cell_words", words)
    far = b'<row r="1048576"><c r="A1048576"/></row></sheetData>'
    data = replaced(make([HEADING, SARA]), FIRST, b"</sheetData>", far)
    assert len(read_workbook(data).rows) == 1
    assert words.call_count < 5 * MOST_COLUMNS


def test_cell_far_to_the_right_costs_nothing():
    far = "".join(
        f'<row r="{at}"><c r="XFD{at}"><v>1</v></c></row>' for at in range(3, 9000)
    )
    data = replaced(
        make([HEADING, SARA]), FIRST, b"</sheetData>", far.encode() + b"</sheetData>"
    )
    assert len(read_workbook(data).rows) == 1


def test_one_long_string_in_many_cells_is_refused():
    data = make(
        [("mobile", "n"), *[(9395213300 + at, "x" * 30_000) for at in range(90)]]
    )
    assert "too much" in refusal(data)


def test_dates_are_written_as_the_sheet_shows_them():
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(("mobile", "day"))
    sheet.append((9395213300, datetime(2026, 11, 26)))
    sheet["B2"].number_format = "dd/mm/yyyy"
    assert read_workbook(saved(book)).rows[0].values == {"day": "26/11/2026"}
