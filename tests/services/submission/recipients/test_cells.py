from __future__ import annotations

from datetime import date, datetime, time, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from negin_sms.services.submission.recipients.cells import cell_words

AT = datetime(2026, 3, 5, 14, 7, 9)


def words(value: object, shown: str = "General") -> str:
    cell: Any = SimpleNamespace(value=value, number_format=shown)
    return cell_words(cell)


@pytest.mark.parametrize(
    ("value", "shown", "seen"),
    [
        (None, "General", ""),
        ("x", "@", "x"),
        (True, "General", "TRUE"),
        (9395213300, "General", "9395213300"),
        (9395213300.0, "General", "9395213300"),
        (9395213300, "00000000000", "09395213300"),
        (42, "0000", "0042"),
        (0.1 + 0.2, "General", "0.3"),
        (1250000, "#,##0", "1,250,000"),
        (1250000, '#,##0\\ "ریال"', "1,250,000 ریال"),
        (1250000, "#,##0\\ [$ریال-429]", "1,250,000 ریال"),
        (1250000, '_("$"* #,##0.00_)', "$1,250,000.00"),
        (42, '"A-"0000', "A-0042"),
        (-42, '"A-"0000', "-A-0042"),
        (9395213300, "0000-000-0000", "9395213300"),
        (12, '0 "of" 20', "12"),
        (2.5, "0.00", "2.50"),
        (7.25, "000.0", "007.3"),
        (2.5, "0", "3"),
        (-2.5, "0", "-3"),
        (12500.5, '#,##0 "ریال"', "12,501 ریال"),
        (0.125, "0%", "13%"),
        (0.005, "0%", "1%"),
        (2.675, "0.00", "2.68"),
        (1.005, "#,##0.00", "1.01"),
        (1.15 * 3, "0.0", "3.5"),
        (12.345678, "0.00%", "1234.57%"),
        (10**15 + 1, "#,##0", "1,000,000,000,000,001"),
        (1.5e308, "#,##0", f"{int(1.5e308):,}"),
        (1.5e308, "0%", f"{int(1.5e308) * 100}%"),
        (5e-324, f"0.{'0' * 250}", f"0.{'0' * 250}"),
        (float("inf"), "General", "inf"),
        (float("nan"), "0", "nan"),
        (0.125, "0.0%", "12.5%"),
        (-5, "0;[Red]-0", "-5"),
        (12, "[$-2000429]0", "12"),
    ],
)
def test_numbers_are_as_the_sheet_shows_them(value, shown, seen):
    assert words(value, shown) == seen


@pytest.mark.parametrize(
    ("value", "shown", "seen"),
    [
        (AT, "yyyy/mm/dd", "2026/03/05"),
        (AT, "d/m/yy", "5/3/26"),
        (AT, "yyyy\\-mm\\-dd\\ hh:mm", "2026-03-05 14:07"),
        (AT, "[$-409]yyyy-mm-dd;@", "2026-03-05"),
        (AT, "[$-fa-IR,16]yyyy/mm/dd;@", "1404/12/14"),
        (AT, "[$-2160429]yyyy/m/d", "1404/12/14"),
        (AT, "h:mm:ss", "14:07:09"),
        (AT, "mm:ss", "07:09"),
        (AT, "mm-dd-yy", "2026-03-05 14:07:09"),
        (AT, "d mmmm yyyy", "2026-03-05 14:07:09"),
        (AT, "h:mm AM/PM", "2026-03-05 14:07:09"),
        (datetime(2026, 3, 5), "General", "2026-03-05"),
        (date(2026, 3, 5), "General", "2026-03-05"),
        (time(8, 5), "General", "08:05"),
        (time(8, 5), "hh:mm:ss", "08:05:00"),
        (time(8, 5), "yyyy/mm/dd", "08:05"),
        (timedelta(hours=30), "[h]:mm:ss", "30:00:00"),
        (timedelta(hours=26, minutes=5), "[h]:mm", "26:05"),
    ],
)
def test_moments_are_as_the_sheet_shows_them_or_plain(value, shown, seen):
    assert words(value, shown) == seen


def test_format_has_an_end():
    """Zeros in it are as many in the cell."""
    assert words(1, "0" * 255) == "1".zfill(255)
    assert words(1, "0" * 1_000_000) == "1".zfill(255)
