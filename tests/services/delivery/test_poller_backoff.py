"""Trouble at the states endpoint, and whom it concerns."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from negin_sms import services
from negin_sms.exceptions import (
    AccountPaused,
    Effect,
    GatewayError,
    NotSent,
    OutcomeUnknown,
    Throttled,
)
from negin_sms.gateway import wire
from negin_sms.models import AccountState, Message
from negin_sms.querysets import DbNow
from tests.badgateway import BadGateway
from tests.factories import MessageFactory

pytestmark = [pytest.mark.long, pytest.mark.django_db]

FRONT_DOOR = AccountPaused("refused at the door", effect=Effect.TRIPS)
TROUBLE = [
    NotSent("down"),
    OutcomeUnknown("html"),
    FRONT_DOOR,
    Throttled("busy", code=23, effect=Effect.THROTTLES),
    *(wire.refusal(code, "no") for code in (12, 14, 16, 17, 22, 409)),
]
CREDENTIALS = [wire.refusal(code, "no") for code in (18, 19)]


def state() -> AccountState:
    return AccountState.objects.get()


def poll_again(gateway) -> int:
    """Poll with everything due; return the requests."""
    Message.objects.filter(status="accepted").update(poll_at=DbNow())
    before = len(gateway.asked)
    services.poll_states()
    return len(gateway.asked) - before


def wait_is_over() -> None:
    AccountState.objects.update(poll_after=DbNow())


@pytest.mark.parametrize("error", TROUBLE, ids=str)
def test_trouble_delays_asking_and_never_sending(gateway, error: GatewayError):
    MessageFactory(accepted=True)
    gateway.error = error
    for _ in range(6):
        wait_is_over()
        poll_again(gateway)
    assert not state().is_paused
    assert state().poll_after > timezone.now()
    assert services.send_sms("09395213300", "x").status == "accepted"


@pytest.mark.parametrize("error", CREDENTIALS, ids=str)
def test_wrong_password_stops_both(gateway, error: GatewayError):
    MessageFactory(accepted=True)
    gateway.error = error
    assert poll_again(gateway) == 1
    assert state().is_paused
    assert poll_again(gateway) == 0
    services.resume_account("default")
    assert poll_again(gateway) == 1


def pause_sending(code: int) -> None:
    from negin_sms.gateway import memory

    memory.outbox.refuse(code)
    with pytest.raises(AccountPaused):
        services.send_sms("09395213300", "x")
    assert state().is_paused


@pytest.mark.parametrize("code", [12, 14, 16, 17, 22])
def test_account_that_cannot_pay_can_still_read(gateway, code: int):
    pause_sending(code)
    MessageFactory(accepted=True)
    assert poll_again(gateway) == 1


@pytest.mark.parametrize("code", [18, 19])
def test_password_that_sending_found_wrong_is_not_tried_on_states(gateway, code: int):
    pause_sending(code)
    MessageFactory(accepted=True)
    assert poll_again(gateway) == 0


def test_delay_doubles_from_seconds_to_a_quarter_of_an_hour(gateway):
    MessageFactory(accepted=True)
    gateway.error = NotSent("down")
    waits = []
    for _ in range(9):
        wait_is_over()
        poll_again(gateway)
        waits.append(round((state().poll_after - timezone.now()).total_seconds()))
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 900]


def test_retry_after_is_waited_for(gateway):
    MessageFactory(accepted=True)
    gateway.error = Throttled("busy", effect=Effect.THROTTLES, retry_after=120)
    poll_again(gateway)
    assert state().poll_after - timezone.now() > timedelta(seconds=110)


def test_answer_ends_the_delay(gateway):
    MessageFactory(accepted=True)
    gateway.error = NotSent("down")
    poll_again(gateway)
    gateway.error = None
    wait_is_over()
    poll_again(gateway)
    found = state()
    assert (found.poll_after, found.poll_failures, found.poll_error) == (None, 0, "")


def test_run_during_the_delay_says_why_it_asks_nothing(gateway):
    MessageFactory(accepted=True)
    gateway.error = NotSent("down")
    services.poll_states()
    (said,) = services.poll_states().errors
    assert "default: It is not asked for delivery states" in said
    assert "down" in said


def test_failed_turn_is_noted_once(gateway):
    MessageFactory.create_batch(30, accepted=True)
    gateway.error = NotSent("down")
    report = services.poll_states(batch_size=1)
    assert (state().poll_failures, len(report.errors)) == (1, 1)


def test_fault_of_our_own_delays_nothing(gateway):
    MessageFactory(accepted=True)
    gateway.error = NotSent("no thread", effect=Effect.IGNORED)
    poll_again(gateway)
    assert state().poll_after is None


@pytest.mark.parametrize("status", [404, 413, 500, 429])
def test_http_errors_of_the_states_endpoint(use_account, status: int):
    with BadGateway(f"status_{status}") as server:
        use_account(server.url)
        MessageFactory(accepted=True)
        assert services.poll_states().put_off == 1
    assert not state().is_paused
    assert state().poll_failures == 1
