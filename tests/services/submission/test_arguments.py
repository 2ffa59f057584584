"""What callers hand in: one message or several, and who asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from negin_sms import services
from negin_sms.exceptions import InvalidMessage
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db(transaction=True)

MANY: dict[str, Callable[[Any], Any]] = {
    "cancel": services.cancel,
    "queue_messages": services.queue_messages,
    "refresh_states": services.refresh_states,
    "release": services.release,
    "resend": lambda messages: services.resend(messages, by=None),
    "send_messages": services.send_messages,
}


@pytest.mark.parametrize("name", MANY)
def test_one_message_is_several_of_one(name):
    row = MessageFactory(status="draft")
    report = MANY[name](row)
    counted = report.done if name != "refresh_states" else report.due
    assert counted + len(report.skipped) == 1


@pytest.mark.parametrize("wrong", [8, [8], ["8"], "x", None])
@pytest.mark.parametrize("name", [*MANY, "resolve"])
def test_what_is_no_message_is_refused_by_its_type(name, wrong):
    def resolve(messages):
        return services.resolve(messages, "accepted", by=None, why="x")

    with pytest.raises(InvalidMessage, match="Give a Message, not a value of type"):
        {**MANY, "resolve": resolve}[name](wrong)


@pytest.mark.parametrize(
    "call", [services.why_waiting, lambda m: services.edit(m, by=None)]
)
def test_what_takes_one_refuses_its_number(call):
    with pytest.raises(InvalidMessage, match="not a value of type int"):
        call(8)


def asked_by(user):
    """Yield the calls that say who asked."""
    uncertain, waiting = MessageFactory(uncertain=True), MessageFactory()
    yield lambda: services.edit(waiting, text="new", by=user)
    yield lambda: services.reschedule(waiting, None, by=user)
    yield lambda: services.resolve(uncertain, "accepted", why="x", by=user)
    yield lambda: services.pause_account("default", reason="x", by=user)
    yield lambda: services.resume_account("default", by=user)
    yield lambda: services.opt_out("09395213300", by=user)


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("who", ["admin", get_user_model()(username="unsaved")])
def test_who_asks_is_a_user_who_is_saved(number, who):
    with pytest.raises(InvalidMessage, match="by: Give a user who is saved"):
        list(asked_by(who))[number]()


def test_who_asks_is_in_the_log(caplog):
    boss = get_user_model().objects.create_superuser("boss")
    with caplog.at_level("INFO", "negin_sms"):
        for call in list(asked_by(boss))[:5]:
            call()
    assert caplog.text.count(f"by {boss.pk}") == 3
