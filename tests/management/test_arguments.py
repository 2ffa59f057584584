from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError
from django.db import IntegrityError

from negin_sms.management.commands._arguments import (
    age,
    count,
    key,
    moment,
    plain_errors,
    seconds,
)


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("250", 250)])
def test_counts_are_read(text, value):
    assert count(text) == value


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", ""])
def test_other_counts_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="whole number from 1"):
        count(text)


def test_number_of_a_message_is_one_that_the_database_can_hold():
    assert key("12") == 12
    for text in ("9" * 30, "-1", "x", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="message's number"):
            key(text)


@pytest.mark.parametrize(("text", "value"), [("0.5", 0.5), ("30", 30.0)])
def test_seconds_are_read(text, value):
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "x"])
def test_other_seconds_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="number above 0"):
        seconds(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-11-22", datetime(2026, 11, 21, 20, 30, tzinfo=UTC)),
        ("2026-11-22T12:00", datetime(2026, 11, 22, 8, 30, tzinfo=UTC)),
        ("1405/09/01 12:00", datetime(2026, 11, 22, 8, 30, tzinfo=UTC)),
        ("2026-11-22T12:00Z", datetime(2026, 11, 22, 12, 0, tzinfo=UTC)),
    ],
)
def test_moments_are_in_the_projects_zone_unless_they_name_one(text, value):
    assert moment(text) == value


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "1404/12/30", ""])
def test_other_moments_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match=r"date|day"):
        moment(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("90d", timedelta(days=90)),
        ("12h", timedelta(hours=12)),
        ("30M", timedelta(minutes=30)),
        ("۳۰d", timedelta(days=30)),
    ],
)
def test_ages_are_read(text, value):
    assert age(text) == value


@pytest.mark.parametrize(
    "text", ["", "90", "d", "0d", "-1d", "1.5h", "3 weeks", "9e9d"]
)
def test_other_ages_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="give an age such as 90d"):
        age(text)


def test_a_database_error_quotes_no_row():
    """Cron mails what a command says: PostgreSQL's DETAIL holds number and text."""
    said = "violates a check\nDETAIL:  Failing row contains (1, 09395213300, secret)."
    with pytest.raises(CommandError, match="violates a") as caught, plain_errors():
        raise IntegrityError(said)
    assert "secret" not in str(caught.value)
