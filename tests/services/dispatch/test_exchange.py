"""The exchange of one message: it never raises, and says whose fault it was."""

from __future__ import annotations

from negin_sms import conf
from negin_sms.exceptions import AccountPaused, OutcomeUnknown, Rejected
from negin_sms.gateway import memory
from negin_sms.gateway.codes import CODES, Verdict
from negin_sms.services.dispatch.exchange import exchange
from negin_sms.services.outbox.jobs import SendJob, make_job
from tests.factories import MessageFactory


class Failing(memory.MemoryGateway):
    def __init__(self, error: Exception) -> None:
        super().__init__(conf.get_account())
        self.error = error

    def send(self, request, **kwargs):
        raise self.error


def job(**fields) -> SendJob:
    row = MessageFactory.build(pk=7, sending=True, **fields)
    return make_job(row, conf.get_account(), claimed_at=1e9, lease=60)


def test_fault_of_a_gateway_class_may_have_been_sent(caplog):
    error = exchange(Failing(KeyError("+989395213300")), job()).error
    assert isinstance(error, OutcomeUnknown)
    assert error.detail == "KeyError"
    assert "9395213300" not in caplog.text


def test_refused_line_is_the_fault_of_who_named_it():
    code = next(key for key, each in CODES.items() if each.verdict is Verdict.LINE)
    refusing = Failing(Rejected("line", code=code))
    own = conf.get_account().line
    assert type(exchange(refusing, job(line="98300")).error) is Rejected
    assert type(exchange(refusing, job(line=own)).error) is AccountPaused


def test_length_of_the_exchange_is_known():
    assert exchange(memory.MemoryGateway(conf.get_account()), job()).seconds >= 0
