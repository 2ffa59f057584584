"""The one door: each move happens from where it may, and once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.models import Message
from negin_sms.services.outbox import transitions
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
ENDED = {"finished_at": timezone.now(), "gateway_id": "5001"}
ROWS = {
    status: ENDED if status in ("accepted", "rejected", "uncertain") else {}
    for status in Status.values
}
ROWS["sending"] = {"attempts": 1}


def claim(rows):
    return transitions.claim(rows, "me", conf.get_account(), 60)


MOVES = {
    "queue": (transitions.queue, {"draft"}, "queued"),
    "claim": (claim, {"queued"}, "sending"),
    "unclaim": (transitions.unclaim, {"sending"}, "queued"),
    "put_off": (
        lambda rows: transitions.put_off(rows, timezone.now(), "quiet"),
        {"sending"},
        "queued",
    ),
    "stop": (lambda rows: transitions.stop(rows, "no"), {"sending"}, "cancelled"),
    "cancel": (
        lambda rows: transitions.cancel(rows, "no"),
        {"draft", "queued", "held"},
        "cancelled",
    ),
    "expire": (transitions.expire, {"queued", "held"}, "expired"),
    "hold": (lambda rows: transitions.hold(rows, "restored"), {"queued"}, "held"),
    "release": (transitions.release, {"held"}, "queued"),
    "expire_claim": (
        lambda rows: transitions.expire_claim(rows, "ran out"),
        {"sending"},
        "uncertain",
    ),
    "resolve": (
        lambda rows: transitions.resolve(rows, Status.ACCEPTED, "seen"),
        {"uncertain", "sending"},
        "accepted",
    ),
}


@pytest.mark.parametrize("move", MOVES)
def test_move_happens_from_its_own_statuses_only(move):
    act, sources, target = MOVES[move]
    rows = {status: MessageFactory(status=status, **ROWS[status]) for status in ROWS}
    assert act(Message.objects.all()) == len(sources)
    moved = {Message.objects.get(pk=rows[status].pk).status for status in sources}
    assert moved == {target}
    for status in set(ROWS) - sources:
        rows[status].refresh_from_db()
        assert rows[status].status == status


def test_lifetime_of_a_draft_begins_when_it_is_due():
    later = timezone.now() + HOUR
    draft = MessageFactory(status="draft", send_at=later, expires_at=None or later)
    Message.objects.update(expires_at=draft.due_at + 2 * HOUR)
    transitions.queue(Message.objects.all())
    draft.refresh_from_db()
    assert (draft.due_at, draft.expires_at) == (later, later + 2 * HOUR)


def test_released_message_leaves_when_it_wished_to():
    later = timezone.now() + HOUR
    wished, old = (
        MessageFactory(status="held", send_at=at) for at in (later, later - 2 * HOUR)
    )
    over = MessageFactory(status="held", expires_at=timezone.now() - HOUR)
    assert transitions.release(Message.objects.all()) == 2
    for row in (wished, old, over):
        row.refresh_from_db()
    assert (wished.due_at, over.status) == (later, "held")
    assert abs(old.due_at - timezone.now()) < timedelta(minutes=1)


def test_expired_claim_keeps_its_name_for_late_evidence():
    row = MessageFactory(sending=True, claim="web1:7:abc")
    transitions.expire_claim(Message.objects.all(), "ran out")
    row.refresh_from_db()
    assert (row.claim, row.claimed_until, row.detail) == ("web1:7:abc", None, "ran out")
    assert row.finished_at is not None
