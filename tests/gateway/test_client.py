"""The one door to the network, against a server that misbehaves in every known way.

Every mode of badgateway.py is run once, with all loggers at DEBUG, and kept in
``runs``; the tests look at the runs from all sides. What a mode must end in stands in
EXPECTED, which is section 1 of failure-modes.md put into names.
"""

from __future__ import annotations

import contextlib
import html
import http.client
import io
import itertools
import json
import logging
import math
import os
import pickle
import random
import re
import ssl
import threading
import time
import traceback
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest
import requests
from django.views.debug import ExceptionReporter

from negin_sms.conf import Account
from negin_sms.exceptions import (
    AccountPaused,
    Effect,
    GatewayError,
    InvalidConfiguration,
    InvalidMessage,
    NotSent,
    OutcomeUnknown,
    Rejected,
    Throttled,
)
from negin_sms.gateway import (
    client,
    get_gateway,
    loopback_only,
    suspend_keep_alive,
)
from negin_sms.gateway.client import NeginGateway
from negin_sms.gateway.deadline import Watchdog
from negin_sms.gateway.wire import SendReply, SendRequest
from tests import badgateway
from tests.badgateway import MODES, BadGateway, Entry, in_child, wait_until, write_ca

CONNECT_TIMEOUT, READ_TIMEOUT, DEADLINE = 0.5, 1.0, 2.0
Make = Callable[..., NeginGateway]


# --- every mode, once ------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """One send to one server in one mode."""

    mode: str
    scheme: str
    outcome: Any  # a SendReply, or what was raised
    seconds: float
    journal: list[Entry]
    connections: int

    def __str__(self) -> str:
        return f"{self.mode} over {self.scheme}: {self.outcome!r}"


@dataclass(frozen=True)
class Runs:
    """All of them, and what was logged and printed meanwhile."""

    of: dict[tuple[str, str], Run]
    logged: list[str]
    printed: str
    redirected: int  # connections to where the redirects point


CASES = [(mode.name, scheme) for mode in MODES.values() for scheme in mode.schemes]


@pytest.fixture(scope="session")
def ca_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_ca(tmp_path_factory.mktemp("ca") / "ca.pem")


@pytest.fixture(scope="session")
def runs(ca_file: str) -> Runs:
    with overhear() as logged, BadGateway() as elsewhere, _print_http() as printed:
        with BadGateway() as server:
            _print_one(server)

        def run(case: tuple[str, str]) -> Run:
            return run_mode(*case, ca_file, elsewhere.url)

        with ThreadPoolExecutor(16) as pool:
            of = dict(zip(CASES, pool.map(run, CASES), strict=True))
        return Runs(of, list(logged), printed.getvalue(), elsewhere.connections)


def run_mode(mode: str, scheme: str, ca_file: str, target: str) -> Run:
    with BadGateway(mode, scheme=scheme, target=target) as server:
        gateway = NeginGateway(secret_account(server.url, ca_file))
        started = time.monotonic()
        outcome = attempt(gateway)
        seconds = time.monotonic() - started
        gateway.close()
    return Run(mode, scheme, outcome, seconds, server.journal, server.connections)


def attempt(gateway: NeginGateway) -> Any:
    """Send the secret message; this frame holds none of it for a traceback."""
    try:
        return gateway.send(secret_request())
    except Exception as error:
        return error


@contextlib.contextmanager
def overhear() -> Iterator[list[str]]:
    """Collect what any logger says at DEBUG, arguments and tracebacks included."""
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(f"{self.format(record)} {record.args!r}")

    ear, root = Ear(), logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in ("", "urllib3")}
    root.addHandler(ear)
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        yield heard
    finally:
        root.removeHandler(ear)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextlib.contextmanager
def _print_http() -> Iterator[io.StringIO]:
    """Let http.client print what it sends, as people do who look for a fault."""
    printed = io.StringIO()
    http.client.HTTPConnection.debuglevel = 1
    try:
        with contextlib.redirect_stdout(printed):
            yield printed
    finally:
        http.client.HTTPConnection.debuglevel = 0


def _print_one(server: BadGateway) -> None:
    """Show that it would be printed."""
    other = http.client.HTTPConnection(badgateway.HOST, server.port)
    other.request("POST", "/", body="mobile=98&by=others")
    other.getresponse().read()
    other.close()


# --- what each mode must end in --------------------------------------------------

SendResult = tuple[type, Effect | None]

NOT_SENT: SendResult = (NotSent, Effect.FAILURE)
INSECURE: SendResult = (NotSent, Effect.TRIPS)
FRONT_DOOR: SendResult = (AccountPaused, Effect.TRIPS)
PAUSED: SendResult = (AccountPaused, Effect.PAUSES)
THROTTLED: SendResult = (Throttled, Effect.THROTTLES)
REJECTED: SendResult = (Rejected, Effect.SUCCESS)
UNKNOWN: SendResult = (OutcomeUnknown, Effect.FAILURE)
MOVED: SendResult = (OutcomeUnknown, Effect.TRIPS)
ACCEPTED: SendResult = (SendReply, None)

