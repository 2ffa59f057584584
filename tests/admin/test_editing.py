"""Edit and reschedule: what waits is changed as it was seen, by who may, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone, translation

from negin_sms import services
from negin_sms.choices import Priority, Status
from negin_sms.dates import both_words, moment_words
from negin_sms.jalali import written
from negin_sms.models import Message
from tests.admin.test_messages import (
    LIST,
    NUMBER,
    WISH,
    change_url,
    find,
    log_in,
    make,
    page,
    seen,
    told,
)
from tests.factories import MOBILE, OTHER_MOBILE, MessageFactory

pytestmark = pytest.mark.django_db

EDITOR = ("view", "edit", "reschedule", "view_sensitive")
DAY = timedelta(days=1)


def post(client: Any, row: Message, name: str, **wish: Any) -> Any:
    return client.post(f"{LIST}{row.pk}/{name}/", wish, follow=True)


def wish(row: Message, **changed: Any) -> dict[str, Any]:
    return WISH | {"mobile": NUMBER, "text": row.text} | seen(row) | changed


def queued(**fields: Any) -> Message:
    return services.queue_sms(NUMBER, "Hello", **fields)


@pytest.mark.parametrize("status", [Status.QUEUED, Status.HELD])
def test_buttons_lead_to_the_pages(status):
    row, client = make(status=status), log_in(*EDITOR)
    html = page(client, change_url(row))
    for name in ("edit", "reschedule"):
        assert f"{LIST}{row.pk}/{name}/" in html
        assert 'name="seen"' in page(client, f"{LIST}{row.pk}/{name}/")


@pytest.mark.parametrize("status", [Status.SENDING, Status.CANCELLED])
def test_what_does_not_wait_has_no_buttons_and_the_pages_say_why(status):
    row, client = make(status=status), log_in(*EDITOR)
    html = page(client, change_url(row))
    for name in ("edit", "reschedule"):
        assert f"/{name}/" not in html
        response = client.get(f"{LIST}{row.pk}/{name}/", follow=True)
        assert "Only what still waits can be changed" in told(response)


def test_draft_is_edited_on_its_own_page_by_those_who_may(admin_client):
    row = make()
    assert f"{row.pk}/edit/" not in page(admin_client, change_url(row))
    assert f"{row.pk}/reschedule/" in page(admin_client, change_url(row))
    assert f"{row.pk}/edit/" in page(log_in(*EDITOR), change_url(row))


@pytest.mark.parametrize("lacks", ["edit", "view_sensitive"])
def test_editing_takes_the_right_and_that_to_read(lacks):
    client = log_in(*(name for name in EDITOR if name != lacks))
    row = queued()
    assert f"{row.pk}/edit/" not in page(client, change_url(row))
    assert client.get(f"{LIST}{row.pk}/edit/").status_code == 403
    assert post(client, row, "edit", **wish(row, text="forged")).status_code == 403
    row.refresh_from_db()
    assert row.text == "Hello"


def test_hidden_text_is_not_edited_away(admin_client):
    row = queued(sensitive=True)
    assert admin_client.get(f"{LIST}{row.pk}/edit/").status_code == 403
    assert f"{row.pk}/edit/" not in page(admin_client, change_url(row))


class TestEdit:
    def test_it_is_written_and_told_without_what_it_says(self, admin_client):
        row = queued(line="9830001111")
        html = page(admin_client, f"{LIST}{row.pk}/edit/")
        assert 'value="9830001111"' in html
        given = wish(row, text="At five", priority=Priority.HIGH, line="9830001111")
        response = post(admin_client, row, "edit", **given)
        assert "Changed: text, priority." in told(response)
        row.refresh_from_db()
        assert (row.text, row.priority, row.line) == ("At five", 10, "9830001111")
        entry = LogEntry.objects.get()
        assert entry.change_message == "Edit: Changed: text, priority."
        assert "5213300" not in entry.object_repr + entry.change_message

    def test_number_in_another_spelling_is_no_change(self, admin_client):
        row = queued()
        response = post(admin_client, row, "edit", **wish(row, mobile="0939 521 3300"))
        assert "Nothing was changed" in told(response)
        assert not LogEntry.objects.exists()

    def test_refusal_stands_at_its_field_and_nothing_is_lost(self, admin_client):
        row = queued()
        given = wish(row, text="kept", line2="9830001111")
        response = post(admin_client, row, "edit", **given)
        assert list(response.context["form"].errors) == ["line2"]
        assert ">\nkept</textarea>" in response.text
        again = find(r'name="seen" value="(\w+)"', response.text)
        assert again == given["seen"]

    def test_what_changed_meanwhile_is_shown_anew(self, admin_client):
        row = queued()
        given = wish(row, text="mine")
        services.edit(row, by=None, text="theirs")
        response = post(admin_client, row, "edit", **given)
        assert "Somebody changed these messages meanwhile" in told(response)
        assert "theirs" in response.text
        row.refresh_from_db()
        assert row.text == "theirs"

    def test_digest_is_not_left_out(self, admin_client):
        row = queued()
        given = wish(row, text="unseen")
        del given["seen"]
        post(admin_client, row, "edit", **given)
        row.refresh_from_db()
        assert row.text == "Hello"

    def test_pressed_twice_it_is_done_once(self, admin_client):
        row = queued()
        given = wish(row, text="At five")
        for _ in range(2):
            response = post(admin_client, row, "edit", **given)
        assert "Nothing was changed" in told(response)
        assert LogEntry.objects.count() == 1

    def test_who_is_late_is_told(self, admin_client):
        row = queued()
        given = wish(row, text="late")
        services.dispatch_queue()
        response = post(admin_client, row, "edit", **given)
        assert "has already left" in told(response)


class TestReschedule:
    def test_time_is_shown_in_both_calendars_before_it_counts(self, admin_client):
        row = queued(expires_in=3600)
        later = (timezone.localtime() + 3 * DAY).replace(microsecond=0)
        typed = f"{written(later.date())} {later:%H:%M:%S}"
        given = {"send_at": typed} | seen(row)
        response = post(admin_client, row, "reschedule", **given)
        html = response.text
        assert f"It leaves on {both_words(later)}" in html
        assert f"given up on {both_words(later + timedelta(hours=1))}" in html
        row.refresh_from_db()
        assert row.send_at is None
        assert find(r'name="send_at" value="([^"]*)"', html) == typed
        response = post(admin_client, row, "reschedule", **given, sure="1")
        assert "Changed: send at." in told(response)
        row.refresh_from_db()
        assert row.due_at == later
        assert LogEntry.objects.get().change_message.startswith("Reschedule: ")

    def test_pause_without_an_end_is_told(self, admin_client):
        row = queued()
        given = {"send_at": ""} | seen(row)
        paused = "The account is paused: maintenance."
        assert paused not in post(admin_client, row, "reschedule", **given).text
        services.pause_account("default", reason="maintenance")
        assert paused in post(admin_client, row, "reschedule", **given).text

    def test_what_is_past_its_time_gets_another(self, admin_client):
        past = timezone.now() - DAY
        row = queued(expires_in=3600)
        over = "The time of 1 message is over"
        assert over not in page(admin_client, f"{LIST}{row.pk}/edit/")
        hour = timedelta(hours=1)
        Message.objects.update(begins_at=past - hour, due_at=past, expires_at=past)
        row.refresh_from_db()
        assert over in page(admin_client, f"{LIST}{row.pk}/edit/")
        post(admin_client, row, "reschedule", send_at="", sure="1", **seen(row))
        row.refresh_from_db()
        assert row.expires_at > timezone.now()

    def test_what_was_put_off_leaves_at_once_and_that_is_told(self, admin_client):
        row = queued()
        Message.objects.update(due_at=timezone.now() + DAY)
        post(admin_client, row, "reschedule", send_at="", sure="1", **seen(row))
        row.refresh_from_db()
        assert row.due_at <= timezone.now()
        entry = LogEntry.objects.get()
        assert entry.change_message == "Reschedule: Changed: due at."

    def test_calendar_is_there_in_persian(self, admin_client):
        row = queued(send_at=timezone.now() + DAY)
        with translation.override("fa"):
            html = page_in("fa", admin_client, f"{LIST}{row.pk}/reschedule/")
        assert "data-negin-sms-jalali" in html
        assert "calendar.js" in html
        assert written(timezone.localtime(row.send_at).date()) in html

    def test_empty_is_now(self, admin_client):
        row = queued(send_at=timezone.now() + DAY)
        given = {"send_at": ""} | seen(row)
        response = post(admin_client, row, "reschedule", **given)
        assert "It leaves as soon as it can" in response.text
        post(admin_client, row, "reschedule", **given, sure="1")
        assert Message.objects.due().count() == 1

    def test_draft_is_said_to_wait_for_somebody(self, admin_client):
        row = MessageFactory(status=Status.DRAFT)
        later = f"{timezone.localtime() + DAY:%Y-%m-%d %H:%M}"
        for typed, words in [(later, "it leaves on "), ("", "it leaves as soon as")]:
            given = {"send_at": typed} | seen(row)
            html = post(admin_client, row, "reschedule", **given).text
            assert f"It is a draft: once somebody has confirmed it, {words}" in html

    def test_long_past_is_refused_at_the_field(self, admin_client):
        row = queued()
        given = {"send_at": "2020-01-01 10:00"} | seen(row)
        response = post(admin_client, row, "reschedule", **given, sure="1")
        assert list(response.context["form"].errors) == ["send_at"]

    def test_time_that_is_just_over_is_said_to_be_so(self, admin_client):
        row = queued(send_at=timezone.now() + DAY)
        past = timezone.localtime() - timedelta(hours=1)
        given = {"send_at": f"{past:%Y-%m-%d %H:%M}"} | seen(row)
        html = post(admin_client, row, "reschedule", **given).text
        assert f"The time given is over ({moment_words(past)})." in html
        assert "It leaves as soon as it can" in html

    def test_held_message_is_said_to_stay_held(self, admin_client):
        row = queued()
        services.hold_queue(reason="restored")
        html = page(admin_client, f"{LIST}{row.pk}/reschedule/")
        assert "only once somebody has released it" in html

    def test_time_in_quiet_hours_is_warned_of(self, admin_client, use_account):
        use_account(QUIET_HOURS=("22:00", "08:00"))
        row = queued(priority=Priority.LOW, expires_in=60)
        night = timezone.localtime().replace(hour=23, minute=0) + DAY
        given = {"send_at": f"{night:%Y-%m-%d %H:%M}"} | seen(row)
        response = post(admin_client, row, "reschedule", **given)
        assert "It may never leave" in response.text

    def test_whom_it_does_not_reach_at_the_new_time_is_told(
        self, admin_client, use_account
    ):
        use_account(MOBILE_CAPS={"day": 1})
        row = queued(send_at=timezone.now() + 9 * DAY)
        services.send_sms(MOBILE, "first")
        services.opt_out(OTHER_MOBILE, until=timezone.now() + 3 * DAY)
        other = services.queue_sms(OTHER_MOBILE, "x", send_at=timezone.now() + 9 * DAY)
        for each, words in [(row, "over the cap of its number"), (other, "opted out")]:
            for days, is_told in [(0, True), (5, False)]:
                moment = timezone.localtime() + days * DAY
                typed = f"{moment:%Y-%m-%d %H:%M}" if days else ""
                given = {"send_at": typed} | seen(each)
                html = post(admin_client, each, "reschedule", **given).text
                assert (words in html) is is_told

    def test_right_to_read_is_not_needed_and_number_not_shown(self):
        row, client = queued(), log_in("view", "reschedule")
        assert "5213300" not in page(client, f"{LIST}{row.pk}/reschedule/")
        given = {"send_at": "2099-01-01 10:00", "sure": "1"} | seen(row)
        assert "Changed" in told(post(client, row, "reschedule", **given))


def page_in(language: str, client: Any, url: str) -> str:
    response = client.get(url, headers={"accept-language": language})
    assert response.status_code == 200
    return str(response.text)
