"""Which line names the columns, which column holds the numbers, and what is said."""

from __future__ import annotations

import pytest

from negin_sms.exceptions import InvalidMessage
from negin_sms.services.submission.recipients import reader as recipients
from negin_sms.services.submission.recipients import tables
from negin_sms.services.submission.recipients.reader import read_sheet
from negin_sms.services.submission.recipients.tables import (
    MOST_CELLS,
    MOST_COLUMNS,
    clean_cell,
    keep_cell,
)
from negin_sms.texts import fold_name

# What spreadsheets, chats and web pages leave in a heading and nobody sees.
INVISIBLE = {
    "zero width space": "mobile\u200b",
    "right-to-left mark": "\u200fmobile",
    "left-to-right mark": "mobile\u200e",
    "inner byte order mark": "mo\ufeffbile",
    "embedding": "\u202amobile\u202c",
    "isolate": "\u2066mobile\u2069",
    "soft hyphen": "mo\u00adbile",
    "word joiner": "mobile\u2060",
    "full width": "ｍｏｂｉｌｅ",
    "no-break space": "\u00a0Mobile\u00a0",
}
SPELLINGS = {
    "tatweel": "موبـــایل",
    "Arabic letters": "موبايل",
    "vowel sign": "مُوبایل",
    "presentation forms": "ﻣﻮﺑﺎﯾﻞ",
    "joiner": "شماره\u200cموبایل",
    "no space": "شماره  موبایل",
}


def read(*lines: str):
    return read_sheet("\n".join(lines))


def mobiles(sheet) -> list[str]:
    return [row.mobile for row in sheet.rows]


def refusal(*lines: str) -> str:
    with pytest.raises(InvalidMessage) as caught:
        read(*lines)
    return str(caught.value)


@pytest.mark.parametrize(
    "heading", [*INVISIBLE.values(), *SPELLINGS.values()], ids=[*INVISIBLE, *SPELLINGS]
)
def test_heading_is_known_whatever_hides_in_it(heading):
    """Else the stranger of the other column gets the message."""
    sheet = read(f"phone;{heading}", "09000000001;09395213300")
    assert mobiles(sheet) == ["09395213300"]


def test_number_in_a_name_is_one_in_all_digits():
    sheet = read("موبایل;قسط ۱", "09395213300;7")
    assert sheet.rows[0].values == {"قسط 1": "7"}


class TestNumberColumn:
    def test_column_that_counts_the_rows_is_not_it(self):
        sheet = read("شماره;نام;تماس با", "1;سارا;09395213300", "2;علی;09395213301")
        assert mobiles(sheet) == ["09395213300", "09395213301"]
        assert "شماره" in sheet.columns

    def test_column_of_landlines_is_not_it(self):
        sheet = read("phone;other", "02188776655;09395213300")
        assert mobiles(sheet) == ["09395213300"]

    def test_name_counts_where_two_columns_hold_numbers(self):
        sheet = read("reseller;mobile", "09000000001;09395213300")
        assert mobiles(sheet) == ["09395213300"]

    def test_name_counts_though_few_of_its_numbers_are_right(self):
        """Else a mistake in some of them would write to their parents."""
        lines = [f"0939521330{at};0939" for at in range(9)]
        sheet = read("parents;mobile", *lines, "09395213309;09000000001")
        assert mobiles(sheet)[-1] == "09000000001"

    def test_column_with_most_numbers_is_taken_where_no_name_is_known(self):
        sheet = read("a;b", "09000000001;09395213300", "-;09395213301")
        assert mobiles(sheet) == ["09395213300", "09395213301"]

    def test_known_name_is_taken_where_no_number_is_right(self):
        assert mobiles(read("name;mobile", "Sara;0939")) == ["0939"]

    def test_it_is_said(self):
        sheet = read("شماره;موبایل مشتری", "1;09395213300")
        assert "“موبایل مشتری”" in sheet.remarks[0]

    def test_others_that_hold_numbers_are_said(self):
        sheet = read("parents;mobile;", "09000000001;09395213300;09000000002")
        assert "“parents”" in sheet.remarks[1]

    def test_mobiles_that_are_all_wrong_are_complained_of(self):
        """Else a mistake in all of them would write to their parents."""
        sheet = read("mobile;parents", "9.39E+09;09000000001", ";09000000002")
        assert mobiles(sheet) == ["9.39E+09", ""]

    def test_mobile_column_that_holds_nothing_decides_nothing(self):
        sheet = read("phone;mobile", "09395213300;", "09395213301;")
        assert mobiles(sheet) == ["09395213300", "09395213301"]

    def test_numbers_of_messages_in_a_masked_export_are_no_mobiles(self):
        sheet = read("gateway id;mobile", "9395213300;0939•••3300")
        assert mobiles(sheet) == ["0939•••3300"]

    def test_lines_of_an_export_of_ours_are_not_taken_for_numbers(self):
        sheet = read("mobile;line", "0939-521-3300;9830003300")
        assert (mobiles(sheet), len(sheet.remarks)) == (["0939-521-3300"], 1)

    def test_nor_where_its_numbers_are_masked(self):
        """A message to our own line, for each row, would be the end of that."""
        sheet = read("mobile;line", "0939•••3300;9830003300", "0939•••3301;")
        assert mobiles(sheet) == ["0939•••3300", "0939•••3301"]

    def test_numbers_in_a_column_without_a_name_are_a_problem_of_their_row(self):
        (row,) = read("a;mobile", "1;09395213300;09000000002").rows
        assert "more cells" in row.problem


