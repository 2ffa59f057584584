"""One request for states: what it brings, and how answers are put together."""

from __future__ import annotations

import pytest
from django.utils import timezone

from negin_sms.exceptions import NotSent, OutcomeUnknown
from negin_sms.services.delivery.poll_request import PollResult, ask, batches
from negin_sms.services.delivery.states import PollTarget


def targets(count: int) -> list[PollTarget]:
    return [PollTarget(pk, str(9000 + pk), timezone.now()) for pk in range(count)]


def test_states_that_were_not_asked_for_are_left_out(gateway):
    gateway.strays = {"9001": {"9007": 2}}
    gateway.codes = {"9000": 1}
    result = ask(gateway, targets(2))
    assert result.states == {"9000": 1, "9007": 2}
    assert dict(result.own_states()) == {"9000": 1}


def test_errors_are_results_without_the_way_they_came(gateway):
    gateway.error = NotSent("down")
    result = ask(gateway, targets(1))
    assert result.error is gateway.error
    assert result.error.__traceback__ is None


@pytest.mark.parametrize("error", [KeyError("secret"), RuntimeError("secret")])
def test_fault_of_a_gateway_class_is_told_by_its_kind_only(gateway, error):
    gateway.error = error
    result = ask(gateway, targets(1))
    assert isinstance(result.error, OutcomeUnknown)
    assert result.error.detail == type(error).__name__


@pytest.mark.parametrize("said", [None, 1, ["9000"]])
def test_gateway_class_that_gives_no_states_has_failed(gateway, monkeypatch, said):
    monkeypatch.setattr(gateway, "states", lambda ids: said)
    assert isinstance(ask(gateway, targets(1)).error, OutcomeUnknown)


def test_answers_are_written_a_thousand_messages_at_a_time():
    results = [PollResult(targets(400)) for _ in range(5)]
    assert [len(batch) for batch in batches(results)] == [2, 2, 1]


def test_failures_are_nothing_to_write():
    failed = PollResult(targets(3), error=NotSent("down"))
    assert list(batches([failed])) == []
