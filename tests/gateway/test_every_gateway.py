"""One suite for every gateway: same methods, same refusals, unique ids."""

from __future__ import annotations

import math

import pytest

from negin_sms.exceptions import InvalidMessage, NotSent
from negin_sms.gateway import get_gateway, memory, send_noting
from negin_sms.gateway.wire import SendRequest

REQUEST = SendRequest(mobile="+989395213300", text="سلام", line="9830003300")


@pytest.fixture(params=["client", "memory", "console"])
def gateway(request, sandbox, use_account, settings):
    use_account(sandbox.url)
    if request.param != "client":
        name = f"{request.param.title()}Gateway"
        path = f"negin_sms.gateway.{request.param}.{name}"
        settings.NEGIN_SMS = {"default": {"BACKEND": path, "LINE": "9830003300"}}
    return get_gateway()


def test_accepted_message_echoes_number_and_line(gateway):
    reply = gateway.send(REQUEST)
    assert (reply.mobile, reply.used_line) == ("989395213300", "9830003300")


def test_ids_are_unique_and_above_the_suspicious_ones(gateway):
    ids = {gateway.send(REQUEST).gateway_id for _ in range(5)}
    assert len(ids) == 5
    assert min(map(int, ids)) > 1000


def test_accepted_message_is_delivered_in_the_end(gateway):
    reply = gateway.send(REQUEST)
    assert gateway.states([reply.gateway_id]) == {reply.gateway_id: 1}


def test_sending_is_noted_once(gateway):
    """Whether the class takes the mark itself or knows nothing of it."""
    noted: list[int] = []
    reply = send_noting(
        gateway, REQUEST, start_by=math.inf, on_begin=lambda: noted.append(1)
    )
    assert reply.gateway_id
    assert noted == [1]


def test_what_cannot_be_noted_is_not_sent(gateway, sandbox):
    def fail() -> None:
        raise OSError

    with pytest.raises(NotSent):
        send_noting(gateway, REQUEST, start_by=math.inf, on_begin=fail)
    assert list(memory.outbox) == []
    gateway.send(REQUEST)  # what had left before it would have come by now
    assert len(sandbox.taken) + len(memory.outbox) <= 1


def test_half_filled_scenario_is_refused(gateway):
    with pytest.raises(InvalidMessage) as caught:
        gateway.send(SendRequest(mobile="+989395213300", text="x"))
    assert caught.value.field == "line"
