"""Workbooks: what leaves the admin, and that nothing in them is a formula."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from negin_sms.admin import exports, reports, workbook_files
from negin_sms.admin.workbook_files import xlsx_response
from negin_sms.models import Message
from negin_sms.services.submission.recipients.uploads import read_upload
from tests.admin.test_exports import COLUMNS, EXPORT, LIST, PAYLOADS, log_in
from tests.factories import MessageFactory

openpyxl = pytest.importorskip("openpyxl")
pytestmark = pytest.mark.django_db

REPORT = f"{LIST}report/"
BOOK = {"format": "xlsx"}


def content(response: Any) -> bytes:
    assert response["Content-Type"].endswith("spreadsheetml.sheet")
    return bytes(response.content)


def cells(data: bytes) -> list[list[Any]]:
    sheet = openpyxl.load_workbook(io.BytesIO(data)).active
    return [list(row) for row in sheet.iter_rows()]


def written(*row: object) -> list[Any]:
    rows: list[list[object]] = [["head"], list(row)]
    return cells(content(xlsx_response("x", (each for each in rows))))[1]


@pytest.fixture
def trusted():
    return log_in("view", "export", "view_sensitive")


@pytest.mark.parametrize("text", [*PAYLOADS, "#N/A", "0042", "12345678901234567890"])
def test_text_is_a_text_whatever_it_begins_with(text):
    (cell,) = written(text)
    assert cell.data_type == "s"
    assert cell.value.replace("_x000D_", "\r").split() == text.split()


def test_numbers_are_numbers_where_none_of_their_digits_is_lost():
    assert [cell.value for cell in written(7, 0.5, 10**14, 10**15)] == [
        *(7, 0.5, 10**14),
        "1000000000000000",
    ]


def test_what_xml_cannot_say_and_what_is_too_long_breaks_nothing():
    first, second = written("a\x00\x1bb\ud800", "x" * 40_000)
    assert first.value == "a\ufffd\ufffdb\ufffd"
    assert len(second.value) == 32_767


def test_no_cell_of_an_export_is_a_formula(trusted):
    for payload in PAYLOADS:
        fields = dict.fromkeys(COLUMNS, payload[:30])
        MessageFactory(**fields, status="rejected")
    data = content(trusted.post(EXPORT, BOOK))
    assert b"<f>" not in zipfile.ZipFile(io.BytesIO(data)).read(
        "xl/worksheets/sheet1.xml"
    )
    assert len(cells(data)) == len(PAYLOADS) + 1


def test_numbers_read_back_as_recipients(trusted):
    MessageFactory()
    sheet = read_upload(content(trusted.post(EXPORT, BOOK)))
    (row,) = sheet.rows
    assert row.mobile == "0939-521-3300"


def test_export_is_what_the_filter_finds_by_the_same_rights(trusted):
    MessageFactory(text="secret", sensitive=True)
    MessageFactory(status="rejected", text="seen")
    _header, *rows = cells(
        content(trusted.post(f"{EXPORT}?status__exact=rejected", BOOK))
    )
    assert len(rows) == 1
    assert "seen" in [cell.value for cell in rows[0]]


def test_others_get_neither_numbers_nor_texts():
    MessageFactory(text="canary")
    data = content(log_in("view", "export").post(EXPORT, BOOK))
    values = [str(cell.value) for row in cells(data) for cell in row]
    assert not any("canary" in value or "5213300" in value for value in values)
    assert log_in_again("view").post(EXPORT, BOOK).status_code == 403


def log_in_again(*names: str) -> Any:
    from django.contrib.auth import get_user_model

    get_user_model().objects.all().delete()
    return log_in(*names)


def test_history_says_who_took_what(trusted):
    MessageFactory()
    content(trusted.post(EXPORT, BOOK))
    entry = LogEntry.objects.get()
    assert entry.object_repr == "Excel export"
    assert "Exported 1 messages" in entry.change_message


def test_more_than_a_workbook_takes_is_said_before(trusted, monkeypatch):
    monkeypatch.setattr(exports, "MOST_ROWS", 1)
    MessageFactory.create_batch(2)
    response = trusted.post(f"{EXPORT}?status__exact=queued", BOOK)
    assert response.url == f"{LIST}?status__exact=queued"
    assert "takes 1 messages" in str(trusted.get(response.url).content)
    assert not LogEntry.objects.exists()


def test_without_openpyxl_there_is_no_button_and_csv_comes(trusted, monkeypatch):
    assert 'value="xlsx"' in trusted.get(LIST).text
    assert "format=xlsx" in trusted.get(REPORT).text
    for module in (exports, reports):
        monkeypatch.setattr(module, "can_write_workbooks", lambda: False)
    MessageFactory()
    assert 'value="xlsx"' not in trusted.get(LIST).text
    assert "format=xlsx" not in trusted.get(REPORT).text
    assert trusted.post(EXPORT, BOOK)["Content-Type"].startswith("text/csv")


def test_report_is_one_too_by_the_same_right(trusted):
    message = MessageFactory(accepted=True, state=1)
    Message.objects.update(state_at=message.finished_at)
    header, *rows = cells(content(trusted.get(REPORT, BOOK)))
    day = next(row for row in rows if row[2].value)
    assert header[0].value == "By"
    assert all(cell.data_type == "n" for cell in day[2:])
    assert (day[-2].value, day[-1].value) == (100, 2)
    assert log_in_again("view").get(REPORT, BOOK).status_code == 403


def test_sheet_is_read_from_the_right_in_persian(trusted):
    for language, expected in (("fa", True), ("en", False)):
        headers = {"accept-language": language}
        data = content(trusted.get(REPORT, BOOK, headers=headers))
        book = openpyxl.load_workbook(io.BytesIO(data))
        assert bool(book.active.sheet_view.rightToLeft) is expected


def test_file_is_a_download_that_no_cache_keeps(trusted):
    response = trusted.post(EXPORT, BOOK)
    assert "private, no-store" in response["Cache-Control"]
    assert response["Content-Disposition"].endswith('.xlsx"')
    assert Message.objects.count() == 0
    assert workbook_files.can_write_workbooks()
