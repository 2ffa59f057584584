"""Whatever the gateway answers can be written: no row is stranded (T6)."""

from __future__ import annotations

import itertools
import json

import pytest

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.gateway import memory, wire
from negin_sms.models import DeliveryState, Message
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db(transaction=True)

ODD = [
    *(
        "\0",
        "\ud800",
        "a\0b\ud83d",
        "\u202e\u2066x",
        "😀" * 300,
        "ی" * 5000,
        "\x1b[31m",
    ),
    *(0, 1, 14, 1000, 1001, -1, -7, 2**31, 2**63, 2**64, 10**31, 10**32, 10**400),
    *(
        1.5,
        -1.0,
        1e308,
        True,
        False,
        None,
        [],
        {},
        [1],
        {"a": 1},
        "",
        " ",
        "null",
        "NaN",
    ),
    *("-1", "+7001", "۷۰۰۱", "7" * 32, "7" * 33, "7" * 400),
]
RAW = [
    *(b"", b"\xff\xfe\x00", b"<html>", b"null", b"[]", b'"-1"', b"-1", b"[" * 200_000),
    *(b'{"status": NaN}', b'{"status": 1e999}', b'{"status": -1, "data": "\\ud800"}'),
    b'{"status": ' + b"9" * 5000 + b"}",
    "{}".encode("utf-16"),
    "وضعيت".encode("cp1256"),
]
SOUND = {"message_id": 7001, "line": 9830003300, "mobile": "989395213300"}


def answers() -> list[bytes]:
    """Return every odd value in every place of an answer."""
    whole = {"data": SOUND, "status": -1, "msg": "success"}
    odd: list[dict[str, object]] = []
    for value in ODD:
        odd += [{**whole, name: value} for name in whole]
        odd += [{**whole, "data": {**SOUND, name: value}} for name in SOUND]
    return [json.dumps(answer).encode() for answer in odd] + RAW


class Odd(memory.MemoryGateway):
    """Read the next odd answer as the real gateway's client would."""

    bodies = itertools.cycle(answers())
    states_bodies = itertools.cycle([b"{}"])

    def send(self, request, *, start_by=0.0):
        return wire.decode_send(next(self.bodies))

    def states(self, ids):
        return wire.decode_states(next(self.states_bodies))


def test_no_answer_strands_a_row(use_account, monkeypatch):
    use_account(BACKEND="tests.test_oddities.Odd")
    # One by one, so that the breaker does not keep the rest in the queue.
    monkeypatch.setattr("negin_sms.services.breaker.FAILURES_IN_A_ROW", 10**9)
    for _ in answers():
        services.send_sms("09395213300", "x", fail_silently=True)
        services.resume_account("default")
    rows = Message.objects.all()
    assert rows.count() == len(answers()) > 200
    ended = {Status.ACCEPTED, Status.REJECTED, Status.UNCERTAIN, Status.QUEUED}
    assert set(rows.values_list("status", flat=True)) == ended
    for row in rows.filter(status=Status.ACCEPTED):
        assert row.gateway_id.isdigit()
        assert int(row.gateway_id) > 1000


@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_no_states_answer_harms_a_row(use_account, value):
    use_account(BACKEND="tests.test_oddities.Odd")
    row = MessageFactory(accepted=True, gateway_id="7001")
    places = [(value, "1"), ("7001", value), (["7001"], [value]), (value, value)]
    Odd.states_bodies = itertools.cycle(
        json.dumps({"data": {"msgIds": ids, "states": states}, "status": -1}).encode()
        for ids, states in places
    )
    for _ in places:
        services.refresh_states([row])
    row.refresh_from_db()
    assert row.status == Status.ACCEPTED
    assert all(
        -(2**31) <= code < 2**31
        for code in DeliveryState.objects.values_list("code", flat=True)
    )