# A mode's name: what it ends in, over http and https alike or one after the other.
EXPECTED: dict[str, tuple[set[SendResult], ...]] = {
    "refused": ({NOT_SENT},),
    "connect_hang": ({NOT_SENT},),
    # Over http the request is on its way before the close is seen.
    "accept_close": ({UNKNOWN}, {INSECURE}),
    # A reset may come while the connection is still being made.
    "accept_reset": ({UNKNOWN, NOT_SENT}, {INSECURE, NOT_SENT}),
    **dict.fromkeys(
        [
            *("handshake_hang", "handshake_cut", "handshake_reset", "handshake_drip"),
            *("handshake_garbage", "plain_http_on_tls_port"),
        ],
        ({INSECURE},),
    ),
    **dict.fromkeys(
        [
            *("reset_in_headers", "reset_in_body", "close_in_body", "hang_in_body"),
            *("reset_after_body", "close_after_body", "no_answer", "tls_garbage"),
            *("tls_garbage_in_answer", "tls_alert_in_answer", "tls_on_plain_port"),
            *("drip_status_line", "drip_headers", "drip_body_with_length"),
            *("drip_body_chunked", "drip_body_until_close", "stall_in_headers"),
            *("stall_in_body", "reset_in_answer_headers", "reset_in_answer_body"),
            *("close_in_answer_headers", "short_body", "cut_body_until_close"),
            *("cut_chunk", "bad_chunk_size", "negative_chunk_size", "endless_body"),
            *("endless_chunks", "huge_length", "endless_headers", "hundred_headers"),
            *("long_header", "long_status_line", "garbage_status_line"),
            *("garbage_bytes", "http09_text", "unequal_lengths", "continue_flood"),
            *("early_hints", "empty_body", "html_200", "wrong_gzip", "gzip_bomb"),
            *("status_204", "code_unknown", "code_exception", "echo_in_headers"),
            *("echo_in_reason", "echo_in_status_line", "echo_in_chunk_size"),
            *("echo_in_length", "proxy_closes", "proxy_tunnels"),
        ],
        ({UNKNOWN},),
    ),
    **dict.fromkeys(
        [
            *("good", "good_then_close", "good_then_reset", "good_until_close"),
            *("good_chunked", "good_with_bom", "good_odd_type", "good_after_100"),
            *("good_http10", "good_slowly", "said_gzip_is_plain"),
        ],
        ({ACCEPTED},),
    ),
    # What the deadline cut off was not needed, unless a reset came with it.
    "drip_after_whole_body": ({ACCEPTED, UNKNOWN},),
    "echo_in_redirect": ({MOVED},),
    "status_304": ({MOVED},),
    "status_429_retry_after": ({THROTTLED},),
    "status_429_retry_date": ({THROTTLED},),
    "status_429_retry_garbage": ({THROTTLED},),
    "status_503_retry_after": ({UNKNOWN},),
    "code_rejected": ({REJECTED},),
    "code_no_credit": ({PAUSED},),
    "code_too_fast": ({THROTTLED},),
    "proxy_forbids": ({FRONT_DOOR},),
    **{f"redirect_{code}": ({MOVED},) for code in badgateway.REDIRECTS},
}

REFUSED_AT_THE_DOOR = {401, 403, 404, 405, 411, 413, 414, 415, 431}
SAID_NO = {"rejected": REJECTED, "refusal": REJECTED, "no_credit": PAUSED}


def _expect_statuses() -> Iterator[tuple[str, SendResult]]:
    for status in badgateway.ERRORS:
        bare = FRONT_DOOR if status in REFUSED_AT_THE_DOOR else UNKNOWN
        bare = THROTTLED if status == 429 else bare
        yield f"status_{status}", bare
        # What the gateway itself says weighs more than a 4xx, and its yes or its
        # "perhaps" is never overruled by one.
        for name, verdict in (("refusal", REJECTED), ("no_credit", PAUSED)):
            said = UNKNOWN if status >= 500 else verdict
            yield f"status_{status}_{name}", THROTTLED if status == 429 else said
        for name in ("exception", "accepted"):
            yield f"status_{status}_{name}", UNKNOWN


def _expect_echoes() -> Iterator[tuple[str, SendResult]]:
    for spelling in badgateway.SPELLINGS:
        for status, ending in ((200, UNKNOWN), (400, UNKNOWN), (500, UNKNOWN)):
            yield f"echo_{spelling}_{status}", ending
        yield f"echo_{spelling}_403", FRONT_DOOR
        for code, ending in ((0, UNKNOWN), (27, REJECTED), (14, PAUSED)):
            yield f"echo_{spelling}_code_{code}", ending
        yield f"echo_{spelling}_code_409", THROTTLED
        yield f"echo_{spelling}_accepted_plain", ACCEPTED
        yield f"echo_{spelling}_accepted_odd", ACCEPTED
    for spelling, field, size in itertools.product(
        ("raw", "urlencoded"), ("password", "message"), (488, 1988)
    ):
        yield f"echo_{spelling}_{field}_cut_after_{size}", UNKNOWN


EXPECTED |= {
    name: ({ending},)
    for name, ending in itertools.chain(_expect_statuses(), _expect_echoes())
}


def expected(mode: str, scheme: str) -> set[SendResult]:
    over_http, *over_https = EXPECTED[mode]
    return over_https[0] if over_https and scheme == "https" else over_http


