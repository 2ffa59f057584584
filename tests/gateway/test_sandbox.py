"""The sandbox, spoken to by the real client."""

from __future__ import annotations

import time
from typing import Any

import pytest

from negin_sms.choices import Scenario
from negin_sms.exceptions import AccountPaused, OutcomeUnknown, Rejected, Throttled
from negin_sms.gateway import get_gateway
from negin_sms.gateway.sandbox import CHELCHELEH_LINE, Sandbox
from negin_sms.gateway.scripts import SERVICE_LINE
from negin_sms.gateway.wire import SendRequest


def send(number: str, **fields: Any):
    fields = {"line": "9830003300", **fields}
    request = SendRequest(mobile=f"+98900000{number}", text="hello", **fields)
    return get_gateway().send(request)


def state_of(reply) -> int | None:
    return get_gateway().states([reply.gateway_id]).get(reply.gateway_id)


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize(
    ("number", "state"),
    [("0001", 1), ("0002", 2), ("0003", 16), ("0004", 8), ("0123", 1)],
)
def test_recipient_chooses_the_final_state(number, state):
    assert state_of(send(number)) == state


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize(
    ("number", "error", "code"),
    [
        ("0005", Rejected, 27),
        ("0006", AccountPaused, 14),
        ("0007", AccountPaused, 18),
        ("0008", Throttled, 23),
        ("0010", OutcomeUnknown, None),
        ("0011", Rejected, 1),
    ],
)
def test_recipient_chooses_the_refusal(number, error, code):
    with pytest.raises(error) as caught:
        send(number)
    assert caught.value.code == code


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"scenario": Scenario.SECOND_LINE, "line2": "9830003301"}, "9830003301"),
        ({"scenario": Scenario.CHELCHELEH}, CHELCHELEH_LINE),
        ({"scenario": Scenario.SERVICE_FALLBACK}, SERVICE_LINE),
    ],
)
def test_fallback_shows_in_the_line_of_the_answer(fields, line):
    assert send("0005", **fields).used_line == line


def test_cut_connection_has_taken_the_message(live: Sandbox):
    with pytest.raises(OutcomeUnknown):
        send("0010")
    assert len(live.taken) == 1


def test_slow_recipient_takes_its_time(live: Sandbox):
    started = time.monotonic()
    send("0009")
    assert time.monotonic() - started >= live.slow


def test_states_advance_with_time(use_account):
    with Sandbox(pace=0.2) as sandbox:
        use_account(sandbox.url)
        reply = send("0001")
        seen = [state_of(reply)]
        time.sleep(0.25)
        seen.append(state_of(reply))
        time.sleep(0.2)
        seen.append(state_of(reply))
    assert seen == [0, 8, 1]


@pytest.mark.usefixtures("live")
def test_unknown_id_is_reported_as_minus_one():
    assert get_gateway().states(["777777"]) == {"777777": -1}


def test_given_credentials_are_asked_for(use_account):
    with Sandbox(username="someone", password="else") as sandbox:
        use_account(sandbox.url)
        with pytest.raises(AccountPaused):
            send("0001")
        assert sandbox.taken == []


def test_ids_go_on_after_a_restart():
    form = {"username": "u", "password": "p", "mobile": "989000000001"}
    form |= {"message": "x", "line": "1"}
    with Sandbox() as first, Sandbox() as second:
        first.send(form)
        time.sleep(0.2)
        second.send(form)
    later = Sandbox()
    later.stop()
    later.send(form)
    assert later.taken[0].gateway_id > first.taken[0].gateway_id
    assert int(first.taken[0].gateway_id) > 1000


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"mobile": "0939"}, 1),
        ({"message": "  "}, 13),
        ({"line": ""}, 2),
        ({"type": "7"}, 25),
        ({"password": ""}, 18),
    ],
)
def test_faulty_forms_get_the_codes_of_the_contract(change, code):
    sandbox = Sandbox()
    sandbox.stop()
    form = {"username": "u", "password": "p", "mobile": "989000000001"}
    answer = sandbox.send({**form, "message": "x", "line": "1", **change})
    assert answer is not None
    assert answer["status"] == code
