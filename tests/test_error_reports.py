"""What an error report may hold."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from traceback import walk_tb

import pytest
from asgiref.sync import sync_to_async
from django.db import IntegrityError, connections
from django.test import RequestFactory
from django.views.debug import ExceptionReporter

from negin_sms import services
from negin_sms.error_reports import hide_values, private
from negin_sms.exceptions import InvalidMessage

NUMBER = "+989395213300"


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (f"Duplicate entry 'default-{NUMBER}' for key 'k'", "Duplicate entry '…' for"),
        (f"bad key\nDETAIL:  Key (mobile)=({NUMBER})", "bad key"),
        (f'invalid input: "{NUMBER}"', "invalid input: …"),
    ],
)
def test_databases_do_not_quote_the_row(said, left):
    error = IntegrityError(said)
    error.__cause__ = ValueError(said)
    hide_values(error)
    assert str(error).startswith(left)
    assert NUMBER not in f"{error} {error.__cause__}"


def test_number_of_the_error_stays():
    error = IntegrityError(1062, "Duplicate entry 'x' for key 'k'")
    hide_values(error)
    assert error.args[0] == 1062


@private
def fail(mobile: str) -> None:
    raise IntegrityError(f"Duplicate entry '{mobile}' for key 'k'")


def test_report_shows_no_variable_of_what_is_private(settings):
    settings.DEBUG = False
    with pytest.raises(IntegrityError):
        fail(NUMBER)
    try:
        fail(f"{NUMBER}")
    except IntegrityError:
        reporter = ExceptionReporter(RequestFactory().get("/"), *sys.exc_info())
    frames = reporter.get_traceback_frames()
    assert frames[-1]["function"] == "fail"
    assert NUMBER not in str([each["vars"] for each in frames])


def rows(mobile: str) -> Iterator[str]:
    yield fetch(mobile)


def fetch(mobile: str) -> str:
    raise ValueError("no number" if mobile else "")


@private
def fail_in_a_generator(mobile: str) -> None:
    list(rows(mobile))


@pytest.mark.parametrize("debug", [False, True])
def test_frames_keep_no_variable_for_any_reporter(settings, debug):
    settings.DEBUG = debug
    with pytest.raises(ValueError, match="no number") as caught:
        fail_in_a_generator(NUMBER)
    kept = {each.name: dict(each.locals) for each in caught.traceback[2:]}
    assert (kept["fetch"] == {}) is not debug
    assert (NUMBER in str(kept)) is debug


@private
def fail_for_a_reason(mobile: str) -> None:
    try:
        fetch(mobile)
    except ValueError as error:
        raise KeyError from error


def test_frames_of_the_cause_keep_none_either(settings):
    settings.DEBUG = False
    with pytest.raises(KeyError) as caught:
        fail_for_a_reason(NUMBER)
    cause = caught.value.__cause__
    assert cause is not None
    frames = list(walk_tb(cause.__traceback__))
    assert frames
    assert not any(frame.f_locals for frame, _line in frames)


@private
def refuse(mobile: str) -> None:
    raise KeyError(mobile[:0])


@pytest.mark.django_db(transaction=True)
def test_coroutine_of_the_caller_goes_on(settings):
    """It handles an error of its own, and asks us meanwhile (before Python 3.13)."""
    settings.DEBUG = False

    async def charge() -> None:
        raise ValueError

    async def view() -> str:
        amount = "7"
        try:
            await charge()
        except ValueError:
            with pytest.raises(InvalidMessage):
                await services.aqueue_sms("no number", "x")
        await sync_to_async(connections.close_all)()  # of a thread that is not ours
        return amount

    assert asyncio.run(view()) == "7"


def test_generator_of_the_caller_goes_on(settings):
    settings.DEBUG = False

    def steps() -> Iterator[int]:
        number = 1
        try:
            refuse(NUMBER)
        except KeyError:
            yield number
            yield number + 1

    running = steps()
    assert next(running) == 1
    with pytest.raises(KeyError):
        refuse(NUMBER)
    assert next(running) == 2
