"""The change log: its version is the package's, and its upgrade keeps the rows."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from django.core import serializers
from django.core.management import call_command
from django.utils import timezone

from negin_sms import __version__
from negin_sms.choices import Status
from negin_sms.models import Message
from tests.factories import MOBILE, MessageFactory
from tests.pages import ROOT, blocks

CHANGELOG = (ROOT / "CHANGELOG.rst").read_text(encoding="utf-8")
HELD_UNTIL = "9000-01-01T00:00:00Z"  # as an older checkout had it
SINCE_THEN = (
    "begins_at",
    "default_line",
    "default_line2",
    "counted_for",
    "ignores_caps",
)


def test_the_version_has_its_section():
    assert f"\n{__version__} (" in CHANGELOG


def dump_as_of_old(path) -> None:
    """Write the messages as an older checkout's ``dumpdata`` did."""
    rows = json.loads(serializers.serialize("json", Message.objects.all()))
    for row in rows:
        fields = row["fields"]
        fields["blanked_at"] = fields.pop("redacted_at")
        for name in SINCE_THEN:
            del fields[name]
        if fields["status"] == "held":
            fields.update(status="queued", due_at=HELD_UNTIL)
    path.write_text(json.dumps(rows))


@pytest.mark.django_db
def test_rows_of_an_older_checkout_are_taken_along(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    queued = MessageFactory(idempotency_key="order-7")
    held = MessageFactory(status=Status.HELD)
    tomorrow = timezone.now().replace(microsecond=0) + timedelta(days=1)
    planned = MessageFactory(status=Status.HELD, send_at=tomorrow)
    # It expired while it was held, and was due as ever.
    ended = MessageFactory(
        status=Status.EXPIRED,
        due_at=datetime.fromisoformat(HELD_UNTIL),
        finished_at=timezone.now(),
    )
    dump_as_of_old(tmp_path / "old.json")
    Message.objects.all().delete()

    (conversion,) = blocks(CHANGELOG)
    exec(conversion, {})
    call_command("loaddata", "new.json", verbosity=0)

    rows = {row.pk: row for row in Message.objects.all()}
    assert rows[queued.pk].idempotency_key == "order-7"
    assert rows[queued.pk].mobile == MOBILE
    assert rows[queued.pk].status == Status.QUEUED
    assert rows[queued.pk].begins_at == rows[queued.pk].created_at
    assert rows[held.pk].status == rows[planned.pk].status == Status.HELD
    assert rows[held.pk].due_at == rows[held.pk].created_at
    assert rows[planned.pk].due_at == rows[planned.pk].begins_at == tomorrow
    assert rows[ended.pk].status == Status.EXPIRED
    assert rows[ended.pk].due_at.year < 9000
