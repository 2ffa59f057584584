"""What the preview warns of before it costs anything."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from negin_sms import services
from negin_sms.admin.preview_warnings import (
    delay_warnings,
    draft_warnings,
    length_warnings,
)
from negin_sms.choices import Priority, Status
from negin_sms.dates import moment_words
from negin_sms.models import AccountState, Message
from tests.admin.test_composing import draft, preview
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db

COMPOSE = "/admin/negin_sms/message/compose/"
TEHRAN = timezone.get_default_timezone()


@pytest.fixture
def quiet(settings):
    own = {**settings.NEGIN_SMS["default"], "QUIET_HOURS": ("22:00", "08:00")}
    settings.NEGIN_SMS = {"default": own}


def low(due: int, expires: int, day: int = 2) -> Message:
    return Message(
        account="default",
        priority=Priority.LOW,
        due_at=datetime(2026, 12, 1, due, tzinfo=TEHRAN),
        expires_at=datetime(2026, 12, day, expires, tzinfo=TEHRAN),
    )


@pytest.mark.parametrize("sensitive", [True, False])
def test_preview_says_when_sensitive_drafts_are_deleted(admin_client, sensitive):
    group = draft(admin_client, **({"sensitive": "on"} if sensitive else {}))
    page = preview(admin_client, group)
    row = Message.objects.get()
    end = moment_words(row.created_at + timedelta(days=1))
    words = f"what nobody confirms until {end} is deleted"
    assert (words in page.text) is sensitive


@pytest.mark.parametrize("hours", [-1, 1, None])
def test_preview_warns_of_a_time_that_is_over(admin_client, hours):
    moment = hours and timezone.localtime() + timedelta(hours=hours)
    typed = moment.strftime("%Y-%m-%d %H:%M") if moment else ""
    page = preview(admin_client, draft(admin_client, send_at=typed))
    assert ("time that was given is over" in page.text) is (hours == -1)


def test_one_that_was_changed_by_itself_is_said_on_preview_and_edit(admin_client):
    """Shown is the first; to edit the batch gives all of them what that one has."""
    later = timezone.localtime() + timedelta(days=2)
    wish = {
        "recipients": "09395213300\n09395213301\n",
        "send_at": later.strftime("%Y-%m-%d %H:%M"),
    }
    group = draft(admin_client, **wish)
    words = "differ: "
    edit = f"{COMPOSE}?edit={group}"
    assert words not in preview(admin_client, group).text
    assert words not in admin_client.get(edit).text
    changed = Message.objects.latest("pk")
    services.edit(changed, by=None, text="Another text")
    Message.objects.filter(pk=changed.pk).update(  # as the form of a draft begins anew
        begins_at=F("begins_at") + timedelta(minutes=1),
        expires_at=F("expires_at") + timedelta(minutes=1),
    )
    assert words not in preview(admin_client, group).text
    services.edit(changed, by=None, send_at=later + timedelta(days=3))
    told = "differ: send at."
    assert f"{told} Shown is the first" in preview(admin_client, group).text
    assert "Schedule 2 messages" in preview(admin_client, group).text
    services.edit(changed, by=None, expires_in=60)
    assert "differ: send at, expires at." in preview(admin_client, group).text
    services.reschedule(changed, None, by=None)
    assert "Send 2 messages" in preview(admin_client, group).text
    told = "differ: send at, expires at. Here all of them have what"
    assert told in admin_client.get(edit).text


def test_message_that_may_never_leave_is_warned_of(quiet):
    (words,) = delay_warnings(low(23, 7))
    assert words.startswith(
        "It may never leave: quiet hours last until Dec. 2, 2026, 8"
    )
    assert delay_warnings(low(23, 8)) == [words]  # it expires with them


def test_expiry_within_quiet_hours_is_warned_of(quiet):
    (words,) = delay_warnings(low(20, 7))
    begins = "the quiet hours that begin on Dec. 1, 2026, 10 p.m.;"
    assert words.startswith(f"It expires within {begins}")


def test_wait_for_the_end_of_quiet_hours_is_told(quiet):
    (words,) = delay_warnings(low(23, 9))
    assert words.startswith("It waits until quiet hours are over (Dec. 2, 2026, 8")
    waits, expires = delay_warnings(low(23, 7, day=3))
    assert waits == words
    assert "that begin on Dec. 2, 2026, 10 p.m.;" in expires


def test_others_are_not(quiet):
    urgent = low(23, 7)
    urgent.priority = Priority.NORMAL
    assert delay_warnings(urgent) == []
    assert delay_warnings(low(20, 21, day=1)) == []


def test_without_quiet_hours_nothing_is_said():
    assert delay_warnings(low(23, 7)) == []


def test_costly_characters_are_named_once():
    assert length_warnings(["سلام", "plain"]) == []
    assert length_warnings(["It’s", "it’s\u200b"]) == [
        "These characters make a text longer than it looks: ’ U+200B"
    ]


def test_preview_says_both(admin_client, quiet):
    wish = {
        "recipients": "09395213300",
        "text": "سلام\u200f",
        "scenario": "single",
        "account": "default",
        "priority": str(Priority.LOW.value),
        "send_at": "1418/10/12 23:00",
        "expires_in": "3600",
    }
    html = admin_client.post(COMPOSE, wish, follow=True).text
    assert "It may never leave" in html
    assert "U+200F" in html


@pytest.mark.parametrize(
    ("fields", "warned", "tried"),
    [
        ({}, True, True),
        ({"scenario": "service_line"}, False, False),
        ({"scenario": "service_line", "sensitive": "on"}, False, False),
        ({"sensitive": "on"}, False, True),
        ({"priority": str(Priority.URGENT.value)}, False, True),
    ],
)
def test_preview_says_who_opted_out_and_what_reaches_them(
    admin_client, fields, warned, tried
):
    services.opt_out("09395213300", line="9830003300")
    wish = {
        "recipients": "09395213300\n09390000000",
        "text": "Hello",
        "scenario": "single",
        "account": "default",
        "priority": str(Priority.NORMAL.value),
    }
    page = admin_client.post(COMPOSE, wish | fields, follow=True)
    words = "".join(page.context["warnings"])
    assert words.startswith("1 recipient has opted out") is warned
    is_tried = "1 recipient of what is urgent or sensitive has opted out" in words
    assert is_tried is (tried and not warned)
    assert ("Line, then Chelcheleh" in words) is tried


def pause(hours: float) -> datetime:
    """Pause the account for so long; return until when."""
    services.pause_account("default", reason="no credit")
    end = timezone.now() + timedelta(hours=hours)
    AccountState.objects.update(paused_until=end)
    return end


def test_pause_that_outlasts_it_is_warned_of(use_account):
    use_account()
    now = timezone.now()
    row = MessageFactory(expires_at=now + timedelta(hours=2))
    assert delay_warnings(row) == []
    (words,) = delay_warnings(row) if pause(3) else []
    assert words.startswith("It may never leave: its account is paused until ")
    (words,) = delay_warnings(row) if pause(1) else []
    assert words.startswith("It waits until the pause of its account is over (")
    assert delay_warnings(row, due_at=now + timedelta(hours=1.5)) == []
    AccountState.objects.update(paused_until=None)
    assert delay_warnings(row) == []


def test_quiet_hours_in_which_a_pause_ends_are_told(use_account):
    first, last = (timezone.localtime() + timedelta(hours=h) for h in (1, 4))
    use_account(QUIET_HOURS=(f"{first:%H:%M}", f"{last:%H:%M}"))
    row = MessageFactory(priority=Priority.LOW)
    assert delay_warnings(row) == []
    pause(2)
    paused, quiet = delay_warnings(row)
    assert ("pause" in paused, "quiet hours are over" in quiet) == (True, True)


@pytest.mark.parametrize("sensitive", [0, 1])
def test_sensitive_draft_among_others_has_its_end_told(sensitive):
    drafts = MessageFactory.create_batch(2, status="draft", group="g")
    rows = Message.objects.order_by("pk")
    assert draft_warnings(rows, drafts[0]) == []
    rows.filter(pk=drafts[sensitive].pk).update(sensitive=True)
    (words,) = draft_warnings(rows, rows[0])
    assert words.startswith("1 of them is sensitive: what nobody confirms until ")
    rows.update(sensitive=True)
    (words,) = draft_warnings(rows, rows[0])
    assert words.startswith("They are sensitive")


def test_question_whether_to_schedule_says_it_too(admin_client, quiet):
    due_at = timezone.now().replace(year=2040, month=1, day=2, hour=20)
    row = MessageFactory(
        status=Status.DRAFT,
        priority=Priority.LOW,
        send_at=due_at,
        due_at=due_at,
        expires_at=due_at + timedelta(hours=1),
    )
    html = admin_client.get(f"/admin/negin_sms/message/{row.pk}/send/").text
    assert "It may never leave" in html
