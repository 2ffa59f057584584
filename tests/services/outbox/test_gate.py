"""Between the claim and the request: ONLY_TO and the project's own veto."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from negin_sms import services, signals
from negin_sms.choices import Status
from negin_sms.exceptions import NotSent, Vetoed
from negin_sms.gateway import memory
from negin_sms.models import AccountState
from tests.factories import MOBILE, OTHER_MOBILE, MessageFactory

pytestmark = pytest.mark.django_db(transaction=True)

Receive = Callable[[Callable[..., None]], None]


@pytest.fixture
def receive() -> Iterator[Receive]:
    connected: list[Any] = []

    def connect(receiver: Callable[..., None]) -> None:
        connected.append(receiver)
        signals.pre_send.connect(receiver)

    yield connect
    for receiver in connected:
        signals.pre_send.disconnect(receiver)


def refuse(sender, message, **kwargs):
    if message.mobile == MOBILE:
        raise Vetoed("on the project's own list")


def fail(sender, message, **kwargs):
    raise KeyError(message.text)


def test_veto_cancels_and_is_told_to_the_caller(receive):
    receive(refuse)
    with pytest.raises(Vetoed, match="own list") as caught:
        services.send_sms(MOBILE, "x")
    row = caught.value.message
    assert (row.status, row.detail) == (Status.CANCELLED, "on the project's own list")
    assert memory.outbox == []


def test_veto_can_be_silent(receive):
    receive(refuse)
    row = services.send_sms(MOBILE, "x", fail_silently=True)
    assert row.status == Status.CANCELLED


def test_queued_message_is_cancelled_by_a_veto_and_the_others_go(receive):
    receive(refuse)
    bad, good = MessageFactory(mobile=MOBILE), MessageFactory(mobile=OTHER_MOBILE)
    assert services.dispatch_queue().accepted == 1
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.status, good.status) == (Status.CANCELLED, Status.ACCEPTED)


def test_receiver_that_fails_keeps_the_message_for_later(receive, caplog):
    receive(fail)
    with pytest.raises(NotSent, match="KeyError") as caught:
        services.send_sms(MOBILE, "the text")
    row = caught.value.message
    assert (row.status, row.claim, memory.outbox) == (Status.QUEUED, "", [])
    assert "the text" not in caplog.text + str(caught.value) + row.detail


def test_receiver_that_fails_says_nothing_of_the_gateway(receive):
    receive(fail)
    for _ in range(6):
        services.send_sms(MOBILE, "x", fail_silently=True)
    assert not AccountState.objects.get().is_paused


def test_receivers_run_outside_of_transactions_before_the_request(receive):
    seen: list[tuple[bool, str, int]] = []

    def look(sender, message, **kwargs):
        seen.append((connection.in_atomic_block, message.status, len(memory.outbox)))

    receive(look)
    services.send_sms(MOBILE, "x")
    MessageFactory()
    services.dispatch_queue()
    assert seen == [(False, "sending", 0), (False, "sending", 1)]


def test_veto_travels_without_the_row():
    veto = Vetoed("no")
    veto.message = MessageFactory.build()
    again = pickle.loads(pickle.dumps(veto))
    assert (str(again), again.message) == ("no", None)


def test_probe_is_free_again_after_a_veto(receive):
    receive(refuse)
    services.pause_account("default", reason="test")
    AccountState.objects.update(paused_until="2020-01-01T00:00Z")
    services.send_sms(MOBILE, "x", fail_silently=True)
    assert AccountState.objects.get().probe == ""
