"""A claimed message as plain values, and how its exchange ended."""

from __future__ import annotations

import pytest

from negin_sms import conf
from negin_sms.exceptions import AccountPaused, NotSent, OutcomeUnknown, Rejected
from negin_sms.gateway.wire import SendReply
from negin_sms.services.outbox.jobs import SendResult, make_job
from tests.factories import MessageFactory


def job():
    row = MessageFactory.build(pk=7, sending=True)
    return make_job(row, conf.get_account(), claimed_at=100.0, lease=60.0)


def test_message_is_not_begun_past_half_of_its_lease():
    assert job().start_by == 130.0


def test_number_and_text_are_in_no_repr():
    assert "9395213300" not in repr(job().request)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "accepted"),
        (NotSent("x"), "queued"),
        (AccountPaused("x"), "queued"),
        (Rejected("x", code=14), "rejected"),
        (OutcomeUnknown("x"), "uncertain"),
    ],
)
def test_ending_of_the_exchange_is_the_status(error, status):
    reply = None if error else SendReply("7001", "", "", 0, "")
    result = SendResult(job(), reply, error)
    assert (result.status, result.gateway_id) == (status, "" if error else "7001")
