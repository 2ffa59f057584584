"""Messages that are there already, sent now."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from negin_sms import services
from negin_sms.choices import Priority, Status
from negin_sms.exceptions import (
    NotSent,
)
from negin_sms.gateway.sandbox import Sandbox
from negin_sms.models import Message
from tests.factories import MessageFactory

MOBILE = "09395213300"


@pytest.mark.django_db(transaction=True)
class TestSendMessages:
    def test_drafts_and_queued_rows_are_sent_and_others_skipped(self, live):
        rows = [
            MessageFactory(status=Status.DRAFT),
            MessageFactory(),
            MessageFactory(accepted=True),
            MessageFactory(uncertain=True),
            MessageFactory(status=Status.CANCELLED),
        ]
        report = services.send_messages(rows)
        assert report.done == 2
        assert [pk for pk, _why in report.skipped] == [row.pk for row in rows[2:]]
        assert "Uncertain" in report.skipped[1][1]
        assert len(live.taken) == 2

    def test_drafts_live_from_now_on(self, live):
        old = MessageFactory(status=Status.DRAFT)
        old.begins_at -= timedelta(days=30)
        old.due_at -= timedelta(days=30)
        old.expires_at -= timedelta(days=30)
        old.save()
        assert services.send_messages([old]).done == 1

    @pytest.mark.parametrize("status", [Status.QUEUED, Status.HELD])
    def test_what_is_past_its_time_expires_and_says_so(self, live, status):
        past = timezone.now() - timedelta(minutes=1)
        late = MessageFactory(status=status, due_at=past, expires_at=past)
        other = MessageFactory(due_at=past, expires_at=past)  # nobody's business here
        report = services.send_messages([late])
        assert report.skipped == ((late.pk, "It expired before it could be sent."),)
        late.refresh_from_db()
        other.refresh_from_db()
        assert (late.status, other.status) == (Status.EXPIRED, Status.QUEUED)
        assert not live.taken

    def test_each_row_is_tried_once_and_keeps_its_reason(self, use_account):
        use_account("http://127.0.0.1:9/api")
        rows = MessageFactory.create_batch(3)
        report = services.send_messages(rows)
        assert report.done == 0
        assert all("cannot be reached" in why for _pk, why in report.skipped)
        assert {row.attempts for row in Message.objects.all()} == {1}

    @pytest.mark.usefixtures("live")
    def test_paused_account_is_the_reason(self):
        services.pause_account("default", reason="maintenance")
        report = services.send_messages([MessageFactory()])
        assert "maintenance" in report.skipped[0][1]

    def test_account_that_cannot_send_is_the_reason(self, settings, live):
        sound = settings.NEGIN_SMS["default"]
        settings.NEGIN_SMS = {"default": sound, "off": {**sound, "DISPATCH": False}}
        rows = [MessageFactory(account=name) for name in ("default", "gone", "off")]
        report = services.send_messages(rows)
        assert (report.done, len(live.taken)) == (1, 1)
        assert "no SMS account 'gone'" in report.skipped[0][1]
        assert "DISPATCH is off" in report.skipped[1][1]

    def test_draft_of_an_account_that_is_gone_stays_one(self, live):
        rows = [MessageFactory(status="draft", account=a) for a in ("gone", "default")]
        report = services.send_messages(rows)
        assert (report.done, len(live.taken)) == (1, 1)
        assert "no SMS account 'gone'" in report.skipped[0][1]
        assert Message.objects.get(account="gone").status == Status.DRAFT

    def test_held_message_of_an_account_that_is_gone_stays_held(self, live):
        row = MessageFactory(account="gone", status=Status.HELD)
        assert services.send_messages(row).done == 0
        row.refresh_from_db()
        assert row.status == Status.HELD

    def test_quiet_hours_hold_what_is_pressed_again(self, use_account, sandbox):
        now = timezone.localtime()
        around = (now - timedelta(hours=1), now + timedelta(hours=1))
        use_account(sandbox.url, QUIET_HOURS=tuple(f"{at:%H:%M}" for at in around))
        row = MessageFactory(priority=Priority.LOW)
        for _ in range(2):
            report = services.send_messages(row)
            assert "quiet hours" in report.skipped[0][1]
        assert sandbox.taken == []

    def test_row_that_is_gone_is_said(self):
        row = MessageFactory()
        Message.objects.all().delete()
        row.pk = 999
        assert "no such message" in services.send_messages([row]).skipped[0][1]


@pytest.mark.django_db(transaction=True)
def test_killed_sandbox_loses_nothing(use_account, sandbox):
    """The main job's worst day: the gateway dies between sends, and comes back."""
    use_account(sandbox.url)
    services.send_sms(MOBILE, "before")
    sandbox.stop()
    with pytest.raises(NotSent):
        services.send_sms(MOBILE, "during")
    report = services.refresh_states(Message.objects.filter(status="accepted"))
    assert "cannot be reached" in report.errors[0]
    with Sandbox(pace=0) as healed:
        use_account(healed.url)
        assert services.send_messages(Message.objects.filter(status="queued")).done == 1
    statuses = Message.objects.order_by("pk").values_list("status", flat=True)
    assert list(statuses) == [Status.ACCEPTED, Status.ACCEPTED]
