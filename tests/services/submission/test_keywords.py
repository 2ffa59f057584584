"""A wrong keyword, type or choice is refused in the public function's name."""

from __future__ import annotations

import inspect
from datetime import date

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from negin_sms import services
from negin_sms.choices import Priority, Scenario
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message
from negin_sms.services.submission.keywords import read_choice
from tests.factories import MOBILE, MessageFactory

pytestmark = pytest.mark.django_db(transaction=True)

PUBLIC = ["send_sms", "queue_sms", "queue_many", "asend_sms", "aqueue_sms", "resend"]


def refused(call, field, words):
    with pytest.raises(InvalidMessage) as caught:
        call()
    assert caught.value.field == field
    assert words in str(caught.value.reason)
    assert not Message.objects.filter(status="queued").exists()


@pytest.mark.parametrize("name", PUBLIC)
def test_signature_spells_every_keyword_out(name):
    parameters = inspect.signature(getattr(services, name)).parameters.values()
    assert all(p.kind is not p.VAR_KEYWORD for p in parameters)
    assert all(p.annotation is not p.empty for p in parameters)


def test_send_at_is_the_queue_s():
    refused(
        # The type checker says so, too: it would find these two unused.
        lambda: services.send_sms(MOBILE, "x", send_at=timezone.now()),  # type: ignore[call-arg]
        "send_at",
        "send_sms sends now; to send later, call queue_sms",
    )


@pytest.mark.parametrize(
    ("name", "options", "field", "words"),
    [
        ("send_sms", {"expire_in": 3}, "expire_in", "did you mean “expires_in”"),
        ("queue_sms", {"prioritty": 0}, "prioritty", "queue_sms has no such keyword"),
        ("send_sms", {"on_not_sent": "canceled"}, "on_not_sent", "queue, cancel"),
        ("queue_sms", {"scenario": "sngle"}, "scenario", "did you mean “single”"),
        ("queue_sms", {"send_at": 7}, "send_at", ""),
        ("queue_sms", {"created_by": "sara"}, "created_by", "a user who is saved"),
        ("queue_sms", {"expires_in": 3, "expires_at": date.today()}, "expires_at", ""),
    ],
)
def test_wrong_keyword_or_choice_is_named(name, options, field, words):
    refused(lambda: getattr(services, name)(MOBILE, "x", **options), field, words)


@pytest.mark.parametrize("name", ["asend_sms", "aqueue_sms"])
def test_async_twins_refuse_alike(name):
    call = async_to_sync(getattr(services, name))
    refused(lambda: call(MOBILE, "x", expire_in=3), "expire_in", "expires_in")


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([{"mobile": MOBILE, "text": "x"}, (MOBILE, "x")], "messages"),
        ([{"mobile": MOBILE, "text": "x"}, {"mobil": MOBILE, "text": "x"}], "mobil"),
    ],
)
def test_many_name_the_position_too(messages, field):
    with pytest.raises(InvalidMessage) as caught:
        services.queue_many(messages)
    assert (caught.value.field, caught.value.position) == (field, 1)


def test_resend_names_the_nearest_too():
    row = MessageFactory(status="rejected", finished_at=timezone.now())
    refused(
        lambda: services.resend([row], by=None, scenarios="single"),  # type: ignore[call-arg]
        "scenarios",
        "did you mean “scenario”",
    )


@pytest.mark.parametrize(
    ("value", "choices", "read"),
    [
        ("single", Scenario, "single"),
        (Scenario.CHELCHELEH, Scenario, "chelcheleh"),
        (Priority.LOW, Priority, 30),
        (0, Priority, 0),
    ],
)
def test_value_is_plain(value, choices, read):
    assert read_choice("field", value, choices) == read
    assert type(read_choice("field", value, choices)) is type(read)


@pytest.mark.parametrize(
    ("value", "choices", "told"),
    [
        ("singel", Scenario, "did you mean “single”"),
        (None, Scenario, "one of these values: single, "),
        (True, Priority, r"0 \(Urgent\), 10 \(High\), 20 \(Normal\), 30 \(Low\)"),
        (40, Priority, r"30 \(Low\)"),
        ("30", Priority, r"30 \(Low\)"),
    ],
)
def test_what_is_none_is_told_by_name(value, choices, told):
    with pytest.raises(InvalidMessage, match=told) as caught:
        read_choice("field", value, choices)
    assert caught.value.field == "field"
