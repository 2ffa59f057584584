from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.exceptions import IdempotencyConflict
from negin_sms.gateway.memory import outbox
from negin_sms.models import Message
from negin_sms.services.operations.retention import redaction
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
JUST_NOW, LONG_AGO = timedelta(minutes=1), DAY + timedelta(minutes=1)
SECRET = "code 4321"


def make(status: str, *, age: timedelta = JUST_NOW, **fields) -> Message:
    ended = status not in (Status.DRAFT, Status.QUEUED, Status.SENDING)
    at = timezone.now() - age
    defaults = {"sensitive": True, "text": SECRET, "created_at": at}
    defaults |= {"finished_at": at} if ended else {}
    return MessageFactory(status=status, **defaults | fields)


def is_blank(message: Message) -> bool:
    message.refresh_from_db()
    assert (message.text == "") is (message.redacted_at is not None)
    return message.text == ""


@pytest.mark.parametrize("status", ["rejected", "cancelled", "expired"])
def test_text_goes_when_its_message_has_ended(status):
    message = make(status)
    assert services.redact_sensitive_texts() == 1
    assert is_blank(message)


def test_text_goes_when_its_message_has_settled():
    settled = make("accepted", settled_at=timezone.now())
    awaited = make("accepted", poll_at=timezone.now())
    assert services.redact_sensitive_texts() == 1
    assert (is_blank(settled), is_blank(awaited)) == (True, False)


@pytest.mark.parametrize("status", ["accepted", "uncertain"])
def test_text_goes_after_its_time_without_a_last_word(status):
    young, old = make(status), make(status, age=LONG_AGO)
    services.redact_sensitive_texts()
    assert (is_blank(young), is_blank(old)) == (False, True)


def test_draft_that_nobody_confirmed_goes():
    young, old = make("draft"), make("draft", age=LONG_AGO)
    ordinary = make("draft", age=LONG_AGO, sensitive=False)
    assert services.redact_sensitive_texts() == 1
    assert set(Message.objects.all()) == {young, ordinary}
    assert old not in Message.objects.all()


@pytest.mark.parametrize("status", ["queued", "sending"])
def test_text_stays_as_long_as_it_may_be_sent(status):
    message = make(status, age=10 * DAY)
    assert services.redact_sensitive_texts() == 0
    assert not is_blank(message)


def test_ordinary_texts_stay():
    message = make("rejected", sensitive=False, age=10 * DAY)
    assert services.redact_sensitive_texts() == 0
    assert not is_blank(message)


def test_time_is_the_account_s_own(settings):
    default = settings.NEGIN_SMS["default"]
    long, short = default | {"REDACT_AFTER": 3 * DAY}, default | {"REDACT_AFTER": 0}
    settings.NEGIN_SMS = {"long": long, "short": short}
    rows = [make("uncertain", age=2 * DAY, account=a) for a in ("long", "short")]
    gone = [make("uncertain", age=n * DAY, account="gone") for n in (2, 4)]
    services.redact_sensitive_texts()
    assert [is_blank(row) for row in rows + gone] == [False, True, False, True]


def test_second_run_changes_nothing():
    message = make("rejected")
    services.redact_sensitive_texts()
    message.refresh_from_db()
    assert services.redact_sensitive_texts() == 0
    assert Message.objects.get().redacted_at == message.redacted_at


def test_works_in_batches_up_to_its_limit(monkeypatch):
    monkeypatch.setattr(redaction, "_BATCH", 2)
    monkeypatch.setattr(redaction, "_BATCHES", 3)
    for _ in range(7):
        make("expired")
    assert services.redact_sensitive_texts() == 6
    assert services.redact_sensitive_texts() == 1


def test_nothing_to_do_costs_two_queries(django_assert_num_queries):
    make("queued")
    with django_assert_num_queries(2):
        services.redact_sensitive_texts()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's plan")
def test_candidates_are_found_by_index():
    with CaptureQueriesContext(connection) as queries:
        services.redact_sensitive_texts()
    with connection.cursor() as cursor:
        for query in queries:
            cursor.execute("EXPLAIN QUERY PLAN " + query["sql"])
            plan = " ".join(str(row) for row in cursor.fetchall())
            assert "negin_sms_redaction" in plan
            assert "TEMP B-TREE" not in plan


def test_blanked_message_is_not_sent_again():
    message = make("rejected")
    services.redact_sensitive_texts()
    report = services.resend([message], by=None)
    assert report.done == 0
    assert "text was redacted" in report.skipped[0][1]
    assert Message.objects.count() == 1


@pytest.mark.parametrize("status", ["draft", "queued", "sending"])
def test_no_empty_text_can_be_put_back_into_the_queue(status):
    message = make("rejected")
    services.redact_sensitive_texts()
    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.filter(pk=message.pk).update(status=status)


class TestIdempotency:
    WISH = ("09395213300", SECRET)
    KEY: dict[str, Any] = {"idempotency_key": "login-7", "sensitive": True}

    @pytest.fixture(autouse=True)
    def _blanked(self):
        self.message = services.send_sms(*self.WISH, **self.KEY)
        Message.objects.update(settled_at=timezone.now())
        assert services.redact_sensitive_texts() == 1

    @pytest.mark.parametrize("text", [SECRET, "code 9999"])
    def test_key_still_belongs_to_the_blanked_row(self, text):
        for service in (services.send_sms, services.queue_sms):
            assert service(self.WISH[0], text, **self.KEY).pk == self.message.pk
        assert len(outbox) == 1

    def test_anything_but_the_text_is_still_compared(self):
        with pytest.raises(IdempotencyConflict):
            services.queue_sms("09121234567", SECRET, **self.KEY)


@pytest.mark.django_db(transaction=True)
class TestHouseKeeping:
    def test_dispatcher_blanks(self):
        message = make("rejected")
        services.dispatch_queue()
        assert is_blank(message)

    def test_poller_blanks(self):
        message = make("rejected")
        services.poll_states()
        assert is_blank(message)

    def test_sending_some_rows_now_does_not(self):
        message = make("rejected")
        services.send_messages([MessageFactory()])
        assert not is_blank(message)
