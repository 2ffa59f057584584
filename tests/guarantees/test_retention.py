"""What is redacted is nowhere any more: no table, no byte of the file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.models import CapCount, Message, OptOut
from negin_sms.services.submission.drafting import draft_batch
from negin_sms.services.submission.recipients.reader import read_sheet
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db(transaction=True)

DAYS = timedelta(days=10)
MOBILE, TEXT = "+989000000123", "canary-text"
CANARIES = ("9000000123", "canary")
# The guide names what stays: a day's largest groups, in the report.
STAYS = {("dailycount", "value")}


@pytest.fixture(autouse=True)
def _overwrites_what_it_frees():
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA secure_delete = ON")


def fill(group: str) -> None:
    """Leave the number and the text in every place that takes them."""
    long_ago = timezone.now() - DAYS
    at = {"created_at": long_ago, "finished_at": long_ago}
    said = {"idempotency_key": f"canary {MOBILE}", "source": f"canary {MOBILE}"}
    said |= {"detail": f"canary {MOBILE}", "group": group}
    MessageFactory(mobile=MOBILE, text=TEXT, status=Status.REJECTED, **said, **at)
    draft_batch(TEXT, [read_sheet(MOBILE)], sensitive=True, group=group)
    period = {"seconds": 60, "began_at": long_ago, "messages": 1}
    CapCount.objects.create(account="default", mobile=MOBILE, **period)
    ended = {"since": long_ago, "until": long_ago, "reason": "canary"}
    OptOut.objects.create(mobile=MOBILE, account="default", **ended)


def found() -> Iterator[tuple[str, str]]:
    """Yield each column of each table of the app that has a canary in it."""
    for model in apps.get_app_config("negin_sms").get_models():
        for row in model._default_manager.values():
            for column, value in row.items():
                if any(canary in str(value) for canary in CANARIES):
                    yield model._meta.model_name or "", column


def redact() -> None:
    drafts = Message.objects.filter(status=Status.DRAFT)
    drafts.update(created_at=timezone.now() - DAYS)
    services.redact_sensitive_texts()
    services.purge_messages(timedelta(days=5), redact=True)


def test_no_table_has_what_was_redacted():
    fill(group=f"canary {MOBILE}")
    assert {name for name, _column in found()} == {"message", "capcount", "optout"}
    redact()
    assert set(found()) <= STAYS


def test_no_byte_of_the_file_has_what_was_redacted():
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite's file is at hand")
    fill(group="")
    assert b"canary" in connection.connection.serialize()
    redact()
    left = connection.connection.serialize()
    assert not [canary for canary in CANARIES if canary.encode() in left]
