"""What the app tells a project."""

from __future__ import annotations

import pytest
from django.dispatch import Signal

from negin_sms import services, signals
from negin_sms.models import Message

NAMES = {name for name, each in vars(signals).items() if isinstance(each, Signal)}


@pytest.mark.django_db(transaction=True)
def test_a_sent_message_is_told_before_and_after():
    told = []

    def hear(sender, message, signal, **more):
        told.append((sender, signal, message.status))

    for signal in (signals.pre_send, signals.message_accepted):
        signal.connect(hear)
    try:
        services.send_sms("09395213300", "hello")
    finally:
        for signal in (signals.pre_send, signals.message_accepted):
            signal.disconnect(hear)
    assert told == [
        (Message, signals.pre_send, "sending"),
        (Message, signals.message_accepted, "accepted"),
    ]


def test_the_signals_are_the_documented_ones():
    assert {
        "pre_send",
        "message_accepted",
        "message_rejected",
        "message_uncertain",
        "state_changed",
        "message_settled",
    } == NAMES
