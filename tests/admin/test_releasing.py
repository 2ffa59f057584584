"""Held messages are released by who may, one or many, as they were shown."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.gateway.memory import outbox
from negin_sms.models import Message
from negin_sms.services.submission.seen import digest
from tests.admin.test_messages import (
    LIST,
    act,
    change_url,
    confirm,
    log_in,
    make,
    page,
    told,
)

pytestmark = pytest.mark.django_db


def hold(count: int) -> list[Message]:
    rows = [make(status=Status.QUEUED) for _ in range(count)]
    services.hold_queue(reason="restored")
    return rows


def statuses() -> list[str]:
    return list(Message.objects.order_by("pk").values_list("status", flat=True))


def test_chosen_ones_leave_and_it_is_written_down(admin_client):
    rows = hold(2)
    question = act(admin_client, "release_selected", rows[:1])
    assert "it may arrive twice" in question.text
    response = confirm(admin_client, question)
    assert "1 message was released" in told(response)
    assert statuses() == [Status.QUEUED, Status.HELD]
    entry = LogEntry.objects.get()
    assert (entry.object_id, "Release" in entry.change_message) == (
        str(rows[0].pk),
        True,
    )


def test_button_stands_on_the_page_of_a_held_message_only():
    client = log_in("view", "release")
    (held,) = hold(1)
    waiting = make(status=Status.QUEUED)
    assert "/release/" in page(client, change_url(held))
    assert "/release/" not in page(client, change_url(waiting))


def test_button_is_for_those_with_the_right():
    (held,) = hold(1)
    assert "/release/" not in page(log_in("view", "send"), change_url(held))


@pytest.mark.parametrize("rights", [["send"], ["send", "release"]])
def test_send_lets_it_leave_for_those_with_both_rights(rights):
    (held,) = hold(1)
    client = log_in("view", *rights)
    may_send = "release" in rights
    assert ("/send/" in page(client, change_url(held))) is may_send
    url = f"{LIST}{held.pk}/send/"
    question = client.get(url)
    data = {"ids": held.pk, "seen": digest(Message.objects.all())}
    response = client.post(url, data, follow=True)
    codes = (question.status_code, response.status_code)
    assert codes == ((200, 200) if may_send else (403, 403))
    assert ("it may arrive twice" in question.text) is may_send
    assert (statuses() == [Status.ACCEPTED]) is may_send


def test_send_of_many_leaves_out_what_is_held_without_the_right():
    rows = [*hold(1), make(status=Status.QUEUED)]
    question = act(log_in("view", "send"), "send_selected", rows)
    assert "1 message is left out" in told(question)
    assert f'name="ids" value="{rows[1].pk}"' in question.text
    assert "it may arrive twice" not in question.text


def test_held_while_the_question_was_read_it_is_asked_again_with_the_advice(
    admin_client,
):
    row = make(status=Status.QUEUED)
    question = admin_client.get(f"{LIST}{row.pk}/send/")
    services.hold_queue(reason="restored")
    response = confirm(admin_client, question)
    assert "it may arrive twice" in response.text
    assert statuses() == [Status.HELD]


def test_what_was_edited_meanwhile_is_shown_again(admin_client):
    (row,) = hold(1)
    question = admin_client.get(f"{LIST}{row.pk}/release/")
    services.edit(row, by=None, text="Another text")
    response = confirm(admin_client, question)
    assert "Somebody changed these messages meanwhile" in told(response)
    assert "Another text" in response.text
    confirm(admin_client, response)
    assert statuses() == [Status.QUEUED]


def test_among_others_only_the_held_ones_count(admin_client):
    rows = [*hold(1), make(status=Status.QUEUED)]
    question = act(admin_client, "release_selected", rows)
    assert "1 message will be skipped" in question.text
    response = confirm(admin_client, question)
    assert "1 message was released" in told(response)
    assert "Not released" in told(response)


def test_pressed_twice_it_is_released_once(admin_client):
    (row,) = hold(1)
    question = admin_client.get(f"{LIST}{row.pk}/release/")
    confirm(admin_client, question)
    response = confirm(admin_client, question)
    assert "Its status does not allow it" in told(response)
    assert statuses() == [Status.QUEUED]


class TestHeldWithATime:
    """A time holds for what is held, too: "Send" lets it go at that time."""

    LATER = timezone.now() + timedelta(days=2)

    def make(self, **fields: object) -> Message:
        times = {"send_at": self.LATER, "due_at": self.LATER}
        return make(status=Status.HELD, **times | fields)

    def test_send_releases_it_for_its_time(self, admin_client):
        held = self.make()
        question = admin_client.get(f"{LIST}{held.pk}/send/")
        assert "It has a time, and leaves then" in question.text
        assert "it may arrive twice" in question.text
        assert "1 message is scheduled" in told(confirm(admin_client, question))
        held.refresh_from_db()
        assert (held.status, held.due_at) == (Status.QUEUED, held.send_at)
        assert outbox == []

    def test_sending_it_now_instead_takes_its_own_button(self, admin_client):
        held = self.make()
        question = admin_client.get(f"{LIST}{held.pk}/send/")
        confirm(admin_client, question, now="1")
        assert [sent.mobile for sent in outbox] == [held.mobile]

    def test_among_others_it_is_counted_and_keeps_its_time(self, admin_client):
        rows = [self.make(), make(), make(send_at=self.LATER)]
        question = act(admin_client, "send_selected", rows)
        assert "2 messages have times of their own" in question.text
        confirm(admin_client, question)
        assert statuses() == [Status.QUEUED, Status.ACCEPTED, Status.QUEUED]
        assert len(outbox) == 1

    def test_what_is_over_is_not_said_to_be_scheduled(self, admin_client):
        held = self.make(expires_at=timezone.now())
        question = admin_client.get(f"{LIST}{held.pk}/send/")
        words = told(confirm(admin_client, question))
        assert "Not sent (1 message" in words
        assert "is scheduled" not in words
        assert (statuses(), outbox) == ([Status.HELD], [])
