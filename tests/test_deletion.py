"""What becomes of a row whose other row is deleted."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from negin_sms.models import Message
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db


def test_link_of_the_resent_message_is_emptied():
    old = MessageFactory(uncertain=True)
    new = MessageFactory(resend_of=old)
    Message.objects.filter(pk=old.pk).delete()
    new.refresh_from_db()
    assert new.resend_of_id is None


def test_links_are_looked_up_by_their_index():
    old = MessageFactory(uncertain=True)
    with CaptureQueriesContext(connection) as asked:
        Message.objects.filter(pk=old.pk).delete()
    (update,) = [each["sql"] for each in asked if each["sql"].startswith("UPDATE")]
    assert "> 0" in update
