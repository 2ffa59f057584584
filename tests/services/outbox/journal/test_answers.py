"""A result as the journal keeps it, and back."""

from __future__ import annotations

import pytest

from negin_sms import conf
from negin_sms.exceptions import OutcomeUnknown, Rejected
from negin_sms.gateway.codes import SUCCESS
from negin_sms.gateway.wire import SendReply
from negin_sms.services.outbox.jobs import SendResult, make_job
from negin_sms.services.outbox.journal.answers import is_of, to_answer, to_result
from tests.factories import MessageFactory

ROW = MessageFactory.build(pk=7, sending=True)
JOB = make_job(ROW, conf.get_account(), claimed_at=0.0, lease=60.0)
REPLY = SendReply("7001", "9830003300", "", SUCCESS, "")


@pytest.mark.parametrize(
    "result",
    [
        SendResult(JOB, REPLY),
        SendResult(JOB, error=Rejected("no", code=14)),
        SendResult(JOB, error=OutcomeUnknown("?")),
    ],
)
def test_result_comes_back_as_it_was(result):
    back = to_result(to_answer(result), ROW)
    assert (back.status, back.gateway_id) == (result.status, result.gateway_id)
    assert (back.error.code if back.error else None) == (
        result.error.code if result.error else None
    )


def test_neither_number_nor_text_is_kept():
    kept = repr(to_answer(SendResult(JOB, REPLY)))
    assert "9395213300" not in kept
    assert ROW.text not in kept


def test_answer_is_of_its_own_message_only():
    answer = to_answer(SendResult(JOB, REPLY))
    assert is_of(answer, ROW)
    other = MessageFactory.build(pk=7, sending=True, text="other")
    assert not is_of(answer, other)
