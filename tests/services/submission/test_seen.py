"""The digest of what somebody saw before they said yes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from negin_sms import conf
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message
from negin_sms.services import edit, hold_queue
from negin_sms.services.outbox import transitions
from negin_sms.services.submission.seen import digest, refuse_changed
from tests.factories import OTHER_MOBILE, MessageFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def rows():
    MessageFactory.create_batch(2, status="draft")
    return Message.objects.all()


def test_same_messages_have_the_same_digest_in_any_order(rows):
    assert digest(rows.order_by("pk")) == digest(rows.order_by("-pk"))


@pytest.mark.parametrize(
    "change", [{"text": "y"}, {"mobile": OTHER_MOBILE}, {"line": "1"}, {"priority": 0}]
)
def test_what_leaves_otherwise_is_refused(rows, change):
    seen = digest(rows)
    rows.filter(pk=rows[0].pk).update(**change)
    with pytest.raises(InvalidMessage, match="look at them again") as caught:
        refuse_changed(rows, seen)
    assert caught.value.field == "seen"


def test_line_of_the_account_counts_too(rows, use_account):
    seen = digest(rows)
    use_account(LINE="9830009999")
    assert digest(rows) != seen


@pytest.mark.parametrize("status", ["draft", "queued", "held"])
def test_another_lifetime_is_refused(status):
    row = MessageFactory(status=status)
    seen = digest(Message.objects.all())
    edit(row, by=None, expires_in=120)
    assert digest(Message.objects.all()) != seen


def test_what_the_gate_and_a_try_put_off_is_what_was_seen():
    row = MessageFactory(line="", default_line=True)
    rows = Message.objects.filter(pk=row.pk)
    seen = digest(rows)
    transitions.claim(rows, "host:1:a", conf.get_account(), 60)
    refuse_changed(rows, seen)  # while it is being sent
    transitions.put_off(rows, timezone.now() + timedelta(hours=1), "no connection")
    refuse_changed(rows, seen)


def test_what_somebody_else_queued_meanwhile_is_what_was_seen(rows):
    seen = digest(rows)
    transitions.queue(rows)
    refuse_changed(rows, seen)


def test_what_is_held_meanwhile_may_have_been_sent_and_is_shown_again():
    MessageFactory()
    seen = digest(Message.objects.all())
    hold_queue(reason="restored")
    assert digest(Message.objects.all()) != seen


def test_what_does_not_leave_may_change(rows):
    seen = digest(rows)
    rows.update(group="spring")
    refuse_changed(rows, seen)
