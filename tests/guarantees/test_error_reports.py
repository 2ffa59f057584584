"""The mail that Django sends of an error, with every variable of every frame in it.

Every statement of every page fails once, in the words in which PostgreSQL and MariaDB
quote the row, and no canary is found.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.signals import got_request_exception
from django.db import DataError, IntegrityError, OperationalError, connection
from django.test import Client
from django.views.debug import ExceptionReporter

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.error_reports import hide_values
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message
from negin_sms.services.submission.drafting import draft_batch
from negin_sms.services.submission.recipients.reader import read_sheet
from tests.admin.test_messages import LIST, WISH, make

pytestmark = [pytest.mark.long, pytest.mark.django_db(transaction=True)]

MOBILE, TEXT, KEY = "+989000000123", "canary-text 80471103", "canary-key"
CANARIES = ("9000000123", "canary", "80471103")
MOST = 60


class Failing:
    """Let one of the app's statements fail, as databases fail that quote values."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, execute: Any, sql: str, params: Any, *rest: Any) -> Any:
        self.left -= "negin_sms_" in sql
        if self.left or "negin_sms_" not in sql:
            return execute(sql, params, *rest)
        row = f"{MOBILE}, {TEXT}, {KEY}"
        if "INSERT" in sql:
            raise IntegrityError(f"violates a check\nDETAIL:  Failing row: ({row}).")
        raise DataError(1062, f"Duplicate entry '{row}' for key 'negin_sms_key'")


def report(request: Any, kind: Any, error: Any, trace: Any) -> str:
    reporter = ExceptionReporter(request, kind, error, trace)
    return reporter.get_traceback_html() + reporter.get_traceback_text()


@contextmanager
def reports() -> Iterator[list[str]]:
    """Collect what would be mailed of requests that fail."""
    said: list[str] = []

    def take(sender: Any, request: Any, **kwargs: Any) -> None:
        said.append(report(request, *sys.exc_info()))

    got_request_exception.connect(take)
    yield said
    got_request_exception.disconnect(take)


def gone(table: str) -> Any:
    """Let the server go away as soon as a table is read."""

    def execute(execute: Any, sql: str, *rest: Any) -> Any:
        if table in sql:
            raise OperationalError("server closed the connection unexpectedly")
        return execute(sql, *rest)

    return connection.execute_wrapper(execute)


def assert_clean(said: list[str]) -> None:
    for text in said:
        for canary in CANARIES:
            place = text.find(canary)
            assert place < 0, text[max(0, place - 800) : place + 100]


DRAFT = {**WISH, "mobile": MOBILE, "text": TEXT}
PAGES: dict[str, tuple[str, dict[str, Any] | None]] = {
    "list": ("", None),
    "add": ("add/", DRAFT),
    "change": ("{draft}/change/", DRAFT),
    "look at a draft": ("{draft}/change/", None),
    "look": ("{sent}/change/", None),
    "delete": ("{draft}/delete/", {"post": "yes"}),
    "history": ("{sent}/history/", None),
    "reveal": ("{sent}/reveal/", {"post": "yes"}),
    "compose": ("compose/", {**WISH, "mobile": "", "text": TEXT, "recipients": MOBILE}),
    "preview": ("preview/?group=batch", None),
    "batch": ("batch/?batch=batch", None),
    "batch cancel": ("batch/cancel/?batch=batch", None),
    "confirm": ("preview/confirm/", {"group": "batch", "seen": "1-1"}),
    "send": ("{draft}/send/", {"post": "yes"}),
    "edit": ("{draft}/edit/", {**WISH, "mobile": MOBILE, "text": TEXT, "seen": "1"}),
    "look at an edit": ("{draft}/edit/", None),
    "reschedule": ("{draft}/reschedule/", {"send_at": "2099-01-01", "seen": "1"}),
    "resend": ("{unsure}/resend/", {"post": "yes"}),
    "export": ("export/", {}),
}


@pytest.mark.parametrize("page", PAGES)
def test_mail_of_each_page_is_clean(admin_user, page):
    path, form = PAGES[page]
    fields = {"mobile": MOBILE, "text": TEXT, "idempotency_key": KEY}
    rows = {
        "draft": make(**fields, group="batch"),
        "sent": make(**fields | {"idempotency_key": "b"}, status=Status.ACCEPTED),
        "unsure": make(**fields | {"idempotency_key": "c"}, status=Status.UNCERTAIN),
    }
    url = LIST + path.format(**{name: row.pk for name, row in rows.items()})
    client = Client(raise_request_exception=False)
    failed = 0
    for number in range(1, MOST):
        client.force_login(admin_user)
        failing = Failing(number)
        with reports() as said, connection.execute_wrapper(failing):
            response = client.get(url) if form is None else client.post(url, form)
        if failing.left > 0 or response.streaming:
            break  # there was no such statement, or it is not of this request any more
        assert_clean(said)
        failed += len(said)
    assert failed