def test_every_mode_has_an_expected_end():
    assert EXPECTED.keys() == MODES.keys()


@pytest.mark.parametrize(("mode", "scheme"), CASES)
def test_mode_ends_as_expected(runs: Runs, mode: str, scheme: str):
    outcome = runs.of[mode, scheme].outcome
    ending = (type(outcome), getattr(outcome, "effect", None))
    assert ending in expected(mode, scheme), outcome


class TestAllModes:
    """The rules that hold whatever the mode."""

    def test_what_may_have_arrived_is_never_called_not_sent(self, runs: Runs):
        for run in runs.of.values():
            if isinstance(run.outcome, NotSent) and any(e.raw for e in run.journal):
                (entry,) = run.journal
                no = {429, *REFUSED_AT_THE_DOOR}
                assert entry.answered in no or entry.code in (14, 409), run

    def test_what_met_nobody_is_always_called_not_sent(self, runs: Runs):
        for run in runs.of.values():
            stage = MODES[run.mode].stage
            if stage == "connect" or (stage == "accept" and run.scheme == "https"):
                assert not run.journal, run
                assert isinstance(run.outcome, NotSent), run

    def test_what_was_accepted_has_an_id_of_the_journal(self, runs: Runs):
        for run in runs.of.values():
            if isinstance(run.outcome, SendReply):
                given = {entry.gateway_id for entry in run.journal} - {""}
                assert run.outcome.gateway_id in (given or {"777001"}), run

    def test_nothing_is_sent_twice(self, runs: Runs):
        for run in runs.of.values():
            assert run.connections <= 1, run
            assert len(run.journal) <= 1, run

    def test_no_redirect_is_followed(self, runs: Runs):
        assert runs.redirected == 0

    def test_a_client_that_follows_would_be_noticed(self):
        """The mutant of T2: what the test above looks at is what it would leave."""
        with BadGateway("html_200") as elsewhere:
            for code in badgateway.REDIRECTS:
                with (
                    BadGateway(f"redirect_{code}", target=elsewhere.url) as server,
                    contextlib.suppress(requests.RequestException),
                ):
                    requests.post(f"{server.url}/wsSend.ashx", data=TO, timeout=5)
            assert elsewhere.connections == len(badgateway.REDIRECTS)

    def test_nothing_outlasts_the_deadline(self, runs: Runs):
        slowest = max(runs.of.values(), key=lambda run: run.seconds)
        # All modes run at once, so a slow machine counts too; without a deadline the
        # drips would go on for ever.
        assert slowest.seconds < DEADLINE + 8, slowest

    def test_deadline_is_told_apart_from_a_lost_connection(self, runs: Runs):
        for (mode, _scheme), run in runs.of.items():
            if mode.startswith("drip_") and mode != "drip_after_whole_body":
                assert "deadline passed" in str(run.outcome), run
                assert run.seconds > DEADLINE - 0.1, run

    def test_errors_are_ours(self, runs: Runs):
        for run in runs.of.values():
            assert isinstance(run.outcome, GatewayError | SendReply), run

    @pytest.mark.parametrize(
        ("mode", "scheme", "said"),
        [
            (
                "refused",
                "http",
                "ConnectionRefusedError, Connection refused, 127.0.0.1",
            ),
            ("connect_hang", "http", "TimeoutError, 127.0.0.1"),
            ("handshake_garbage", "https", "SSLError, [SSL"),
            ("reset_in_answer_body", "http", "ConnectionResetError, Connection reset"),
            ("no_answer", "https", "TimeoutError, "),
            ("endless_body", "http", "AnswerTooLarge, "),
        ],
    )
    def test_detail_names_the_innermost_cause(
        self, runs: Runs, mode: str, scheme: str, said: str
    ):
        assert runs.of[mode, scheme].outcome.detail.startswith(said)

    def test_retry_after_is_passed_on(self, runs: Runs):
        assert runs.of["status_429_retry_after", "http"].outcome.retry_after == 7
        assert runs.of["status_429_retry_date", "http"].outcome.retry_after is None
        assert runs.of["status_429_retry_garbage", "http"].outcome.retry_after is None


# --- secrets ---------------------------------------------------------------------
# Letters that no spelling changes: "kanari" in the credentials and, again and
# again, in the text; and the subscriber's part of the number.

CANARIES = re.compile("kanari|9121234567", re.IGNORECASE)


def secret_account(url: str, ca_file: str) -> Account:
    return Account(
        alias="default",
        username="KanariUser",
        password="Kanari<&\"'/ +%41Pass۷",
        base_url=url,
        ca_file=ca_file,
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        deadline=DEADLINE,
    )


def secret_request() -> SendRequest:
    text = "\n".join(f"KanariUser کد {n} <b>&\"'+% 😀 \\n Kanari" for n in range(20))
    return SendRequest(mobile="+989121234567", text=text, line="9830003300")


def spilled(said: object) -> list[str]:
    """Return the canaries in what was said, in whatever spelling."""
    text = plain = str(said)
    for undo in 2 * (html.unescape, unquote_plus, _undo_json):
        plain = undo(plain)
        text += plain
    western = text.translate({0x6F0 + digit: 48 + digit for digit in range(10)})
    return CANARIES.findall(western)


