"""Files as people have them: the same sheet in each shape, and what is no sheet."""

from __future__ import annotations

import contextlib
import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negin_sms.exceptions import InvalidMessage
from negin_sms.services.submission.recipients.uploads import LARGEST_INPUT, read_upload
from negin_sms.texts import fold_name

SAMPLES = Path(__file__).parent / "samples"
SHAPES = [
    "people.xlsx",
    "people-utf-8.csv",
    "people-cp1256.csv",
    "people-utf-16.csv",
]


def refusal(data: bytes) -> str:
    with pytest.raises(InvalidMessage) as caught:
        read_upload(data)
    assert caught.value.field == "file"
    return str(caught.value)


def archive(**members: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, text in members.items():
            file.writestr(name.replace("__", "/").replace("_xml", ".xml"), text)
    return out.getvalue()


@pytest.mark.parametrize("name", SHAPES)
def test_one_sheet_is_the_same_in_every_shape(name):
    """Persian headings, a title, a counting column, zeros in front, dates, times."""
    sheet = read_upload((SAMPLES / name).read_bytes())
    assert [row.mobile for row in sheet.rows] == [
        *("09395213300", "09395213301", "09395213302"),
    ]
    assert [tuple(row.values.values()) for row in sheet.rows] == [
        ("1", "سارا", "0042", "1,250,000", "2026/11/26", "08:05", "5.0%"),
        ("2", "كاظم", "0007", "90,500", "2026/12/01", "17:30", "10.0%"),
        ("3", "زهرا رضا", "1234", "7", "2027/01/09", "00:00", "12.5%"),
    ]
    names = ("شماره", "نام", "کد", "بدهی", "سررسید", "ساعت", "تخفیف")
    assert tuple(map(fold_name, sheet.columns)) == names == tuple(sheet.rows[0].values)
    assert f"“{sheet.number_column}”" in sheet.remarks[-1]
    assert fold_name(sheet.number_column) == "شماره موبایل"


def test_only_the_guess_differs():
    remarks = {
        name: len(read_upload((SAMPLES / name).read_bytes()).remarks) for name in SHAPES
    }
    assert [name for name, count in remarks.items() if count > 1] == [
        "people-cp1256.csv"
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ((SAMPLES / "people.ods").read_bytes(), ".ods"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, ".xls"),
        (b"<html xmlns:x='urn:schemas-microsoft-com:office:excel'>", "web page"),
        (b"\xef\xbb\xbf\r\n<!DOCTYPE html><table>", "web page"),
        (b"<table><tr><td>09395213300</td></tr></table>", "web page"),
        (b"<?xml version='1.0'?><Workbook>", "web page"),
        (b"%PDF-1.7", "PDF"),
        (archive(word__document_xml="<x/>"), "archive"),
        (archive(**{"xl__workbook.bin": "x"}), "binary workbook"),
        (b"PK\x03\x04 cut off", "damaged"),
    ],
)
def test_what_cannot_be_read_is_answered_with_what_to_do(data, words):
    answer = refusal(data)
    assert words in answer
    assert "save it as .xlsx or as CSV" in answer


def test_large_file_is_refused():
    assert "too large" in refusal(b"1" * (LARGEST_INPUT + 1))


@given(st.binary(max_size=300))
def test_no_file_breaks_the_reader(data):
    with contextlib.suppress(InvalidMessage):
        read_upload(data)
