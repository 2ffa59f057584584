"""The gateway of test suites: what it keeps and what it refuses."""

from __future__ import annotations

import time

import pytest

from negin_sms.exceptions import NotSent, OutcomeUnknown, Rejected
from negin_sms.gateway import get_gateway, memory
from negin_sms.gateway.wire import SendRequest

REQUEST = SendRequest(mobile="+989395213300", text="سلام", line="9830003300")


def test_memory_keeps_the_form_as_it_would_be_posted():
    get_gateway().send(REQUEST)
    (sent,) = memory.outbox
    assert sent.form == {
        "mobile": "989395213300",
        "message": "سلام",
        "line": "9830003300",
    }
    assert "9395213300" not in repr(sent)
    assert "سلام" not in repr(sent)


def test_memory_knows_nothing_of_other_ids():
    assert get_gateway().states(["5001"]) == {}


def test_empty_text_is_refused_as_the_gateway_does():
    with pytest.raises(Rejected) as caught:
        get_gateway().send(SendRequest(mobile="+989395213300", text=" ", line="98"))
    assert caught.value.code == 13
    assert list(memory.outbox) == []


def test_what_is_too_late_is_not_kept():
    with pytest.raises(NotSent):
        get_gateway().send(REQUEST, start_by=time.monotonic() - 1)
    assert list(memory.outbox) == []


def test_lost_answer_has_kept_the_message():
    memory.outbox.lose_answer()
    with pytest.raises(OutcomeUnknown):
        get_gateway().send(REQUEST)
    assert len(memory.outbox) == 1


def test_clearing_forgets_the_orders_too():
    memory.outbox.refuse(27)
    memory.outbox.clear()
    assert get_gateway().send(REQUEST).gateway_id