def _undo_json(text: str) -> str:
    return re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), text)


class TestSecrets:
    def test_the_sweep_finds_every_spelling(self):
        form = f"password={secret_account('', '').password}&m=۹۱۲۱۲۳۴۵۶۷"
        for said in (form, html.escape(form), json.dumps(form)):
            assert len(spilled(said)) >= 2
        assert spilled("".join(f"&#{ord(char)};" for char in form))

    def test_nothing_in_any_log(self, runs: Runs):
        assert any("POST /api/wsSend.ashx" in line for line in runs.logged)
        for line in runs.logged:
            assert not spilled(line), line

    def test_nothing_printed(self, runs: Runs):
        assert "by=others" in runs.printed
        assert not spilled(runs.printed)

    @pytest.mark.parametrize(("mode", "scheme"), CASES)
    def test_nothing_in_what_comes_back(self, runs: Runs, mode: str, scheme: str):
        outcome = runs.of[mode, scheme].outcome
        if isinstance(outcome, SendReply):
            assert not spilled(repr(outcome))
        else:
            for said in everything_of(outcome):
                assert not spilled(said), said

    def test_nothing_in_djangos_error_pages(self, runs: Runs):
        shown = {}
        for run in runs.of.values():
            if isinstance(run.outcome, Exception):
                shown[str(run.outcome)] = run.outcome
        for error in itertools.islice(shown.values(), 60):
            page = ExceptionReporter(None, type(error), error, error.__traceback__)
            text = page.get_traceback_text()
            assert "in send" in text
            assert not spilled(text)
        assert not spilled(page.get_traceback_html())

    def test_nothing_of_a_states_request(self, ca_file: str):
        for mode in ("refused", "close_after_body", "echo_raw_500", "echo_in_headers"):
            with BadGateway(mode) as server:
                gateway = NeginGateway(secret_account(server.url, ca_file))
                with pytest.raises(GatewayError) as caught:
                    gateway.states(["5001"])
                gateway.close()
            for said in everything_of(caught.value):
                assert not spilled(said), said

    def test_echoed_line_does_not_hide_a_real_one(self, runs: Runs):
        assert runs.of["echo_raw_accepted_odd", "http"].outcome.used_line == "•••"
        assert runs.of["good", "http"].outcome.used_line == "9830003300"

    def test_gateways_own_words_stay(self, runs: Runs):
        outcome = runs.of["echo_raw_code_27", "http"].outcome
        assert outcome.detail.startswith("Cannot do: username=•••&password=•••&")

    def test_representation_of_the_gateway(self, ca_file: str):
        gateway = NeginGateway(secret_account("http://127.0.0.1:9", ca_file))
        assert not spilled(repr(gateway) + repr(vars(gateway)))


def everything_of(error: Exception) -> Iterator[str]:
    """Yield all that a log, a tracker or a pickle could take from an error."""
    yield from (str(error), repr(error), repr(error.args), repr(vars(error)))
    yield pickle.dumps(error).decode("utf-8", "replace")
    yield "".join(traceback.format_exception(error))
    assert error.__cause__ is None
    assert error.__context__ is None
    for frame, _line in traceback.walk_tb(error.__traceback__):
        yield from map(repr, frame.f_locals.values())


# --- single sends ----------------------------------------------------------------


@pytest.fixture
def make(ca_file: str) -> Iterator[Make]:
    """Return a function that makes a gateway for a server; it is closed after."""
    made: list[NeginGateway] = []

    def make(server: BadGateway | str, **changes: Any) -> NeginGateway:
        keys: dict[str, Any] = {
            "username": "user",
            "password": "p&ss=وژه",
            "ca_file": ca_file,
            "connect_timeout": CONNECT_TIMEOUT,
            "read_timeout": READ_TIMEOUT,
            "deadline": DEADLINE,
        }
        url = server if isinstance(server, str) else server.url
        account = Account(alias="default", base_url=url, **keys | changes)
        made.append(NeginGateway(account))
        return made[-1]

    yield make
    for gateway in made:
        gateway.close()


def request(**changes: Any) -> SendRequest:
    fields = {"mobile": "+989395213300", "text": "سلام", "line": "9830003300"}
    return SendRequest(**fields | changes)


CREDENTIALS = {"username": "user", "password": "p&ss=وژه"}
TO = {"mobile": "989395213300", "message": "متن\u200cها & = + %41\nخط ۲ 😀"}
FIRST, SECOND = "9830003300", "9830003301"