@pytest.mark.parametrize("table", ["django_session", "auth_user"])
@pytest.mark.parametrize("page", ["add", "change", "compose", "edit", "search"])
def test_mail_is_clean_when_the_user_cannot_be_read(admin_client, page, table):
    """The database goes away, and with it the session, before a view is called."""
    path, form = {**PAGES, "search": ("", {"q": MOBILE})}[page]
    row = make(mobile=MOBILE, text=TEXT)
    admin_client.raise_request_exception = False
    with reports() as said, gone(table):
        admin_client.post(LIST + path.format(draft=row.pk), form)
    assert said
    assert_clean(said)


DRAFT_KEY = 0  # of the row that a call is about


def draft() -> Message:
    """Return a row by its key alone: what the caller holds is the caller's own."""
    return Message(pk=DRAFT_KEY)


CALLS = {
    "send_sms": lambda: services.send_sms(MOBILE, TEXT, idempotency_key=KEY),
    "queue_sms": lambda: services.queue_sms(MOBILE, TEXT, idempotency_key=KEY),
    "queue_many": lambda: services.queue_many(
        [{"mobile": MOBILE, "text": TEXT, "idempotency_key": KEY}]
    ),
    "asend_sms": lambda: asyncio.run(services.asend_sms(MOBILE, TEXT)),
    "aqueue_sms": lambda: asyncio.run(services.aqueue_sms(MOBILE, TEXT)),
    "draft_batch": lambda: draft_batch(TEXT, [read_sheet(MOBILE)]),
    "cancel": lambda: services.cancel(Message.objects.filter(status="draft")),
    "queue_messages": lambda: services.queue_messages(Message.objects.all()),
    "send_messages": lambda: services.send_messages(Message.objects.all()),
    "resend": lambda: services.resend(Message.objects.all(), by=None),
    "dispatch_queue": lambda: services.dispatch_queue(workers=1),
    "poll_states": lambda: services.poll_states(),
    "release": lambda: services.release(Message.objects.all()),
    "edit": lambda: services.edit(draft(), by=None, mobile=MOBILE, text=f"{TEXT}!"),
    "reschedule": lambda: services.reschedule(draft(), "2099-01-01", by=None),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("number", range(1, 9))
def test_report_of_each_call_is_clean(name, number, monkeypatch):
    row = make(mobile=MOBILE, text=TEXT)
    monkeypatch.setitem(globals(), "DRAFT_KEY", row.pk)
    make(mobile=MOBILE, text=TEXT, status=Status.UNCERTAIN)
    said = []
    with connection.execute_wrapper(Failing(number)):
        try:
            CALLS[name]()
        except Exception:
            kind, error, trace = sys.exc_info()
            assert trace is not None
            # Behind the frames of this file, which are the caller's own.
            said.append(report(None, kind, error, trace.tb_next.tb_next))
    assert_clean(said)


@pytest.mark.parametrize("name", ["asend_sms", "aqueue_sms", "send_sms", "queue_many"])
def test_report_of_a_refused_message_is_clean(name, monkeypatch):
    monkeypatch.setitem(globals(), "TEXT", TEXT * 999)
    with pytest.raises(InvalidMessage) as caught:
        CALLS[name]()
    trace = caught.tb.tb_next.tb_next
    assert_clean([report(None, caught.type, caught.value, trace)])


@pytest.mark.parametrize(
    "said",
    [
        ('new row for "t" violates\nDETAIL:  Failing row contains (1, canary).',),
        (1062, "Duplicate entry 'default-canary' for key 'negin_sms_idempotency'"),
        (1366, "Incorrect string value: '\\xF0canary' for column `a`.`b` at row 1"),
        (1064, "You have an error near 'canary ''quoted'' canary' at line 1"),
        ('invalid input syntax for type bigint: "canary\ncanary"\nLINE 1: canary',),
    ],
)
def test_quoted_values_are_taken_out(said):
    error = IntegrityError(*said)
    error.__cause__ = ValueError(*said)
    hide_values(error)
    assert "canary" not in f"{error!r} {error.__cause__!r}"
    assert error.args[0] == said[0] or str(error) in said[0].replace(': "', ": …")
