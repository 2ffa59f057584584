from __future__ import annotations

import itertools

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from negin_sms.choices import Scenario
from negin_sms.exceptions import InvalidMessage
from negin_sms.gateway import wire
from negin_sms.gateway.memory import outbox
from negin_sms.models import AccountState, CapCount, DeliveryState, Message
from negin_sms.services import dispatch_queue, queue_sms
from tests.factories import MOBILE, MessageFactory

pytestmark = pytest.mark.django_db

COMBINATIONS = list(
    itertools.product(
        Scenario.values, ["", "9830003300"], ["", "9830003301"], [None, 0]
    )
)


@pytest.mark.parametrize(("scenario", "line", "line2", "template"), COMBINATIONS)
def test_database_and_wire_agree_on_the_scenarios(scenario, line, line2, template):
    fields = {"line": line, "line2": line2, "template": template}
    try:
        wire.check_fields(scenario, **fields)
    except InvalidMessage:
        with pytest.raises(IntegrityError), transaction.atomic():
            MessageFactory(scenario=scenario, **fields)
    else:
        MessageFactory(scenario=scenario, **fields)


def test_empty_idempotency_keys_may_repeat():
    rows = [MessageFactory(idempotency_key="") for _ in range(2)]
    assert [row.idempotency_key for row in rows] == [None, None]


def test_idempotency_key_is_unique_in_an_account_only():
    MessageFactory(idempotency_key="order-1")
    MessageFactory(idempotency_key="order-1", account="other")
    with pytest.raises(IntegrityError), transaction.atomic():
        MessageFactory(idempotency_key="order-1")


def test_gateway_id_may_repeat():
    MessageFactory(accepted=True, gateway_id="7001")
    MessageFactory(accepted=True, gateway_id="7001")


def test_message_names_itself_without_number_and_text():
    row = MessageFactory(text="my secret")
    assert "0939•••3300" in str(row)
    assert "9395213300" not in str(row) + repr(row)
    assert "secret" not in str(row) + repr(row)


def test_a_message_is_sent_again_once():
    old = MessageFactory(uncertain=True)
    MessageFactory(resend_of=old)
    with pytest.raises(IntegrityError), transaction.atomic():
        MessageFactory(resend_of=old)


def test_settled_without_last_word_has_no_report():
    row = MessageFactory(accepted=True, state=8)
    assert row.state_words == "At the operator"
    row.settled_at = row.created_at
    assert row.state_words == "No report"
    row.state = 1
    assert row.state_words == "Delivered"


def test_delivery_state_and_account_say_what_they_are():
    row = MessageFactory(accepted=True)
    report = DeliveryState(message=row, code=1, reported_at=row.created_at)
    assert str(report).startswith("Delivered (")
    assert str(AccountState(account="bulk")) == "bulk"


def test_cap_count_shows_no_number():
    of_number = CapCount(account="default", mobile=MOBILE, messages=3)
    assert MOBILE not in str(of_number)
    assert str(of_number).endswith(": 3")
    assert str(CapCount(account="default", messages=3)) == "default: 3"


def test_index_names_fit_every_database():
    names = [index.name for index in Message._meta.indexes]
    names += [constraint.name for constraint in Message._meta.constraints]
    assert max(map(len, names)) <= 30


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's plan")
def test_queue_and_poll_use_their_indexes():
    queue = Message.objects.due().filter(account="default", priority=20)
    assert "negin_sms_queue" in queue.order_by("due_at", "id").explain()
    assert "poll_at" in Message.objects.due_for_poll().order_by("poll_at").explain()
    assert "negin_sms_" in Message.objects.overdue().explain()


class TestSave:
    """An instance never moves its row: that is for the services (S1)."""

    def test_stale_instance_sends_nothing_twice(self):
        message = queue_sms(MOBILE, "x")
        dispatch_queue()
        message.source = "note"
        message.save()
        dispatch_queue()
        row = Message.objects.get()
        assert (row.status, row.source, len(outbox)) == ("accepted", "note", 1)

    def test_status_that_was_set_by_hand_is_not_written(self):
        message = queue_sms(MOBILE, "x")
        dispatch_queue()
        message.refresh_from_db()
        message.status = "queued"
        message.save()
        dispatch_queue()
        assert len(outbox) == 1

    @pytest.mark.parametrize("name", ["status", "due_at", "claim", "mobile", "text"])
    def test_fields_of_the_services_are_refused_by_name(self, name):
        message = MessageFactory(accepted=True)
        with pytest.raises(ValueError, match=f"does not write {name}"):
            message.save(update_fields=[name])

    def test_draft_may_be_changed_while_it_is_one(self):
        draft = MessageFactory(status="draft")
        draft.text = "new"
        draft.save()
        assert Message.objects.get().text == "new"
        Message.objects.update(status="queued")
        draft.text = "newer"
        words = "did not affect any rows"
        with pytest.raises(DatabaseError, match=words), transaction.atomic():
            draft.save()
        assert Message.objects.get().text == "new"

    @pytest.mark.parametrize("status", ["draft", "queued", "held"])
    def test_database_keeps_what_was_sent_from_waiting_again(self, status):
        MessageFactory(accepted=True)
        with pytest.raises(IntegrityError), transaction.atomic():
            Message.objects.update(status=status)
