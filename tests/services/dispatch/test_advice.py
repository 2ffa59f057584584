"""What a message that was not sent is said to become, and what can be done."""

from __future__ import annotations

from datetime import timedelta

import pytest

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.services.dispatch.advice import advice_on, fate_of
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("status", "becomes", "advice"),
    [
        (Status.QUEUED, "is tried until", "send_messages([error.message]) tries"),
        (Status.HELD, "once somebody releases it", "release([error.message]) does so"),
        (Status.CANCELLED, "will not be sent", ""),
    ],
)
def test_fits_where_the_row_stands(status, becomes, advice):
    message = MessageFactory(status=status)
    assert becomes in fate_of(message)
    assert advice_on(message).startswith(advice)
    assert bool(advice_on(message)) == bool(advice)


def test_says_so_where_its_time_is_over_before_it_may_leave():
    """As within quiet hours that last longer than it does."""
    message = MessageFactory(status=Status.QUEUED)
    message.due_at = message.expires_at
    assert "will not be sent by itself" in fate_of(message)
    message.due_at -= timedelta(seconds=1)
    assert "is tried until" in fate_of(message)


def test_says_so_where_it_will_be_cancelled():
    message = MessageFactory(status=Status.QUEUED)
    services.opt_out(message.mobile, account="default")
    assert "opted out of account default. (it is cancelled" in fate_of(message)