class TestHeading:
    def test_fullest_line_above_the_numbers_names_the_columns(self):
        sheet = read("Report;Tehran", "who;city;where to", "Sara;Qom;09395213300")
        assert sheet.columns == ("who", "city")

    def test_line_whose_number_is_mistyped_is_not_taken_for_it(self):
        sheet = read("who;where to", "Sara;o939", "Ali;09395213300")
        assert mobiles(sheet) == ["o939", "09395213300"]

    def test_known_name_wins_over_a_fuller_title(self):
        sheet = read("a;b;c;d", "name;mobile", "Sara;09395213300")
        assert sheet.columns == ("name",)

    def test_damaged_heading_is_refused(self):
        assert "CSV UTF-8" in refusal("mobile;n\ufffdme", "09395213300;a")


@pytest.mark.parametrize(
    ("cell", "seen"),
    [
        ('="0042"', "0042"),
        ('= "a ""b"""', 'a "b"'),
        ("'0042", "0042"),
        ("'=1+1", "=1+1"),
        ("'quoted'", "'quoted'"),
        ("O'Brien", "O'Brien"),
        ("=A1", "=A1"),
        (" x ", "x"),
    ],
)
def test_cell_is_what_a_person_sees_in_it(cell, seen):
    assert clean_cell(cell) == seen


@pytest.mark.parametrize("text", ["'0042", '="1"', "'=x", '=" "', '\'+"1"'])
def test_kept_cell_is_read_as_it_is(text):
    assert clean_cell(text) != text
    assert clean_cell(keep_cell(text)) == text


class TestBounds:
    def test_names_of_columns_are_folded_when_they_are_few(self, monkeypatch):
        """Of one character folding may make eighteen."""
        folded = []

        def fold(name: str) -> str:
            folded.append(name)
            return fold_name(name)

        monkeypatch.setattr(tables, "fold_name", fold)
        line = ";".join(["\ufdfa" * 60] * 5_000)
        assert "too many columns" in refusal(line, "09395213300;1")
        assert len(folded) <= 4 * MOST_COLUMNS

    def test_long_cell_is_not_looked_at_closely(self):
        cell = '="' + "a" * 40_000 + '"'
        assert clean_cell(cell) == cell

    def test_columns_are_few(self):
        names = ";".join(f"c{at}" for at in range(MOST_COLUMNS))
        assert "too many columns" in refusal(f"mobile;{names}", "09395213300")

    def test_wide_line_is_refused_before_it_is_read(self, monkeypatch):
        cleaned: list[str] = []
        monkeypatch.setattr(recipients, "clean_cell", cleaned.append)
        assert "too large" in refusal("mobile;a", ";" * (MOST_CELLS + 1))
        assert len(cleaned) == 2

    def test_cells_are_counted_while_they_are_read(self):
        lines = ["09395213300" + ";" * 5000] * 50
        assert "too large" in refusal("mobile;a", *lines)

    def test_numbers_are_looked_for_in_a_few_rows_only(self, monkeypatch):
        tried: list[str] = []

        def normalize(value: str) -> str:
            tried.append(value)
            return value

        monkeypatch.setattr(tables, "normalize_mobile", normalize)
        names = ";".join(f"c{at}" for at in range(MOST_COLUMNS - 1))
        row = ";".join(["123456789012"] * MOST_COLUMNS)
        read(f"mobile;{names}", *[row] * 2000)
        assert len(tried) <= 26 * MOST_COLUMNS
