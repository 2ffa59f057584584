"""What a failure means: by the phase it was in, whatever its type."""

from __future__ import annotations

import math
import ssl

import pytest
import urllib3
from django.utils.translation import override

from negin_sms.conf import Account
from negin_sms.exceptions import Effect, GatewayError, NotSent, OutcomeUnknown
from negin_sms.gateway import failures
from negin_sms.gateway.deadline import Exchange, NotNoted, TooLate

ERRORS = [
    ssl.SSLError("broken"),
    TimeoutError(),
    ConnectionResetError(),
    OSError(24, "no descriptors"),
    ValueError("odd"),
    urllib3.exceptions.ProtocolError("aborted", ConnectionResetError()),
]
ACCOUNT = Account(alias="default", base_url="https://sms.test/api")


def outcome(error: Exception, *, direct: bool = True, **phase: bool) -> GatewayError:
    exchange = Exchange(deadline=math.inf, start_by=math.inf, connect_within=5)
    for name, reached in phase.items():
        setattr(exchange, name, reached)
    return failures.outcome(
        error, exchange, account=ACCOUNT, is_direct=direct, elapsed=1.5
    )


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_before_the_first_byte_nothing_was_sent(error: Exception):
    assert isinstance(outcome(error), NotSent)
    assert isinstance(outcome(error, attached=True, connected=True), NotSent)


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_after_it_nobody_knows(error: Exception):
    found = outcome(error, attached=True, connected=True, wrote=True)
    assert type(found) is OutcomeUnknown
    assert found.effect is Effect.FAILURE
    assert "1.5 s, sms.test" in found.detail


def test_how_it_broke_is_told_in_the_language_of_the_process():
    with override("fa"):
        found = outcome(
            ConnectionResetError(), attached=True, connected=True, wrote=True
        )
    assert found.detail == "ConnectionResetError، پس از 1.5 ثانیه، sms.test"


@pytest.mark.parametrize("error", [TooLate(), NotNoted()])
def test_our_own_doing_is_not_the_gateways_fault(error: OSError):
    found = outcome(error, attached=True, connected=True)
    assert (type(found), found.effect) == (NotSent, Effect.IGNORED)


@pytest.mark.parametrize(
    ("error", "direct", "effect"),
    [
        (ConnectionResetError(), True, Effect.TRIPS),  # in the handshake
        (ConnectionResetError(), False, Effect.FAILURE),  # it may be the proxy
        (ssl.SSLError("garbage"), False, Effect.TRIPS),
        (ssl.SSLCertVerificationError("expired"), False, Effect.TRIPS),
    ],
)
def test_trouble_in_the_handshake_trips_the_breaker(error, direct, effect):
    assert outcome(error, direct=direct, attached=True).effect is effect


def test_deadline_is_told_apart():
    found = outcome(TimeoutError(), wrote=True, expired=True)
    assert str(found.reason) == str(failures.TOO_SLOW)


def test_cause_is_the_innermost_and_its_words_are_clean():
    inner = OSError(111, "Connection\nrefused")
    outer = urllib3.exceptions.ProtocolError("password=secret", inner)
    assert (
        outcome(outer).detail == "ConnectionRefusedError, Connection refused, sms.test"
    )
