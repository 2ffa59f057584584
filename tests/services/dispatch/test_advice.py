"""What a message that was not sent is said to become, by where it was sent from."""

from __future__ import annotations

import pytest

from negin_sms.choices import Status
from negin_sms.services.dispatch.advice import advice_on
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("source", "status", "said"),
    [
        ("", Status.QUEUED, "send_messages([error.message]) tries now"),
        ("", Status.HELD, "release([error.message]) does so"),
        ("command", Status.QUEUED, "manage.py dispatch_sms_queue sends what is due"),
        ("command", Status.HELD, "manage.py hold_sms_queue --release"),
        ("command", Status.CANCELLED, "was cancelled and will not be sent"),
    ],
)
def test_advice_fits_where_it_is_read(source, status, said):
    advice = advice_on(MessageFactory(source=source, status=status))
    assert said in advice
    assert ("error.message" in advice) == (not source)
