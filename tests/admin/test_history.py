"""The page of a message's history: what was done to it, and to all of its batch."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.utils import timezone

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.models import Message
from negin_sms.services.submission.seen import digest
from tests.admin.test_composing import confirm, draft
from tests.admin.test_messages import make

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/negin_sms/message/"


def entries(client, message: Message) -> list[tuple[str, str]]:
    """Return who did what, by the page."""
    html = client.get(f"{LIST}{message.pk}/history/").text
    rows = re.findall(r"<tr>\s*<th.*?</tr>", html, re.DOTALL)
    cells = [re.findall(r"<td>(.*?)</td>", row, re.DOTALL) for row in rows]
    return [(row[0].strip(), row[1].strip()) for row in cells if row]


def test_message_of_a_batch_tells_who_wrote_and_who_sent_it(admin_client, client):
    sender = get_user_model()._default_manager.create_superuser("sender", "", "x")
    group = draft(admin_client)
    client.force_login(sender)
    confirm(client, group)
    message = Message.objects.earliest("pk")
    (writer, written), (who, sent) = entries(client, message)
    assert (writer, who) == ("admin", "sender")
    assert "draft" in written
    assert "queued" in sent


def test_history_of_another_batch_is_not_among_it(admin_client):
    draft(admin_client)
    assert entries(admin_client, make(group="another")) == []
    assert entries(admin_client, make(group="")) == []


@pytest.mark.parametrize("page", ["change", "edit"])
def test_message_stays_in_the_batch_whose_history_is_its_own(admin_client, page):
    group = draft(admin_client)
    (message,) = Message.objects.all()
    if page == "edit":
        services.queue_messages([message])
    wish = {"account": "default", "mobile": message.mobile, "text": "Another"}
    seen = digest(Message.objects.all())
    wish |= {"scenario": "single", "priority": "20", "group": "other", "seen": seen}
    admin_client.post(f"{LIST}{message.pk}/{page}/", wish)
    message.refresh_from_db()
    assert (message.text, message.group) == ("Another", group)
    assert group in admin_client.get(f"{LIST}{message.pk}/change/").text


def test_message_that_is_put_to_a_batch_has_none_of_before_it_was_there(admin_client):
    group = draft(admin_client)
    LogEntry.objects.update(action_time=timezone.now() - timedelta(minutes=2))
    assert entries(admin_client, make(group=group)) == []


def test_message_that_was_sent_again_has_none_of_before_it_was_there(admin_client):
    confirm(admin_client, draft(admin_client))
    Message.objects.update(status=Status.REJECTED, finished_at=timezone.now())
    old = Message.objects.get()
    services.resend(old, by=None)
    assert len(entries(admin_client, old)) == 2
    assert entries(admin_client, Message.objects.latest("pk")) == []


def test_history_is_as_long_as_it_is(admin_client, admin_user):
    message = make(group="batch")
    for n in range(101):
        LogEntry.objects.log_actions(admin_user.pk, [message], CHANGE, f"step {n}")
    html = admin_client.get(f"{LIST}{message.pk}/history/").text
    assert "step 99" in html
    assert "step 100" not in html
    assert "step 100" in admin_client.get(f"{LIST}{message.pk}/history/?p=2").text
