"""A person's decisions: what an uncertain message was."""

from __future__ import annotations

import pytest

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.exceptions import (
    InvalidMessage,
    NeginSmsError,
)
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db


class TestResolve:
    def test_accepted_with_id_is_polled(self):
        row = MessageFactory(uncertain=True)
        services.resolve(
            row, "accepted", by=None, why="seen in the panel", gateway_id="7001"
        )
        assert (row.status, row.gateway_id) == (Status.ACCEPTED, "7001")
        assert row.detail == "seen in the panel"
        assert row.poll_at is not None

    def test_id_of_another_message_is_refused(self):
        """Else neither is asked about any more, for the sake of a slip."""
        other = MessageFactory(accepted=True, gateway_id="7001")
        row = MessageFactory(uncertain=True)
        with pytest.raises(InvalidMessage, match=f"Message {other.pk} has this") as e:
            services.resolve(row, "accepted", by=None, why="x", gateway_id="7001")
        row.refresh_from_db()
        other.refresh_from_db()
        assert e.value.field == "gateway_id"
        assert (row.status, other.flag) == (Status.UNCERTAIN, "")

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