class TestForms:
    @pytest.mark.parametrize(
        ("fields", "sent"),
        [
            ({"scenario": "single", "line": FIRST}, {"line": FIRST}),
            ({"scenario": "service_line"}, {"type": "2"}),
            (
                {"scenario": "service_line", "template": 0},
                {"type": "2", "template": "0"},
            ),
            (
                {"scenario": "second_line", "line": FIRST, "line2": SECOND},
                {"line": FIRST, "line2": SECOND},
            ),
            (
                {"scenario": "chelcheleh", "line": FIRST},
                {"line": FIRST, "type": "1"},
            ),
            (
                {"scenario": "service_fallback", "line": FIRST},
                {"line": FIRST, "type": "2"},
            ),
            (
                {"scenario": "service_fallback", "line": FIRST, "template": 7},
                {"line": FIRST, "type": "2", "template": "7"},
            ),
        ],
    )
    def test_scenario(self, make: Make, fields: dict[str, Any], sent: dict[str, str]):
        message = SendRequest(mobile="+" + TO["mobile"], text=TO["message"], **fields)
        with BadGateway() as server:
            make(server).send(message)
        (entry,) = server.journal
        assert entry.form == CREDENTIALS | TO | sent

    def test_request_line_and_headers(self, make: Make):
        with BadGateway() as server:
            make(server).send(request())
        (entry,) = server.journal
        assert entry.raw.startswith(b"POST /api/wsSend.ashx HTTP/1.1\r\n")
        assert entry.query == ""
        assert entry.headers.keys() == {
            *("host", "accept-encoding", "user-agent", "content-type"),
            "content-length",
        }
        assert entry.headers["accept-encoding"] == "identity"
        assert entry.headers["user-agent"].startswith("django-negin-sms/")
        encoding = "application/x-www-form-urlencoded; charset=utf-8"
        assert entry.headers["content-type"] == encoding

    def test_half_filled_scenario_is_never_sent(self, make: Make):
        with BadGateway() as server, pytest.raises(InvalidMessage):
            make(server).send(request(line=""))
        assert server.connections == 0

    def test_states(self, make: Make):
        with BadGateway() as server:
            server.states = {"5002": 8, "5003": 16}
            found = make(server).states(["5001", "5002", "5003"])
        assert found == {"5001": 1, "5002": 8, "5003": 16}
        (entry,) = server.journal
        assert entry.path == "/api/wsStates.ashx"
        assert entry.query == ""
        assert entry.form == CREDENTIALS | {"message_ids": "5001,5002,5003"}


class TestOnBegin:
    def test_is_called_before_the_first_byte(self, make: Make):
        """Whoever dies in it has sent nothing: a later mark would come too late."""
        seen: list[int] = []
        with BadGateway() as server:

            def look() -> None:
                time.sleep(0.2)  # what has left would be there by now
                seen.append(len(server.journal))

            make(server).send(request(), on_begin=look)
            assert (seen, len(server.journal)) == ([0], 1)

    def test_its_failure_sends_nothing(self, make: Make):
        def fail() -> None:
            raise OSError("no space left")

        with BadGateway() as server:
            with pytest.raises(NotSent) as caught:
                make(server).send(request(), on_begin=fail)
            assert server.journal == []
        assert caught.value.effect is Effect.IGNORED
        assert "STATE_DIR" in str(caught.value)

    def test_is_not_called_for_what_never_leaves(self, make: Make):
        called: list[int] = []
        with BadGateway() as server:
            gateway = make(server)
        with pytest.raises(NotSent):
            gateway.send(request(), on_begin=lambda: called.append(1))
        assert called == []


class TestStartBy:
    def test_past_sends_nothing(self, make: Make):
        with BadGateway() as server:
            gateway = make(server)
            with pytest.raises(NotSent) as caught:
                gateway.send(request(), start_by=time.monotonic() - 0.001)
        assert caught.value.effect is Effect.IGNORED
        assert server.journal == []

    def test_past_sends_nothing_on_a_kept_connection_either(self, make: Make):
        with BadGateway() as server:
            gateway = make(server)
            gateway.send(request())
            with pytest.raises(NotSent):
                gateway.send(request(), start_by=time.monotonic() - 0.001)
            gateway.send(request())
        assert len(server.journal) == 2

    def test_is_looked_at_when_the_connection_stands(self, make: Make):
        with BadGateway(scheme="https", handshake_delay=0.3) as server:
            gateway, start_by = make(server), time.monotonic() + 0.1
            with pytest.raises(NotSent) as caught:
                gateway.send(request(), start_by=start_by)
        assert caught.value.effect is Effect.IGNORED
        assert server.journal == []

    def test_deadline_holds_while_connecting(self, make: Make):
        started = time.monotonic()
        with BadGateway(scheme="https", handshake_delay=3) as server:
            gateway = make(server, connect_timeout=5, deadline=0.2)
            with pytest.raises(NotSent):
                gateway.send(request())
        assert time.monotonic() - started < 2.5
        assert server.journal == []

    def test_connecting_has_a_shorter_time_of_its_own(self, make: Make):
        """Handshake included; an answer may take longer, on a connection kept too."""
        with BadGateway(scheme="https", handshake_delay=3) as server:
            gateway = make(server, connect_timeout=0.3, read_timeout=9, deadline=9)
            started = time.monotonic()
            with pytest.raises(NotSent):
                gateway.send(request())
            assert time.monotonic() - started < 2.5
        for scheme in ("http", "https"):
            with BadGateway(scheme=scheme, latency=1.0) as server:
                gateway = make(server, connect_timeout=0.6, read_timeout=9, deadline=9)
                for _kept in range(2):
                    gateway.send(request())

    def test_waiting_for_an_answer_has_its_own_time_on_a_kept_connection(
        self, make: Make
    ):
        for scheme in ("http", "https"):
            with BadGateway(scheme=scheme) as server:
                gateway = make(server, read_timeout=0.4, deadline=9)
                gateway.send(request())
                server.latency = 3
                started = time.monotonic()
                with pytest.raises(OutcomeUnknown):
                    gateway.send(request())
                assert time.monotonic() - started < 2.5

    def test_future_sends(self, make: Make):
        with BadGateway() as server:
            make(server).send(request(), start_by=time.monotonic() + 60)
        assert len(server.journal) == 1

    def test_no_thread_for_the_deadline_sends_nothing(self, make: Make, monkeypatch):
        monkeypatch.setattr(client, "watchdog", Watchdog())
        with BadGateway() as server:
            gateway = make(server)
            with monkeypatch.context() as patch:
                refuse = RuntimeError("can't start new thread")
                patch.setattr(threading.Thread, "start", _raise(refuse))
                with pytest.raises(NotSent, match="no thread"):
                    gateway.send(request())
        assert server.journal == []

    def test_unknown_host_is_not_sent(self, make: Make):
        with loopback_only.lifted(), pytest.raises(NotSent, match="gaierror"):
            make("http://gateway.invalid/api").send(request())

    def test_unsendable_text_is_not_sent(self, make: Make):
        with BadGateway() as server:
            gateway = make(server)
            with pytest.raises(NotSent) as caught:
                gateway.send(request(text="\ud800"))
        assert caught.value.__context__ is None
        assert server.journal == []


