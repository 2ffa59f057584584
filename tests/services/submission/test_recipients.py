from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negin_sms.exceptions import InvalidMessage
from negin_sms.services.submission import recipients
from negin_sms.services.submission.recipients import (
    LARGEST_INPUT,
    MOST_RECIPIENTS,
    Row,
    Sheet,
    decode_file,
    read_sheet,
    write_sheet,
)

TABLE = "نام;موبایل\nعلی;09395213300\n"


def numbers(text: str) -> list[tuple[int, str]]:
    return [(row.line, row.mobile) for row in read_sheet(text).rows]


def refusal(call, *args) -> str:
    with pytest.raises(InvalidMessage) as caught:
        call(*args)
    return str(caught.value)


class TestList:
    @pytest.mark.parametrize(
        "separator", ["\n", "\r\n", "\r", ",", "، ", "؛", ";", "\t", " | ", ",\n\n"]
    )
    def test_separators_between_numbers(self, separator):
        text = separator.join(["0939 521 3300", "۰۹۳۹۵۲۱۳۳۰۱"])
        rows = read_sheet(text).rows
        assert [row.mobile for row in rows] == ["0939 521 3300", "۰۹۳۹۵۲۱۳۳۰۱"]

    def test_lines_are_counted_with_the_blank_ones(self):
        assert numbers("\n1\n \n2,3\n") == [(2, "1"), (4, "2"), (4, "3")]

    def test_heading_of_a_single_column_is_no_number(self):
        assert numbers("Customers 1405\n0939\n") == [(2, "0939")]

    def test_word_that_is_all_there_is_comes_back(self):
        assert numbers("Customers") == [(1, "Customers")]

    def test_mistyped_number_in_the_first_line_is_no_heading(self):
        assert numbers("o9395213300\n0939")[0] == (1, "o9395213300")

    def test_quotation_marks_of_spreadsheets_go(self):
        assert numbers('"0939"\n\'0940') == [(1, "0939"), (2, "0940")]

    def test_empty_text_has_no_rows(self):
        assert read_sheet("") == read_sheet(" \n\t\n") == Sheet()


class TestTable:
    @pytest.mark.parametrize("delimiter", [";", ",", "\t", "،", "|"])
    def test_columns_are_values(self, delimiter):
        text = f"Mobile{delimiter}First Name\n09395213300{delimiter}Sara\n"
        row = Row(2, "09395213300", {"first name": "Sara"})
        assert read_sheet(text) == Sheet((row,), ("first name",))

    def test_column_of_numbers_is_known_by_its_persian_name(self):
        sheet = read_sheet(TABLE)
        assert (sheet.rows[0].mobile, sheet.columns) == ("09395213300", ("نام",))

    def test_column_of_numbers_is_found_by_what_it_holds(self):
        sheet = read_sheet("who,where to\nSara,0939 521 3300\n")
        assert sheet.rows[0].mobile == "0939 521 3300"

    def test_table_without_numbers_is_refused(self):
        assert "name the one that does" in refusal(read_sheet, "a,b\nc,d\n")

    def test_excel_names_its_delimiter_in_the_first_line(self):
        text = "sep=;\nmobile;sum, in total\n0939;7\n"
        assert read_sheet(text).rows == (Row(3, "0939", {"sum, in total": "7"}),)

    def test_cells_may_hold_delimiters_quotes_and_lines(self):
        text = 'mobile,name\n1,"a, ""b""\nc"\n2,d\n'
        rows = read_sheet(text).rows
        assert rows == (Row(2, "1", {"name": 'a, "b"\nc'}), Row(4, "2", {"name": "d"}))

    def test_quotation_mark_that_never_closes_swallows_nothing(self):
        text = 'mobile,name\n1,a\n2,"b\n3,c\n4,d\n'
        assert "line 3" in refusal(read_sheet, text)

    def test_blank_rows_and_nameless_columns_are_skipped(self):
        sheet = read_sheet("mobile;name;;\n;;;\n1;a;;\n")
        assert sheet == Sheet((Row(3, "1", {"name": "a"}),), ("name",))

    def test_short_row_lacks_values(self):
        assert read_sheet("name,mobile\nSara\n").rows == (Row(2, "", {"name": "Sara"}),)

    def test_long_row_is_a_problem_and_keeps_its_cells(self):
        row = read_sheet("mobile,name\n1,Tehran, Iran\n").rows[0]
        assert row.values == {"name": "Tehran, Iran"}
        assert "more cells" in row.problem

    def test_two_columns_of_one_name_are_refused(self):
        assert "“name”" in refusal(read_sheet, "mobile,Name,name\n1,a,b\n")


def test_too_many_are_refused_and_not_cut_off():
    assert len(read_sheet("1\n" * MOST_RECIPIENTS).rows) == MOST_RECIPIENTS
    assert "too many" in refusal(read_sheet, "1\n" * (MOST_RECIPIENTS + 1))


CELLS = st.text(st.characters(exclude_categories=("C", "Z"))).map(str.strip)


@given(
    st.lists(st.tuples(st.from_regex(r"09\d{9}", fullmatch=True), CELLS), min_size=1)
)
def test_what_is_written_is_read_again(pairs):
    rows = [Row(at, m, {"name": n}) for at, (m, n) in enumerate(pairs, 2)]
    assert read_sheet(write_sheet(rows, ["name"])).rows == tuple(rows)
    plain = [Row(at, m) for at, (m, _n) in enumerate(pairs, 1)]
    assert read_sheet(write_sheet(plain)).rows == tuple(plain)


@given(st.text())
def test_no_text_breaks_the_reader(text):
    with contextlib.suppress(InvalidMessage):
        assert all(row.line >= 1 for row in read_sheet(text).rows)


class TestFile:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1256", "utf-16"])
    def test_encodings_of_spreadsheets(self, encoding):
        text = TABLE.replace("ی", "ي")  # the Arabic letter is all that cp1256 has
        assert decode_file(text.encode(encoding)) == text

    @pytest.mark.parametrize("data", [b"PK\x03\x04\x00\x00", b"\xff\xfe\x00"])
    def test_what_is_no_text_is_refused(self, data):
        assert "Save the spreadsheet as CSV" in refusal(decode_file, data)

    def test_large_file_is_refused(self):
        assert "too large" in refusal(decode_file, b"1" * (LARGEST_INPUT + 1))


def test_rows_do_not_show_whom_they_are_for():
    assert "0939" not in repr(recipients.Row(1, "0939", {"code": "0939"}))
