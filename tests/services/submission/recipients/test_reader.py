from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from django.utils.translation import override
from hypothesis import example, given
from hypothesis import strategies as st

from negin_sms.exceptions import InvalidMessage
from negin_sms.phones import normalize_mobile
from negin_sms.services.submission.recipients.reader import read_sheet, write_sheet
from negin_sms.services.submission.recipients.tables import MOST_RECIPIENTS, Row, Sheet
from negin_sms.texts import fold_name

TABLE = "نام;موبایل\nعلی;09395213300\n"


def numbers(text: str) -> list[tuple[int, str]]:
    return [(row.line, row.mobile) for row in read_sheet(text).rows]


def numbers_of(sheet: Sheet) -> list[tuple[int, str]]:
    return [(row.line, row.mobile) for row in sheet.rows]


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

    @pytest.mark.parametrize(
        "heading",
        [
            "customers of 1405/09/05",
            "گزارش ۱۴۰۵/۰۹/۰۱ - ۱۴۰۵/۰۹/۳۰",
            "26.11.2026, list",
        ],
    )
    def test_date_in_the_first_line_makes_no_number_of_it(self, heading):
        assert numbers(f"{heading}\n09395213300\n") == [(2, "09395213300")]

    def test_title_may_stand_above_the_name_of_a_single_column(self):
        assert numbers("گزارش\nموبایل\n09395213300\n") == [(3, "09395213300")]

    def test_name_with_its_number_in_the_first_line_is_no_heading(self):
        first = numbers("Sara 0939 521 3300\n09395213301\n")[0]
        assert first == (1, "Sara 0939 521 3300")

    def test_cells_of_spreadsheets_that_keep_zeros_are_read(self):
        assert numbers('="09395213300"\n\'09395213301\n') == [
            (1, "09395213300"),
            (2, "09395213301"),
        ]

    def test_empty_text_has_no_rows(self):
        assert read_sheet("") == read_sheet(" \n\t\n") == Sheet()


class TestTable:
    @pytest.mark.parametrize("delimiter", [";", "؛", ",", "\t", "،", "|"])
    def test_columns_are_values(self, delimiter):
        text = f"Mobile{delimiter}First Name\n09395213300{delimiter}Sara\n"
        row = Row(2, "09395213300", {"first name": "Sara"})
        sheet = read_sheet(text)
        assert (sheet.rows, sheet.columns) == ((row,), ("First Name",))

    def test_column_of_numbers_is_known_by_its_persian_name(self):
        sheet = read_sheet(TABLE)
        assert (sheet.rows[0].mobile, sheet.columns) == ("09395213300", ("نام",))

    def test_columns_are_quoted_as_they_are_written(self):
        """Who looks for a quoted name in the file finds it."""
        sheet = read_sheet("شمارهٔ موبایل;\u200fنمرهٔ  نیم\u200cسال\n09395213300;۱۸\n")
        assert sheet.columns == ("نمرهٔ نیم\u200cسال",)
        assert sheet.number_column == "شمارهٔ موبایل"
        assert "“شمارهٔ موبایل”" in sheet.remarks[0]
        assert read_sheet(write_sheet(sheet.rows, sheet.columns)) == replace(
            sheet, number_column="send to", remarks=()
        )

    def test_column_of_numbers_is_found_by_what_it_holds(self):
        sheet = read_sheet("who,where to\nSara,0939 521 3300\n")
        assert sheet.rows[0].mobile == "0939 521 3300"

    @pytest.mark.parametrize(
        "title", ["گزارش فروش", "گزارش;تهران", "Sales 1405/09/05;;"]
    )
    def test_titles_may_stand_above_the_heading(self, title):
        sheet = read_sheet(f"{title}\n\nنام;شهر;موبایل\nسارا;قم;09395213300\n")
        assert sheet.columns == ("نام", "شهر")
        assert numbers_of(sheet) == [(4, "09395213300")]

    def test_date_in_a_heading_makes_no_number_of_it(self):
        sheet = read_sheet("موبایل;بدهی تا 1405/09/05\n09395213300;7\n")
        assert sheet.rows[0].values == {"بدهی تا 1405/09/05": "7"}

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

    def test_endless_cell_is_refused_with_its_line(self):
        text = f"mobile;name\n1;a\n2;{'x' * 200_000}\n"
        assert "line 3 is too long" in refusal(read_sheet, text)

    def test_blank_rows_and_nameless_columns_are_skipped(self):
        sheet = read_sheet("mobile;name;;\n;;;\n1;a;;\n")
        rows = (Row(3, "1", {"name": "a"}),)
        assert (sheet.rows, sheet.columns) == (rows, ("name",))

    def test_short_row_lacks_values(self):
        assert read_sheet("name,mobile\nSara\n").rows == (Row(2, "", {"name": "Sara"}),)

    def test_long_row_is_a_problem_and_keeps_its_cells(self):
        row = read_sheet("mobile,name\n1,Tehran, Iran\n").rows[0]
        assert row.values == {"name": "Tehran, Iran"}
        assert "more cells" in row.problem

    def test_two_columns_of_one_name_are_refused(self):
        assert "“NAME”" in refusal(read_sheet, "mobile,Name,NAME\n1,a,b\n")


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


def reached(mobile: str) -> set[str]:
    with contextlib.suppress(InvalidMessage):
        return {normalize_mobile(mobile)}
    return set()


@given(
    st.text() | st.from_regex(r"\A09\d{9}[,;\n\t|&/ ]{1,3}09\d{9}\Z"),
    st.sampled_from([(), ("name", "parents")]),
)
@example("09395213300, 09000000001", ())
def test_what_was_refused_reaches_nobody_else_when_it_is_read_again(mobile, columns):
    row = Row(1, mobile, dict.fromkeys(columns, "09000000002"))
    with contextlib.suppress(InvalidMessage):
        again = read_sheet(write_sheet([row], columns)).rows
        assert set().union(*(reached(each.mobile) for each in again)) <= reached(mobile)


@given(st.text())
def test_no_text_breaks_the_reader(text):
    with contextlib.suppress(InvalidMessage):
        assert all(row.line >= 1 for row in read_sheet(text).rows)


def test_rows_do_not_show_whom_they_are_for():
    assert "0939" not in repr(Row(1, "0939", {"code": "0939"}))


@pytest.mark.parametrize("name", ["a;b;c", "a|b", "a,b", "a،b،c"])
def test_table_is_read_again_whatever_its_columns_are_named(name):
    row = Row(2, "09395213300", {name: "x;y,z"})
    assert read_sheet(write_sheet([row], [name])).rows == (row,)


@pytest.mark.parametrize(
    "columns", [("نام",), ("موبایل", "نام"), ("name",), ("Send To", "name")]
)
@pytest.mark.parametrize("language", ["en", "fa"])
def test_numbers_stand_under_words_that_decide(language, columns):
    row = Row(2, "0939", dict.fromkeys(map(fold_name, columns), "09000000001"))
    with override(language):
        written = write_sheet([row], columns)
    persian = language == "fa" or "Send To" in columns
    wanted = "ارسال به" if persian else "send to"
    assert written.split("\t")[0] == wanted
    sheet = read_sheet(written)
    assert (sheet.rows, sheet.columns, sheet.number_column) == (
        (row,),
        columns,
        wanted,
    )
    assert sheet.remarks == ()
