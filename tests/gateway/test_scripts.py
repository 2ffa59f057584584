"""Orders of tests: the memory gateway and the sandbox carry them out alike."""

from __future__ import annotations

import time

import pytest

from negin_sms.choices import State
from negin_sms.exceptions import (
    AccountPaused,
    InvalidMessage,
    NotSent,
    OutcomeUnknown,
    Rejected,
    Throttled,
)
from negin_sms.gateway import get_gateway, memory
from negin_sms.gateway.memory import outbox
from negin_sms.gateway.wire import SendRequest

FIRST, SECOND = "+989395213300", "+989395213301"


@pytest.fixture(params=["memory", "sandbox"])
def stand_in(request, sandbox, use_account):
    """Return what takes the orders; the default account talks to it."""
    if request.param == "memory":
        return outbox
    use_account(sandbox.url)
    return sandbox


def send(mobile=FIRST, text="سلام"):
    request = SendRequest(mobile=mobile, text=text, line="9830003300")
    return get_gateway().send(request).gateway_id


def states(*ids):
    return get_gateway().states(ids)


@pytest.mark.parametrize(
    ("code", "error"), [(27, Rejected), (14, AccountPaused), (23, Throttled)]
)
def test_refusal_is_the_codes(stand_in, code, error):
    stand_in.refuse(code, to="0939 521 3300")
    with pytest.raises(error) as caught:
        send()
    assert caught.value.code == code
    assert send(SECOND)


def test_order_holds_so_many_times(stand_in):
    stand_in.throttle(times=2)
    for _ in range(2):
        with pytest.raises(Throttled):
            send()
    assert send()


def test_last_order_wins(stand_in):
    stand_in.refuse(27)
    stand_in.refuse(1, to=FIRST)
    for mobile, code in [(FIRST, 1), (SECOND, 27)]:
        with pytest.raises(Rejected) as caught:
            send(mobile)
        assert caught.value.code == code


def test_lost_answer_leaves_the_outcome_open_and_the_message_taken(stand_in):
    stand_in.lose_answer(to=FIRST)
    with pytest.raises(OutcomeUnknown):
        send()
    taken = outbox if stand_in is outbox else stand_in.taken
    assert len(taken) == 1


def test_states_come_one_after_the_other_and_the_last_stays(stand_in):
    stand_in.report(State.UNKNOWN, State.AT_OPERATOR, State.UNDELIVERED, to=FIRST)
    first, second = send(), send(SECOND)
    seen = [states(first, second) for _ in range(4)]
    assert [each[first] for each in seen] == [0, 8, 2, 2]
    assert [each[second] for each in seen] == [1, 1, 1, 1]


def test_state_of_one_id(stand_in):
    first, second = send(), send()
    stand_in.report(16, gateway_id=second)
    assert states(first, second) == {first: 1, second: 16}


def test_gateway_may_say_nothing_of_a_message(stand_in):
    stand_in.report(None, to=FIRST)
    first, second = send(), send(SECOND)
    assert states(first, second) == {second: 1}


def test_empty_text_is_refused(stand_in):
    with pytest.raises(Rejected) as caught:
        send(text=" ")
    assert caught.value.code == 13


def test_what_the_service_line_sent_names_its_line(stand_in):
    request = SendRequest(mobile=FIRST, text="x", scenario="service_line")
    assert get_gateway().send(request).used_line == "9850001333"


def test_nothing_is_sent_once_its_time_is_over(stand_in):
    request = SendRequest(mobile=FIRST, text="x", line="98")
    with pytest.raises(NotSent):
        get_gateway().send(request, start_by=time.monotonic() - 1)
    assert outbox == []


def test_orders_that_say_nothing_are_refused(stand_in):
    for code in (-1, 0, "27", True):
        with pytest.raises(ValueError, match="code above 0"):
            stand_in.refuse(code)
    for states in ([], ["delivered"], [[8, 1]]):
        with pytest.raises(ValueError, match="Give states"):
            stand_in.report(*states)
    for times in (0, "2", 1.5):
        with pytest.raises(ValueError, match="times, from 1"):
            stand_in.lose_answer(times=times)
    with pytest.raises(InvalidMessage):
        stand_in.refuse(27, to="021")


def test_outbox_forgets_its_orders_with_its_messages():
    outbox.refuse(27)
    outbox.report(2)
    outbox.clear()
    assert states(send()) == {outbox[0].gateway_id: 1}


def test_outbox_shows_neither_number_nor_text():
    send()
    outbox.refuse(27, to=FIRST)
    shown = repr(outbox) + repr(outbox._orders)
    assert "9395213300" not in shown
    assert "سلام" not in shown


def test_outbox_tells_what_was_asked_for():
    request = SendRequest(
        mobile=FIRST, text="x", scenario="service_fallback", line="98", template=0
    )
    get_gateway().send(request)
    (sent,) = memory.outbox
    assert (sent.account, sent.mobile, sent.text) == ("default", FIRST, "x")
    assert (sent.scenario, sent.line, sent.line2) == ("service_fallback", "98", "")
    assert (sent.template, sent.form["type"]) == (0, "2")
