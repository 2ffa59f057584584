"""Odd answers all the way to the database: each leaves its row where one can act.

A gateway class decodes the bytes as the real client does. That the decoder raises
nothing of its own is test_wire.py's; here the rest of the way is walked, on every
database: no row stays in ``sending``, and nothing raises.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.exceptions import GatewayError
from negin_sms.gateway import get_gateway, http_status, memory, wire
from negin_sms.models import AccountState, DeliveryState, Message
from negin_sms.querysets import database_now
from negin_sms.services import breaker
from negin_sms.services.delivery.states import PollTarget, set_aside, write_states
from negin_sms.services.dispatch.exchange import exchange
from negin_sms.services.outbox.jobs import SendResult, make_job
from negin_sms.services.outbox.results import record
from tests.factories import MessageFactory

pytestmark = [pytest.mark.long, pytest.mark.django_db]

# JSON values, some of which no JSON library would write.
TEXTS = {
    "NUL": r'"\u0000a\u0000"',
    "raw NUL": '"\0"',
    "lone high surrogate": r'"\ud800"',
    "lone low surrogate": r'"a\udfff"',
    "split pair": r'"\ud83d x \ude00"',
    "surrogate at the cut": '"' + "x" * 499 + r'\ud83d"',
    "emoji": '"' + "👩‍👩‍👧‍👦" * 80 + '"',
    "override": '"\u202egnitirw\u202c \u2066x\u2069"',
    "line breaks": r'"a\r\n\u2028\u2029\u0085b"',
    "persian": '"' + "پيام\u200cها ۱۲۳ " * 90 + '"',
    "combining": '"' + "e\u0301\u0327" * 400 + '"',
    "noncharacter": '"\uffff\U0010ffff"',
    "markup": '"<script>alert(1)</script>%s{0}"',
    "quoting": r'"\\\"; DROP TABLE negin_sms_message; --"',
    "very long": '"' + "y" * 60_000 + '"',
    "empty": '""',
    "spaces": '" \u3000 "',
}
NUMBERS = {
    "2^31": str(2**31),
    "-2^31": str(-(2**31)),
    "2^63": str(2**63),
    "2^63 as text": f'"{2**63}"',
    "2^64 - 1": str(2**64 - 1),
    "10^31": "1" + "0" * 31,
    "10^31 as text": '"1' + "0" * 31 + '"',
    "10^32": "1" + "0" * 32,
    "10^32 as text": '"1' + "0" * 32 + '"',
    "5,000 digits": "9" * 5000,
    "NaN": "NaN",
    "infinity": "-Infinity",
    "1e400": "1e400",
    "fraction": "6062.5",
    "minus zero": "-0",
    "negative": "-6062",
    "persian digits": '"۶۰۶۲"',
}
OTHERS = {
    "null": "null",
    "true": "true",
    "object": '{"a": {"b": [1, "\\ud800"]}}',
    "array": "[[[[1]]]]",
}
ODD = {**TEXTS, **NUMBERS, **OTHERS}
USUAL = {
    "status": "-1",
    "msg": '"success"',
    "message_id": "6062",
    "line": '"9830003300"',
    "mobile": '"989395213300"',
}


def said(**fields: str) -> bytes:
    """Return the answer of a send; ``surrogatepass`` lets raw surrogates through."""
    values = {**USUAL, **fields}
    data = ", ".join(f'"{k}": {values[k]}' for k in ("message_id", "line", "mobile"))
    text = (
        f'{{"data": {{{data}}}, "status": {values["status"]}, "msg": {values["msg"]}}}'
    )
    return text.encode("utf-8", "surrogatepass")


WHOLE = {
    "empty": b"",
    "NULs": b"\0" * 600,
    "no UTF-8": b'{"status": -1, "msg": "\xff\xfe\x80", "data": null}',
    "encoded surrogate": said(msg='"\ud800"'),
    "UTF-16": said().decode().encode("utf-16"),
    "cp1256": said(msg='"سلام"').decode().encode("cp1256"),
    "byte order mark": b"\xef\xbb\xbf" + said(),
    "200,000 brackets": b"[" * 200_000,
    "deep in data": said(message_id="[" * 50_000),
    "cut short": said()[:-9],
    "two answers": said() * 2,
    "keys twice": b'{"status": 14, "status": -1, "data": {"message_id": 6062}}',
    "other case": b'{"Status": -1, "Data": {"Message_ID": 6062}, "MSG": "\\u0000"}',
    "just a number": b"6062",
    "just text": '"\u202e"'.encode(),
    "HTML": "<html>خطا \u202e\x00</html>".encode() * 500,
}
STATUSES = {
    "unknown code": said(status="777", msg='"\\ud800\\u0000"'),
    "largest code": said(status=str(2**31 - 1)),
    "smallest code": said(status=str(-(2**31))),
    "refused at length": said(status="27", msg=TEXTS["very long"]),
    "no credit in NULs": said(status="14", msg=TEXTS["NUL"]),
    "throttled in surrogates": said(status="23", msg=TEXTS["lone high surrogate"]),
    "an error for an id": said(message_id="14", msg=TEXTS["override"]),
}


def answers() -> Iterator[tuple[str, int, bytes]]:
    """Yield a name, an HTTP status and a body for each odd answer."""
    for field, (name, value) in itertools.product(USUAL, ODD.items()):
        yield f"{name} for {field}", 200, said(**{field: value})
    for name, body in {**WHOLE, **STATUSES}.items():
        yield name, 200, body
        yield f"{name}, HTTP 500", 500, body
    for http in (204, 302, 400, 403, 404, 409, 429, 503, 999):
        yield f"HTTP {http}", http, said(msg=TEXTS["NUL"])
        yield f"HTTP {http}, no JSON", http, WHOLE["HTML"]


ANSWERS = list(answers())


class Decoding(memory.MemoryGateway):
    """Answer the n-th message with the n-th odd answer, read as the client reads it."""

    def send(self, request, *, start_by=0.0):
        _name, status, body = ANSWERS[int(request.text)]
        error = http_status.decode_http(status, "9" * 400, body)
        if error is not None:
            raise error
        return wire.decode_send(body)


@pytest.fixture
def account(use_account) -> conf.Account:
    use_account(BACKEND="tests.guarantees.test_oddities.Decoding")
    return conf.get_account()


def ending_of(number: int, account: conf.Account) -> SendResult:
    row = MessageFactory(sending=True, text=str(number))
    job = make_job(row, account, claimed_at=0.0, lease=account.lease)
    return exchange(get_gateway(), job)


def test_there_are_enough_of_them():
    assert len(ANSWERS) >= 200
    assert len({name for name, _status, _body in ANSWERS}) == len(ANSWERS)


@pytest.mark.parametrize("number", range(len(ANSWERS)), ids=[a[0] for a in ANSWERS])
def test_odd_answer_leaves_no_row_in_sending(number, account):
    ending = ending_of(number, account)
    assert record([ending], using="default") == 0
    row = Message.objects.get()
    assert row.status == ending.status != Status.SENDING
    if ending.reply is not None:
        assert (row.gateway_id, row.used_line) == (
            ending.reply.gateway_id,
            ending.reply.used_line,
        )


def test_odd_answers_are_written_together(account):
    """As a dispatcher does: one transaction for them all, then the breaker."""
    endings = [ending_of(number, account) for number in range(len(ANSWERS))]
    assert record(endings, using="default") == 0
    assert not Message.objects.filter(status=Status.SENDING).exists()
    for status in (Status.ACCEPTED, Status.REJECTED, Status.UNCERTAIN, Status.QUEUED):
        assert Message.objects.filter(status=status).exists()
    admission = breaker.admit(account, "claim", using="default")
    breaker.note(admission, [e.error for e in endings], using="default")
    assert AccountState.objects.get().is_paused


STATES = [
    *([USUAL["message_id"], value] for value in ODD.values()),
    *([value, "1"] for value in ODD.values()),
    *(['"6062,6063"', f'"{value},1"'] for value in ("\x00", "۱", "9" * 40, "-0")),
    ["[6062, 6063]", "[1, NaN]"],
    ["[6062, 6062]", "[1, 2]"],
    [f'"6062,{2**63},{10**31}"', '"2147483647,-2147483648,1"'],
]


@pytest.mark.parametrize("number", range(len(STATES)))
def test_odd_states_are_written_or_ignored(number, account):
    ids, codes = STATES[number]
    body = f'{{"data": {{"msgIds": {ids}, "states": {codes}}}, "status": -1}}'
    names = ["6062", "6063", str(2**63), str(10**31)]
    rows = [MessageFactory(accepted=True, gateway_id=name) for name in names]
    now = database_now("default")
    asked = [PollTarget(row.pk, row.gateway_id, now) for row in rows]
    try:
        reports = wire.decode_states(body.encode("utf-8", "surrogatepass"))
    except GatewayError:
        set_aside(asked[0], account, "default")
        reports = {}
    assert all(-(2**31) <= code < 2**31 for code in reports.values())
    write_states(asked, reports, account, using="default")
    written = dict(DeliveryState.objects.values_list("message__gateway_id", "code"))
    assert written == {key: reports[key] for key in names if key in reports}
    assert not Message.objects.filter(poll_at=None, settled_at=None).exists()