def _raise(error: Exception) -> Callable[..., None]:
    def raises(*args: object) -> None:
        raise error

    return raises


# --- connections -----------------------------------------------------------------


def connections_of(server: BadGateway) -> list[int]:
    return [entry.connection for entry in server.journal]


class TestKeepAlive:
    def test_connection_is_used_again_until_it_is_too_old(self, make: Make):
        with BadGateway() as server:
            gateway = make(server, keep_alive=0.3)
            for wait in (0, 0, 0.4, 0):
                time.sleep(wait)
                gateway.send(request())
        assert connections_of(server) == [1, 1, 2, 2]

    def test_zero_opens_one_each_and_says_so(self, make: Make):
        with BadGateway() as server:
            gateway = make(server, keep_alive=0)
            for _ in range(3):
                gateway.send(request())
        assert connections_of(server) == [1, 2, 3]
        assert {e.headers.get("connection") for e in server.journal} == {"close"}

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_promised_and_dropped_at_once(self, make: Make, scheme: str):
        with BadGateway("good_then_close", scheme=scheme) as server:
            gateway = make(server)
            for sent in range(1, 6):
                gateway.send(request())
                time.sleep(0.02)
                assert server.connections == sent

    def test_dropped_at_once_and_sent_at_once(self, make: Make):
        # Close and request cross on the wire; that is learnt at the first time.
        with BadGateway("good_then_close") as server:
            gateway = make(server)
            lost = 0
            for _ in range(100):
                try:
                    gateway.send(request())
                except OutcomeUnknown:
                    lost += 1
        assert lost <= 1

    @pytest.mark.long
    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_server_that_drops_idle_connections_costs_no_message(
        self, make: Make, scheme: str
    ):
        # The first drop teaches the limit; what crosses it on the wire before
        # that cannot be helped, so the first wait is beyond what a busy machine takes.
        def send_around_the_limit(seed: int) -> list[int]:
            waits = random.Random(seed)
            with BadGateway(scheme=scheme, idle_limit=0.3) as server:
                gateway = make(server)
                gateway.send(request())
                time.sleep(0.45)
                for _ in range(14):
                    gateway.send(request())
                    time.sleep(waits.uniform(0.0, 0.4))
            return connections_of(server)

        with ThreadPoolExecutor(4) as pool:
            seen = list(pool.map(send_around_the_limit, range(4)))
        for used in seen:
            assert len(used) == 15
            assert 2 < len(set(used)) < 15

    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize(
        "death", ["close_after_body", "reset_after_body", "reset_in_body", "no_answer"]
    )
    def test_death_of_a_reused_connection_ends_reuse(
        self, make: Make, scheme: str, death: str
    ):
        with BadGateway("good", death, "good", scheme=scheme) as server:
            gateway = make(server)
            gateway.send(request())
            with pytest.raises(OutcomeUnknown):
                gateway.send(request())
            for _ in range(3):
                gateway.send(request())
        assert connections_of(server) == [1, 1, 2, 3, 4]
        assert server.journal[-1].headers["connection"] == "close"

    def test_death_of_a_new_connection_does_not(self, make: Make):
        with BadGateway("close_after_body", "good") as server:
            gateway = make(server)
            with pytest.raises(OutcomeUnknown):
                gateway.send(request())
            for _ in range(3):
                gateway.send(request())
        assert connections_of(server) == [1, 2, 2, 2]

    @pytest.mark.parametrize("echoed", ["989395213301", "000", "another"])
    def test_answer_about_another_number_ends_reuse(self, make: Make, echoed: str):
        with BadGateway() as server:
            gateway = make(server)
            server.changes = {"mobile": echoed}
            gateway.send(request())
            server.changes = {}
            for _ in range(2):
                gateway.send(request())
        assert connections_of(server) == [1, 2, 3]

    @pytest.mark.parametrize("echoed", ["09395213300", "+989395213300", 9395213300, ""])
    def test_other_spellings_of_the_number_do_not(self, make: Make, echoed: Any):
        with BadGateway() as server:
            gateway = make(server)
            server.changes = {"mobile": echoed}
            for _ in range(3):
                gateway.send(request())
        assert server.connections == 1

    def test_ends_where_somebody_else_asks_for_it(self, settings):
        with BadGateway() as server:
            settings.NEGIN_SMS = {
                "default": {
                    "BACKEND": "negin_sms.gateway.client.NeginGateway",
                    "USERNAME": "user",
                    "PASSWORD": "secret",
                    "BASE_URL": server.url,
                }
            }
            gateway = get_gateway()
            gateway.send(request())
            suspend_keep_alive("default")
            for _ in range(2):
                gateway.send(request())
        assert connections_of(server) == [1, 2, 3]

    @pytest.mark.parametrize("wait", [0, 0.2])
    def test_no_answer_is_taken_for_another_messages(self, make: Make, wait: float):
        with BadGateway("early_hints", "good") as server:
            gateway = make(server)
            with pytest.raises(OutcomeUnknown):
                gateway.send(request())
            time.sleep(wait)
            reply = gateway.send(request())
        assert [reply.gateway_id] == server.ids

    def test_threads_share_a_gateway(self, make: Make):
        with BadGateway(latency=0.002) as server:
            gateway = make(server, workers=16, deadline=20, read_timeout=20)

            def send_some(_worker: int) -> list[str]:
                return [gateway.send(request()).gateway_id for _ in range(20)]

            with ThreadPoolExecutor(16) as pool:
                ids = [one for some in pool.map(send_some, range(16)) for one in some]
        assert len(set(ids)) == 320
        assert sorted(ids) == sorted(server.ids)
        assert server.connections <= 32

    def test_deadline_of_one_thread_leaves_the_others_alone(self, make: Make):
        script = ["drip_headers"] * 4 + ["good"]
        with BadGateway(*script) as server:
            gateway = make(server, workers=8, deadline=0.4)

            def send(_n: int) -> type:
                try:
                    return type(gateway.send(request()))
                except OutcomeUnknown as error:
                    return type(error)

            with ThreadPoolExecutor(8) as pool:
                ends = list(pool.map(send, range(40)))
        assert ends.count(OutcomeUnknown) == 4
        assert ends.count(SendReply) == 36


