"""Signals: who is told what, when, and what a receiver's fault does not do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from negin_sms import services, signals
from negin_sms.choices import State, Status
from negin_sms.exceptions import Rejected
from negin_sms.models import Message
from negin_sms.querysets import DbNow
from negin_sms.services.announcements import announce_states
from tests.factories import MOBILE, MessageFactory

pytestmark = pytest.mark.django_db(transaction=True)

SIGNALS = (
    "message_accepted",
    "message_rejected",
    "message_uncertain",
    "state_changed",
    "message_settled",
)


class Ear:
    """Hears everything; notes name, key, status and state, and the transaction."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int, Any]] = []
        self.in_transaction: list[bool] = []
        self._receivers: dict[str, Any] = {}

    def listen(self, name: str) -> None:
        def hear(sender: Any, message: Message, **kwargs: Any) -> None:
            self.in_transaction.append(connection.in_atomic_block)
            extra = kwargs.get("previous") if name == "state_changed" else None
            self.heard.append((name, message.pk, extra))

        self._receivers[name] = hear
        getattr(signals, name).connect(hear)

    def leave(self) -> None:
        for name, hear in self._receivers.items():
            getattr(signals, name).disconnect(hear)


@pytest.fixture
def ear() -> Iterator[Ear]:
    ear = Ear()
    for name in SIGNALS:
        ear.listen(name)
    yield ear
    ear.leave()


def poll():
    Message.objects.filter(poll_at__isnull=False).update(poll_at=DbNow())
    return services.poll_states()


def test_send_and_poll_tell_of_each_step(ear):
    row = services.send_sms(MOBILE, "x")
    poll()
    assert ear.heard == [
        ("message_accepted", row.pk, None),
        ("state_changed", row.pk, None),
        ("message_settled", row.pk, None),
    ]
    assert not any(ear.in_transaction)


@pytest.mark.parametrize(
    ("mobile", "signal"),
    [("09000000005", "message_rejected"), ("09000000010", "message_uncertain")],
)
def test_endings_have_their_signal(ear, sandbox, use_account, mobile, signal):
    use_account(sandbox.url)
    row = services.send_sms(mobile, "x", fail_silently=True)
    assert ear.heard == [(signal, row.pk, None)]


def test_message_that_stays_queued_is_no_news(ear, use_account):
    use_account("http://127.0.0.1:9/api")
    services.send_sms(MOBILE, "x", fail_silently=True)
    assert ear.heard == []


def test_the_message_is_as_it_is_after_the_change(ear):
    seen: list[tuple[str, int | None]] = []

    def look(sender: Any, message: Message, **kwargs: Any) -> None:
        seen.append((message.status, message.state))

    signals.state_changed.connect(look)
    services.send_sms(MOBILE, "x")
    poll()
    signals.state_changed.disconnect(look)
    assert seen == [(Status.ACCEPTED, State.DELIVERED)]


def test_previous_state_is_told(ear):
    row = services.send_sms(MOBILE, "x")
    Message.objects.update(state=State.AT_OPERATOR)
    poll()
    assert ("state_changed", row.pk, State.AT_OPERATOR) in ear.heard


def test_rescue_tells_of_uncertain_messages(ear):
    row = MessageFactory(sending=True, claimed_until=DbNow())
    services.expire_claims()
    assert ear.heard == [("message_uncertain", row.pk, None)]


def test_person_in_a_transaction_is_announced_after_commit(ear):
    row = MessageFactory(uncertain=True)
    with transaction.atomic():
        services.resolve(row, "rejected", by=None, why="panel")
        assert ear.heard == []
    assert ear.heard == [("message_rejected", row.pk, None)]
    assert not any(ear.in_transaction)


def test_rolled_back_decision_is_not_announced(ear):
    row = MessageFactory(uncertain=True)
    with transaction.atomic():
        services.resolve(row, "accepted", by=None, why="panel")
        transaction.set_rollback(True)
    assert ear.heard == []


def test_receiver_that_raises_stops_nothing_and_is_logged(ear, caplog):
    def fail(**kwargs: Any) -> None:
        raise RuntimeError("receiver")

    signals.message_accepted.connect(fail)
    signals.state_changed.connect(fail)
    rows = [services.send_sms(MOBILE, "x") for _ in range(2)]
    report = poll()
    signals.message_accepted.disconnect(fail)
    signals.state_changed.disconnect(fail)
    assert report.settled == len(rows)
    assert [r.levelname for r in caplog.records if r.name == "django.dispatch"] == [
        "ERROR"
    ] * 4


def test_signals_cost_no_query_when_nobody_listens(django_assert_num_queries):
    row = MessageFactory(accepted=True)
    with django_assert_num_queries(0):
        announce_states({row.pk: None}, "default")


def test_id_that_came_twice_settles_both(ear, use_account):
    first = MessageFactory(accepted=True, gateway_id="7001")
    second = MessageFactory(uncertain=True)
    # By a line of the log: the gateway itself said it twice.
    said = {"claim": second.claim, "gateway_id": "7001"}
    services.resolve(second, "accepted", by=None, why="log", **said)
    settled = [pk for name, pk, _extra in ear.heard if name == "message_settled"]
    assert sorted(settled) == [first.pk, second.pk]


def test_send_inside_a_receiver_of_its_own_outcome_ends_there(live, caplog):
    def send_again(sender: Any, message: Message, **kwargs: Any) -> None:
        services.send_sms("09000000005", "again", sensitive=True)  # no opt-out stops it

    signals.message_rejected.connect(send_again)
    try:
        with pytest.raises(Rejected):
            services.send_sms("09000000005", "x")
    finally:
        signals.message_rejected.disconnect(send_again)
    assert Message.objects.filter(status=Status.REJECTED).count() == 2
    assert "its outcome ended a loop of receivers" in caplog.text
