"""What an HTTP status says of a send, whatever comes with it."""

from __future__ import annotations

import random

import pytest

from negin_sms.exceptions import (
    AccountPaused,
    Effect,
    GatewayError,
    NotSent,
    OutcomeUnknown,
    Rejected,
    Throttled,
)
from negin_sms.gateway.http_status import decode_http
from negin_sms.gateway.wire import decode_send
from tests.gateway.test_wire import (
    FINAL,
    PATIENT,
    PAUSING,
    RUNS,
    SENT,
    fuzz,
    raw_send,
    refuse_send,
    send_answer,
    short,
)

NO_CREDIT = b'{"data": null, "status": 14, "msg": "credit"}'
FRONT_DOOR = [401, 403, 404, 405, 411, 413, 414, 415, 431]
OTHER_4XX = [400, 402, 406, 408, 409, 410, 418, 422, 425, 451, 499]


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
@pytest.mark.parametrize("body", [SENT, NO_CREDIT, b"<html>", b""])
def test_any_2xx_leaves_it_to_the_body(status, body):
    assert decode_http(status, "", body) is None


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 399])
@pytest.mark.parametrize("body", [b"", NO_CREDIT, SENT])
def test_redirect_is_uncertain_and_pauses(status, body):
    error = decode_http(status, "", body)
    assert type(error) is OutcomeUnknown
    assert error.effect is Effect.TRIPS
    assert f"redirects elsewhere (HTTP {status})" in str(error)


@pytest.mark.parametrize("status", FRONT_DOOR)
@pytest.mark.parametrize(
    "body", [b"", b"<h1>Forbidden</h1>", b"{}", b'{"status": 404, "title": "gone"}']
)
def test_front_door_refusal_keeps_the_message_and_pauses(status, body):
    error = decode_http(status, "", body)
    assert type(error) is AccountPaused
    assert error.effect is Effect.TRIPS
    assert str(error) == (
        f"The gateway's front door refused the request (HTTP {status}). "
        "Check BASE_URL, and whether this server's address is allowed."
    )


@pytest.mark.parametrize("status", FRONT_DOOR + OTHER_4XX)
def test_gateways_own_refusal_decides_for_4xx(status):
    error = decode_http(status, "", NO_CREDIT)
    assert (type(error), error and error.code) == (AccountPaused, 14)


@pytest.mark.parametrize("code", sorted(FINAL | PAUSING | PATIENT))
def test_every_known_refusal_decides_for_4xx(code):
    body = send_answer(code)
    error = decode_http(400, "", body)
    assert type(error) is type(refuse_send(body))


@pytest.mark.parametrize("status", [*FRONT_DOOR, *OTHER_4XX, 429])
@pytest.mark.parametrize(
    "body",
    [SENT, send_answer(15), send_answer(0), send_answer(777), raw_send("-1", "0")],
)
def test_4xx_in_which_the_gateway_may_have_accepted_is_uncertain(status, body):
    assert type(decode_http(status, "", body)) is OutcomeUnknown


@pytest.mark.parametrize("status", OTHER_4XX)
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"title": "Conflict", "status": 409}', b'{"msg": "no"}']
)
def test_other_4xx_is_uncertain(status, body):
    error = decode_http(status, "", body)
    assert (type(error), error and error.effect) == (OutcomeUnknown, Effect.FAILURE)


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 599])
@pytest.mark.parametrize("body", [b"", NO_CREDIT, SENT])
def test_5xx_is_uncertain_whatever_its_body(status, body):
    error = decode_http(status, "60", body)
    assert (type(error), error and error.effect) == (OutcomeUnknown, Effect.FAILURE)
    assert f"HTTP {status}" in str(error)


@pytest.mark.parametrize("status", [0, 100, 101, 199, 600, 999])
def test_status_outside_of_http_is_uncertain(status):
    assert type(decode_http(status, "", NO_CREDIT)) is OutcomeUnknown


def test_uncertain_status_shows_the_body_cleaned_and_cut():
    error = decode_http(502, "", b"<h1>\r\nBad\x1b[31m gateway</h1>" + b"x" * 10_000)
    assert error is not None
    assert error.detail.startswith("<h1> Bad [31m gateway</h1>xxx")
    assert len(error.detail) == 500


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", None),
        ("0", 0),
        ("30", 30),
        ("0000000000060", 60),
        ("86400", 86400),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("۳۰", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_429_throttles_for_the_seconds_of_retry_after(header, seconds):
    error = decode_http(429, header, b"<html>")
    assert type(error) is Throttled
    assert (error.effect, error.retry_after) == (Effect.THROTTLES, seconds)


@pytest.mark.parametrize("header", ["9" * 7, "9" * 400, "9" * 5000], ids=short)
def test_huge_retry_after_is_a_long_one(header):
    error = decode_http(429, header, b"")
    assert error is not None
    assert error.retry_after is not None
    assert 300 < error.retry_after < float("inf")


def test_429_throttles_though_the_body_refuses():
    assert type(decode_http(429, "", NO_CREDIT)) is Throttled


@pytest.mark.long
def test_fuzz_http_status_sends_nothing_back_to_the_queue_by_mistake():
    rng = random.Random(20261122)
    headers = ["", "5", "9" * 40, "soon", "\0", "-1", "Wed, 21 Oct 2026 07:28:00 GMT"]
    for body in fuzz(SENT, ["message_id"], RUNS // 4):
        status = rng.choice((rng.randrange(1000), 429, *FRONT_DOOR, 400, 409))
        error = decode_http(status, rng.choice(headers), body)
        assert (error is None) == (200 <= status < 300)
        assert error is None or isinstance(error, GatewayError)
        if isinstance(error, NotSent | Rejected):
            assert 400 <= status < 500
        if isinstance(error, NotSent) and error.code is None:
            assert status in {429, *FRONT_DOOR}
            assert not accepts(body)


def accepts(body: bytes) -> bool:
    try:
        decode_send(body)
    except GatewayError:
        return False
    return True
