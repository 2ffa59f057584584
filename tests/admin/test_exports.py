"""CSV: what leaves the admin, and that nothing in it is a formula."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from negin_sms.admin import exports
from negin_sms.admin.spreadsheets import _lines, safe_cell
from negin_sms.choices import Status
from negin_sms.models import Message
from negin_sms.phones import normalize_mobile
from negin_sms.services.submission.recipients.tables import clean_cell
from negin_sms.services.submission.recipients.uploads import read_upload
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db

LIST = "/admin/negin_sms/message/"
EXPORT = LIST + "export/"
COMMAND = "cmd|' /C calc'!A0"
PAYLOADS = [
    *(f"{sign}{COMMAND}" for sign in ("=", "+", "-", "@", "\t", "\r", "\n")),
    *(f"{space}={COMMAND}" for space in (" ", "   ", "\u00a0", "\u3000", "\t", "\n")),
    *(f"{space}+1" for space in (" ", "\u200b", "\u200f", "\u202e", "\ufeff")),
    *("-1", "+989395213300", "=1+1", "@SUM(A1)", "--1", "=HYPERLINK('http://x')"),
    *("\uff1d1", "\uff0b1", "\uff0d1", "\uff201", " \r=1", "\u2066@x"),
]
COLUMNS = ["text", "detail", "group", "source", "used_line", "gateway_id"]
HARMLESS = ["", "سلام", "a=1", "'=1", "9830003300", " x", "1-2", "…", "a, b; c"]
# A cell begins behind a separator, for a spreadsheet that separates by it.
INNER = {
    "x;=cmd|' /C calc'!A0": "x;'=cmd|' /C calc'!A0",
    'x";"=1': 'x";"\'=1',
    "x,+1": "x,'+1",
    "x\t@SUM(A1)": "x\t'@SUM(A1)",
    "x\n-1": "x\n'-1",
    "x\r\n =1": "x\r\n '=1",
    "x;\u200b\ufeff=1": "x;\u200b\ufeff'=1",
    "x|\uff1d1": "x|'\uff1d1",
    "a;=1;=2": "a;'=1;'=2",
}
SHORTENED = ["0042", "989395213300", "12345678901234567890", "12e45", "1.5E9"]
READERS = [",", ";", "\t", "|"]


def log_in(*names: str) -> Client:
    user = get_user_model().objects.create_user("staff", is_staff=True)
    codenames = [f"{name}_message" for name in names]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def export(client, query: str = "") -> list[dict[str, str]]:
    response = client.post(EXPORT + query)
    assert response.status_code == 200
    text = b"".join(response.streaming_content).decode()
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:], newline="")))


def logged() -> str:
    return LogEntry.objects.get().change_message


def break_off(response) -> None:
    """Close the download as a server does whose client has gone.

    By way of the test client's wrapper, which keeps the test's connection open.
    """
    response._iterator.close()


@pytest.fixture
def trusted() -> Client:
    return log_in("view", "export", "view_sensitive")


def test_there_are_thirty_payloads():
    assert len(set(PAYLOADS)) >= 30


def is_neutral(cell: str, payload: str) -> bool:
    """Return whether marks are all that was added, one of them in front."""
    return cell[0] == "'" and cell.replace("'", "") == payload.replace("'", "")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_formula_becomes_text(payload):
    assert is_neutral(safe_cell(payload), payload)


@pytest.mark.parametrize("text", INNER)
def test_formula_behind_a_separator_becomes_text(text):
    assert safe_cell(text) == INNER[text]


@pytest.mark.parametrize("text", SHORTENED)
def test_number_that_would_be_shortened_stays_text_and_reads_back(text):
    assert safe_cell(text) == f"'{text}"
    assert clean_cell(safe_cell(text)) == text


@pytest.mark.parametrize("delimiter", READERS)
@given(st.text("=+-@;,|\t\n\r\"' a\u200b\uff1d", max_size=12))
def test_no_reader_opens_a_formula(delimiter, text):
    line = "".join(_lines(iter_rows(["1", text, "end"]))).removeprefix("\ufeff")
    reader = csv.reader(io.StringIO(line, newline=""), delimiter=delimiter)
    for cell in (cell for row in reader for cell in row):
        assert not cell.lstrip(" \u200b\t\r\n").startswith(tuple("=+-@\uff1d"))


def iter_rows(*rows):
    yield from (list(row) for row in rows)


def test_every_cell_is_quoted(trusted):
    MessageFactory()
    lines = b"".join(trusted.post(EXPORT).streaming_content).decode().splitlines()
    assert all(line.lstrip("\ufeff").startswith('"') for line in lines)
    assert '","' in lines[1]


def test_a_line_that_nobody_named_is_the_account_s(trusted):
    MessageFactory(line="", default_line=True, status="cancelled")
    MessageFactory(line="", scenario="service_line")
    assert [row["line"] for row in export(trusted)] == ["", "9830003300"]


def test_numbers_read_back_as_recipients(trusted):
    MessageFactory(text="Hello")
    data = b"".join(trusted.post(EXPORT).streaming_content)
    (row,) = read_upload(data).rows
    assert normalize_mobile(row.mobile) == "+989395213300"
    assert row.values["text"] == "Hello"


@pytest.mark.parametrize("text", HARMLESS)
def test_everything_else_stays_as_it_is(text):
    assert safe_cell(text) == text


def test_no_column_holds_a_formula(trusted):
    """30 payloads in 6 columns, through the page."""
    limits = {f.name: f.max_length for f in Message._meta.fields}
    for payload in PAYLOADS:
        hostile = {name: payload[: limits[name]] for name in COLUMNS}
        MessageFactory(accepted=True, **hostile)
    labels = {f.name: str(f.verbose_name) for f in Message._meta.fields}
    rows = export(trusted)[::-1]
    assert len(rows) == len(PAYLOADS)
    for payload, row in zip(PAYLOADS, rows, strict=True):
        for name in COLUMNS:
            assert is_neutral(row[labels[name]], payload[: limits[name]])
        assert not any(cell.startswith(tuple("=+-@\t\r")) for cell in row.values())


def test_trusted_get_numbers_as_digits_and_texts_that_are_not_sensitive(trusted):
    MessageFactory(text='one, "two"\nthree')
    MessageFactory(text="code 1234", sensitive=True)
    hidden, shown = export(trusted)
    assert (shown["mobile"], shown["text"]) == ("0939-521-3300", 'one, "two"\nthree')
    assert (hidden["mobile"], hidden["text"]) == ("0939-521-3300", "•••")


def test_others_get_masked_numbers_and_no_texts():
    MessageFactory(text="secret words")
    client = log_in("view", "export")
    (row,) = export(client)
    assert row["mobile"] == "0939•••3300"
    assert "text" not in row
    assert "secret" not in str(row)


def test_texts_are_not_even_read_for_others():
    MessageFactory()
    client = log_in("view", "export")
    with CaptureQueriesContext(connection) as queries:
        export(client)
    assert not any('"text"' in q["sql"] or "`text`" in q["sql"] for q in queries)


@pytest.mark.parametrize("names", [(), ("view",), ("export",), ("view_sensitive",)])
def test_both_rights_are_needed(names):
    response = log_in(*names).post(EXPORT)
    assert response.status_code == 403
    assert not LogEntry.objects.exists()


def test_link_does_nothing(trusted):
    assert trusted.get(EXPORT).status_code == 405
    assert not LogEntry.objects.exists()


def test_forged_form_does_nothing():
    log_in("view", "export")
    client = Client(enforce_csrf_checks=True)
    client.force_login(get_user_model().objects.get())
    assert client.post(EXPORT).status_code == 403


def test_strangers_are_asked_to_log_in():
    assert Client().post(EXPORT).status_code == 302


def test_button_carries_the_filter_and_is_there_for_the_entitled(trusted):
    html = trusted.get(LIST, {"status__exact": "queued"}).content.decode()
    assert f'action="{EXPORT}?status__exact=queued"' in html
    get_user_model().objects.all().delete()
    assert EXPORT not in log_in("view").get(LIST).content.decode()


def test_export_is_what_the_filter_and_the_search_find(trusted):
    MessageFactory(status=Status.UNCERTAIN, mobile="+989395213301")
    wanted = MessageFactory(status=Status.UNCERTAIN)
    MessageFactory()
    rows = export(trusted, "?status__exact=uncertain&q=09395213300&p=1")
    assert [row["id"] for row in rows] == [str(wanted.pk)]


def test_filter_that_is_none_leads_back_to_the_list(trusted):
    response = trusted.post(EXPORT + "?sent=nonsense")
    assert response.status_code == 302
    assert response["Location"] == LIST + "?e=1"


def test_all_are_exported_newest_first_in_chunks(trusted, monkeypatch):
    monkeypatch.setattr(exports, "_CHUNK", 4)
    keys = [m.pk for m in MessageFactory.create_batch(10)]
    with CaptureQueriesContext(connection) as queries:
        rows = export(trusted)
    assert [int(row["id"]) for row in rows] == keys[::-1]
    chunks = [q["sql"] for q in queries if "LIMIT 4" in q["sql"]]
    assert len(chunks) == 4
    assert not any("OFFSET" in sql for sql in chunks)


def test_rows_come_as_they_are_read(trusted, monkeypatch):
    monkeypatch.setattr(exports, "_CHUNK", 2)
    MessageFactory.create_batch(5)
    response = trusted.post(EXPORT)
    stream = iter(response.streaming_content)
    next(stream)
    next(stream)
    with CaptureQueriesContext(connection) as queries:
        next(stream)
        next(stream)
    break_off(response)
    assert len([q for q in queries if "LIMIT 2" in q["sql"]]) == 1


def test_history_has_the_filter_and_the_count(trusted):
    MessageFactory.create_batch(3)
    export(trusted, "?status__exact=queued")
    assert logged() == "Exported 3 messages; filter: status__exact=queued"
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_id) == ("staff", None)


def test_history_has_no_number_that_was_searched_for(trusted):
    MessageFactory()
    export(trusted, "?q=09395213300")
    assert "3300" not in logged()
    assert "q=***" in logged()


def test_history_is_written_before_the_first_row(trusted):
    MessageFactory.create_batch(3)
    response = trusted.post(EXPORT)
    stream = iter(response.streaming_content)
    next(stream)
    next(stream)
    assert logged() == "Export begun; filter: -"
    break_off(response)


def test_download_that_breaks_off_has_the_number_that_went_out(trusted):
    MessageFactory.create_batch(5)
    response = trusted.post(EXPORT)
    stream = iter(response.streaming_content)
    for _line in range(4):  # the mark, the header, two rows
        next(stream)
    break_off(response)
    assert logged() == "Exported 2 messages; filter: -"


def test_times_are_the_project_s(trusted):
    at = datetime(2025, 5, 5, 20, 30, tzinfo=UTC)
    MessageFactory(created_at=at, accepted=True)
    (row,) = export(trusted)
    assert row["created at"] == row["finished at"] == "2025-05-06 00:00:00"


def test_file_is_a_download_that_no_cache_keeps(trusted):
    response = trusted.post(EXPORT)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith("attachment;")
    assert "no-store" in response["Cache-Control"]
