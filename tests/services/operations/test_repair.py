from __future__ import annotations

import pytest

from negin_sms.models import Message
from negin_sms.services.operations.repair import repair_from_log
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db


def line(message: Message, status: str, gateway_id: str = "") -> str:
    return (
        f"2026-11-26 03:12:01 CRITICAL negin_sms SMS result not saved: message="
        f"{message.pk} claim=host:1:abc status={status} gateway_id={gateway_id}\n"
    )


def status(message: Message) -> str:
    message.refresh_from_db()
    return message.status


def test_lines_of_a_log_are_written_and_others_ignored():
    sending, uncertain = MessageFactory(sending=True), MessageFactory(uncertain=True)
    log = ["nothing\n", line(sending, "accepted", "5001"), line(uncertain, "rejected")]
    assert repair_from_log(log).done == 2
    assert (status(sending), sending.gateway_id) == ("accepted", "5001")
    assert sending.poll_at is not None
    assert status(uncertain) == "rejected"


def test_what_was_not_sent_goes_back_to_the_queue():
    message = MessageFactory(sending=True)
    assert repair_from_log([line(message, "queued")]).done == 1
    assert status(message) == "queued"


@pytest.mark.parametrize("said", ["queued", "uncertain"])
def test_a_line_that_knows_no_more_is_told(said):
    message = MessageFactory(uncertain=True)
    report = repair_from_log([line(message, said)])
    assert report.done == 0
    assert report.skipped == ((message.pk, "The line says no more than the message."),)
    assert status(message) == "uncertain"


def test_the_same_log_twice_does_no_harm():
    message = MessageFactory(sending=True)
    log = [line(message, "accepted", "5001")]
    repair_from_log(log)
    (skipped,) = repair_from_log(log).skipped
    assert skipped[0] == message.pk
    assert "Accepted" in skipped[1]


@pytest.mark.parametrize("change", [{"claim": "host:2:def"}, {"status": "rejected"}])
def test_a_row_that_is_another_matter_is_left_alone(change):
    message = MessageFactory(**{"sending": True, **change})
    assert repair_from_log([line(message, "accepted", "5001")]).done == 0
    assert status(message) == change.get("status", "sending")


def test_a_row_that_is_gone_is_told():
    message = MessageFactory(sending=True)
    told = line(message, "accepted", "5001")
    pk = message.pk
    message.delete()
    assert repair_from_log([told]).skipped == (
        (pk, "There is no such message any more."),
    )


def test_a_line_that_was_cut_is_no_line():
    message = MessageFactory(sending=True)
    cut = line(message, "accepted", "5001").partition(" gateway_id")[0]
    assert repair_from_log([cut]).done == 0
    assert status(message) == "sending"
