"""What an error report may hold."""

from __future__ import annotations

import sys

import pytest
from django.db import IntegrityError
from django.test import RequestFactory
from django.views.debug import ExceptionReporter

from negin_sms.error_reports import hide_values, private

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
        fail(NUMBER)
    except IntegrityError:
        reporter = ExceptionReporter(RequestFactory().get("/"), *sys.exc_info())
    frames = reporter.get_traceback_frames()
    (variables,) = [each["vars"] for each in frames if each["function"] == "fail"]
    assert NUMBER not in str(variables)
