"""A person's decisions: what it was, and whether to send it again."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.exceptions import (
    InvalidMessage,
    NeginSmsError,
)
from negin_sms.models import Message
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db


def test_resend_makes_one_linked_row_however_often():
    user = get_user_model()._default_manager.create(username="staff")
    old = MessageFactory(uncertain=True, idempotency_key="k", text="again")
    assert services.resend([old], by=user).done == 1
    report = services.resend([old], by=user)
    assert (report.done, report.skipped) == (
        0,
        ((old.pk, "It was sent again already."),),
    )
    new = Message.objects.get(resend_of=old)
    assert (new.status, new.text, new.created_by) == ("queued", "again", user)
    assert new.idempotency_key is None
    old.refresh_from_db()
    assert old.status == Status.UNCERTAIN


@pytest.mark.parametrize("status", [Status.ACCEPTED, Status.QUEUED, Status.SENDING])
def test_resend_leaves_what_is_not_uncertain_or_rejected(status):
    row = MessageFactory(status=status)
    assert services.resend([row], by=None).done == 0
    assert Message.objects.count() == 1


def test_resend_by_a_way_that_is_none_is_refused_and_not_skipped():
    row = MessageFactory(status=Status.CANCELLED)
    with pytest.raises(InvalidMessage, match="did you mean “chelcheleh”"):
        services.resend(row, by=None, scenario="chelchele")


def test_resend_of_a_row_that_is_gone():
    row = MessageFactory()
    pk = row.pk
    row.delete()
    row.pk = pk
    assert "no such message" in services.resend([row], by=None).skipped[0][1]


class TestResolve:
    def test_accepted_with_id_is_polled(self):
        row = MessageFactory(uncertain=True)
        services.resolve(
            row, "accepted", by=None, why="seen in the panel", gateway_id="7001"
        )
        assert (row.status, row.gateway_id) == (Status.ACCEPTED, "7001")
        assert row.detail == "seen in the panel"
        assert row.poll_at is not None

    def test_accepted_without_id_and_rejected_are_not(self):
        for status in ("accepted", "rejected"):
            row = MessageFactory(uncertain=True)
            services.resolve(row, status, by=None, why="the customer called")
            assert (row.status, row.poll_at) == (status, None)

    def test_is_refused_where_nothing_is_uncertain(self):
        row = MessageFactory(accepted=True)
        with pytest.raises(NeginSmsError, match="is not uncertain"):
            services.resolve(row, "rejected", by=None, why="x")
        assert row.status == Status.ACCEPTED

    @pytest.mark.parametrize(
        ("field", "arguments"),
        [
            ("status", {"status": "queued", "why": "x"}),
            ("why", {"status": "accepted", "why": " "}),
            ("gateway_id", {"status": "rejected", "why": "x", "gateway_id": "7001"}),
            ("gateway_id", {"status": "accepted", "why": "x", "gateway_id": "14"}),
            ("gateway_id", {"status": "accepted", "why": "x", "gateway_id": "7001 "}),
        ],
    )
    def test_needs_a_decision_that_fits(self, field, arguments):
        row = MessageFactory(uncertain=True)
        with pytest.raises(InvalidMessage) as caught:
            services.resolve(row, by=None, **arguments)
        assert caught.value.field == field


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status": "draft"}, "It is a draft: a person confirms or discards it."),
        ({"status": "held"}, "It is held: a person releases or cancels it."),
        ({}, "It waits in the queue and will be sent: it is not sent again."),
        ({"sending": True}, "It may arrive yet, or has arrived: it is not sent again."),
        (
            {"accepted": True},
            "It may arrive yet, or has arrived: it is not sent again.",
        ),
    ],
)
def test_what_is_not_over_is_skipped_in_fitting_words(fields, words):
    row = MessageFactory(**fields)
    ((_pk, why),) = services.resend([row], by=None).skipped
    assert why == words
