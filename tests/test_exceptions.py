from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from negin_sms import exceptions
from negin_sms.exceptions import (
    AccountPaused,
    Effect,
    GatewayError,
    IdempotencyConflict,
    InvalidConfiguration,
    InvalidMessage,
    NeginSmsError,
    NotSent,
    OutcomeUnknown,
    Rejected,
    Throttled,
)
from negin_sms.models import Message

GATEWAY_ERRORS = [
    GatewayError,
    NotSent,
    AccountPaused,
    Throttled,
    OutcomeUnknown,
    Rejected,
]


def drawn_parents() -> dict[str, str]:
    """Read the tree of the module's docstring: each class with its parent."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (exceptions.__doc__ or "").splitlines():
        match = re.match(r"([│├└─ ]*)(NeginSmsError$|(?<=─ )[A-Z]\w+)", line)
        if not match or bool(match[1]) != bool(path):
            continue  # prose, or a tree that has not begun
        depth = len(match[1]) // 4
        path = [*path[:depth], match[2]]
        if depth:
            parents[match[2]] = path[depth - 1]
    return parents


def test_tree_is_as_drawn():
    drawn = drawn_parents()
    assert len(drawn) == 10
    for name, parent in drawn.items():
        assert getattr(exceptions, name).__bases__[0] is getattr(exceptions, parent)


def test_every_error_is_drawn():
    classes = {
        name
        for name, value in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(value, Exception) and value.__module__ == exceptions.__name__
    }
    assert classes == {*drawn_parents(), "NeginSmsError", "InvalidConfiguration"}


def test_invalid_message_is_a_value_error():
    assert issubclass(InvalidMessage, ValueError)


def test_invalid_configuration_stands_apart():
    assert issubclass(InvalidConfiguration, ImproperlyConfigured)
    assert not issubclass(InvalidConfiguration, NeginSmsError)


@pytest.mark.parametrize("error_class", [OutcomeUnknown, Rejected])
def test_only_not_sent_promises_that_nothing_was_sent(error_class):
    assert not issubclass(error_class, NotSent)


def test_invalid_message_names_its_field():
    error = InvalidMessage("mobile", _("The mobile number is empty."))
    assert str(error) == "mobile: The mobile number is empty."


def test_invalid_message_names_its_place():
    error = InvalidMessage("text", "The text is empty.")
    error.position = 3
    assert str(error) == "[3] text: The text is empty."


def test_gateway_error_shows_the_gateways_own_words():
    error = Rejected(_("The gateway refuses the line."), code=2, detail="bad line")
    assert str(error) == "The gateway refuses the line. (bad line)"


def test_gateway_error_without_words_is_its_reason():
    assert str(NotSent("Not reached.")) == "Not reached."


@pytest.mark.parametrize("error_class", GATEWAY_ERRORS)
def test_error_counts_against_the_account_unless_told_otherwise(error_class):
    assert error_class("reason").effect is Effect.FAILURE


@pytest.mark.parametrize("error_class", GATEWAY_ERRORS)
@pytest.mark.parametrize("travel", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])
def test_error_travels_without_the_row(error_class, travel):
    error = error_class(
        _("The gateway refuses the line."),
        code=2,
        detail="bad line",
        effect=Effect.PAUSES,
        retry_after=3.0,
    )
    error.advice = "Ask the panel."
    error.message = Message(mobile="+989395213300", text="canary")
    arrived = travel(error)
    assert type(arrived) is error_class
    assert str(arrived) == "The gateway refuses the line. Ask the panel. (bad line)"
    assert vars(arrived) == {
        "reason": "The gateway refuses the line.",
        "code": 2,
        "detail": "bad line",
        "effect": Effect.PAUSES,
        "retry_after": 3.0,
        "advice": "Ask the panel.",
        "message": None,
    }


@pytest.mark.parametrize("error_class", GATEWAY_ERRORS)
def test_pickle_holds_neither_text_nor_number(error_class):
    error = error_class("reason", detail="words")
    error.message = Message(mobile="+989395213300", text="canary")
    pickled = pickle.dumps(error)
    assert b"canary" not in pickled
    assert b"9395213300" not in pickled


def test_travelling_leaves_the_error_itself_its_row():
    error = NotSent("reason")
    error.message = Message(text="x")
    pickle.dumps(error)
    assert error.message is not None


def test_invalid_message_survives_pickling():
    error = InvalidMessage("mobile", _("The mobile number is empty."))
    error.position = 1
    arrived = pickle.loads(pickle.dumps(error))
    assert str(arrived) == str(error)
    assert (arrived.field, arrived.position) == ("mobile", 1)


def test_idempotency_conflict_survives_pickling():
    arrived = pickle.loads(pickle.dumps(IdempotencyConflict("key")))
    assert isinstance(arrived, IdempotencyConflict)
    assert str(arrived) == "key"
