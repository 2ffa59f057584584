"""The digest of what somebody saw before they said yes."""

from __future__ import annotations

import pytest

from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message
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


def test_what_does_not_leave_may_change(rows):
    seen = digest(rows)
    rows.update(group="spring")
    refuse_changed(rows, seen)
