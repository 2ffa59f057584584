"""What a message that was not sent is said to become, and what can be done."""

from __future__ import annotations

import pytest

from negin_sms.choices import Status
from negin_sms.services.dispatch.advice import advice_on, fate_of
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("status", "becomes", "advice"),
    [
        (Status.QUEUED, "will be sent until", "send_messages([error.message]) tries"),
        (Status.HELD, "once somebody releases it", "release([error.message]) does so"),
        (Status.CANCELLED, "will not be sent", ""),
    ],
)
def test_fits_where_the_row_stands(status, becomes, advice):
    message = MessageFactory(status=status)
    assert becomes in fate_of(message)
    assert advice_on(message).startswith(advice)
    assert bool(advice_on(message)) == bool(advice)