def test_child_process_opens_its_own_connection(settings):
    with BadGateway("good", "drip_headers", "good") as server:
        settings.NEGIN_SMS = {
            "default": {
                "BACKEND": "negin_sms.gateway.client.NeginGateway",
                "USERNAME": "user",
                "PASSWORD": "secret",
                "BASE_URL": server.url,
                "DEADLINE": 1,
                "RESULT_RETRY": 1,
                "KEEP_ALIVE": 60,
            }
        }
        gateway = get_gateway()
        gateway.send(request())

        def child() -> str:
            assert get_gateway() is not gateway
            started = time.monotonic()
            with pytest.raises(OutcomeUnknown):
                get_gateway().send(request())
            assert 0.9 < time.monotonic() - started < 2
            return get_gateway().send(request()).gateway_id

        assert in_child(child) in server.ids
        gateway.send(request())
        assert isinstance(gateway, NeginGateway)
        gateway.close()
    assert connections_of(server) == [1, 2, 3, 1]


# --- TLS -------------------------------------------------------------------------


class TestTLS:
    @pytest.mark.parametrize(
        ("certificate", "said"),
        [
            ("expired", "certificate has expired"),
            ("untrusted", "unable to get local issuer certificate"),
            ("self_signed", "self-signed certificate"),
            ("other_name", "IP address mismatch"),
            ("old_tls", "no secure connection"),
        ],
    )
    def test_is_refused_before_a_byte(self, make: Make, certificate: str, said: str):
        with BadGateway(scheme="https", certificate=certificate) as server:
            with pytest.raises(NotSent, match=said) as caught:
                make(server).send(request())
            wait_until(lambda: server.connections == 1)
        assert caught.value.effect is Effect.TRIPS
        assert "127.0.0.1" in caught.value.detail
        assert server.journal == []

    def test_old_server_would_speak_to_an_old_client(self):
        with BadGateway(scheme="https", certificate="old_tls") as server:
            old = ssl.create_default_context()
            old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
            old.set_ciphers("DEFAULT:@SECLEVEL=0")
            with pytest.warns(DeprecationWarning, match="TLSv1"):
                old.minimum_version = ssl.TLSVersion.TLSv1
            far = http.client.HTTPSConnection("127.0.0.1", server.port, context=old)
            far.request("POST", "/api/wsSend.ashx", "mobile=98")
            assert far.getresponse().status == 200
            far.close()

    def test_own_authority_is_trusted_through_ca_file(self, make: Make):
        with BadGateway(scheme="https") as server:
            assert make(server).send(request()).gateway_id
            with pytest.raises(NotSent):
                make(server, ca_file=None).send(request())
        assert len(server.journal) == 1

    @pytest.mark.parametrize("content", [None, "no certificate"])
    def test_unusable_ca_file_is_a_fault_of_the_settings(
        self, make: Make, tmp_path: Path, content: str | None
    ):
        path = tmp_path / "ca.pem"
        if content is not None:
            path.write_text(content)
        with pytest.raises(InvalidConfiguration, match="CA_FILE"):
            make("https://127.0.0.1/api", ca_file=str(path))


