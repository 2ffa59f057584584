"""Pausing an account by hand, and resuming it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from negin_sms import conf, services
from negin_sms.exceptions import (
    InvalidConfiguration,
    InvalidMessage,
    NeginSmsError,
    NotSent,
)
from negin_sms.models import AccountState
from negin_sms.services import breaker

pytestmark = pytest.mark.django_db


def account() -> AccountState:
    return AccountState.objects.get()


def _permit() -> breaker.Permit:
    return breaker.admit(conf.get_account(), "c", using="default")


def test_pause_by_hand_lasts_until_resumed():
    services.pause_account("default", reason="maintenance")
    breaker.note(_permit(), [NotSent("down")] * 9, using="default")
    assert account().paused_until is None
    assert account().is_paused
    assert services.resume_account("default")
    assert not AccountState.objects.exclude(paused_at=None).exists()
    assert not services.resume_account("default")


def test_log_does_not_tell_of_the_end_of_a_pause_that_was_none(caplog):
    services.resume_account("default")
    assert "was not paused" in caplog.text
    services.pause_account("default", reason="maintenance")
    services.resume_account("default")
    assert "was resumed (by -)" in caplog.text


def test_pause_by_hand_takes_a_jalali_end():
    services.pause_account("default", reason="maintenance", until="1470/01/01 12:00")
    until = AccountState.objects.get().paused_until
    assert until.isoformat() == "2091-03-21T08:30:00+00:00"


@pytest.mark.parametrize(
    "over", [datetime(1405, 9, 10), "1405/01/01 12:00", "1470/01/01", "-5 minutes"]
)
def test_pause_that_would_be_over_at_once_or_on_some_day_is_refused(over):
    if over == "-5 minutes":
        over = timezone.now() - timedelta(minutes=5)
    with pytest.raises(InvalidMessage) as caught:
        services.pause_account("default", reason="maintenance", until=over)
    assert caught.value.field == "until"
    assert not AccountState.objects.exclude(paused_at=None).exists()


def test_pause_by_hand_needs_a_reason_and_a_known_account():
    with pytest.raises(NeginSmsError, match="reason"):
        services.pause_account("default", reason=" ")
    with pytest.raises(InvalidConfiguration):
        services.pause_account("nobody", reason="x")