# --- the environment -------------------------------------------------------------


@pytest.fixture
def environment(monkeypatch, tmp_path: Path) -> Callable[[BadGateway], None]:
    """Return a function that names a proxy and a .netrc in the environment."""
    for name in ("no_proxy", "all_proxy", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    def use(proxy: BadGateway) -> None:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login somebody password else\n")
        monkeypatch.setenv("NETRC", str(netrc))

    return use


class TestEnvironment:
    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_is_ignored(self, make: Make, environment, scheme: str):
        with BadGateway("close_after_body") as proxy, BadGateway(scheme=scheme) as far:
            environment(proxy)
            make(far).send(request())
        assert proxy.connections == 0
        assert "authorization" not in far.journal[0].headers

    def test_is_used_where_the_account_trusts_it(self, make: Make, environment):
        with BadGateway() as proxy, BadGateway() as far:
            environment(proxy)
            make(far, trust_env=True).send(request())
        assert far.connections == 0
        (entry,) = proxy.journal
        assert entry.target == f"{far.url}/wsSend.ashx"
        assert entry.headers["authorization"].startswith("Basic ")

    def test_tunnel_through_a_proxy(self, make: Make, environment):
        with BadGateway("proxy_tunnels") as proxy, BadGateway(scheme="https") as far:
            environment(proxy)
            gateway = make(far, trust_env=True)
            for _ in range(2):
                gateway.send(request())
            gateway.close()
        assert connections_of(far) == [1, 1]
        (entry,) = proxy.journal
        assert entry.method == "CONNECT"

    def test_tunnel_to_a_bad_certificate(self, make: Make, environment):
        with (
            BadGateway("proxy_tunnels") as proxy,
            BadGateway(scheme="https", certificate="expired") as far,
        ):
            environment(proxy)
            with pytest.raises(NotSent, match="has expired") as caught:
                make(far, trust_env=True).send(request())
        assert caught.value.effect is Effect.TRIPS
        assert far.journal == []

    @pytest.mark.parametrize(
        ("mode", "said"),
        [
            ("proxy_forbids", r"OSError, Tunnel connection failed: 403 \w+, 127"),
            ("proxy_closes", "RemoteDisconnected"),
            ("no_answer", "TimeoutError"),
            ("refused", "ConnectionRefusedError"),
        ],
    )
    def test_proxy_that_makes_no_tunnel(
        self, make: Make, environment, mode: str, said: str
    ):
        with BadGateway(mode) as proxy, BadGateway(scheme="https") as far:
            environment(proxy)
            with pytest.raises(NotSent, match=said) as caught:
                make(far, trust_env=True).send(request())
        assert caught.value.effect is Effect.FAILURE
        assert far.connections == 0
        assert all(b"user" not in entry.body for entry in proxy.journal)

    def test_proxy_that_was_given_the_form_leaves_it_unknown(
        self, make: Make, environment
    ):
        with BadGateway("proxy_closes") as proxy:
            environment(proxy)
            with pytest.raises(OutcomeUnknown):
                make("http://127.0.0.1:9/api", trust_env=True).send(request())
        assert proxy.journal[0].whole


# --- limits ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "mode", ["endless_body", "endless_chunks", "huge_length", "endless_headers"]
)
def test_endless_answer_takes_no_memory(make: Make, mode: str):
    with BadGateway(mode) as server:
        gateway = make(server, deadline=10, read_timeout=10)
        tracemalloc.start()
        try:
            with pytest.raises(OutcomeUnknown):
                gateway.send(request())
            _now, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 5_000_000


def test_packed_answer_is_not_unpacked(make: Make):
    with BadGateway("gzip_bomb") as server:
        gateway = make(server, deadline=10, read_timeout=10)
        badgateway._bomb()
        tracemalloc.start()
        try:
            with pytest.raises(OutcomeUnknown):
                gateway.send(request())
            _now, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 5_000_000


def test_no_descriptor_is_left_over(make: Make):
    with BadGateway("good_until_close", "close_after_body", "drip_headers") as server:
        gateway = make(server, deadline=0.3)
        gateway.send(request())
        before = len(os.listdir("/dev/fd"))
        for _ in range(3):
            with pytest.raises(OutcomeUnknown):
                gateway.send(request())
        wait_until(lambda: len(os.listdir("/dev/fd")) <= before)


def test_close_lets_go_of_kept_connections(make: Make):
    with BadGateway(idle_limit=30) as server:
        gateway = make(server)
        gateway.send(request())
        assert len(server._talks) == 1
        gateway.close()
        wait_until(lambda: not server._talks)


def test_infinite_start_by_is_the_default(make: Make):
    with BadGateway() as server:
        assert make(server).send(request(), start_by=math.inf).code == -1
