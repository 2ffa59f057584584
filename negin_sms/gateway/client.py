"""NeginGateway: the real client, over HTTP.

POST only; no redirect; TLS always verified (``tls``); a deadline for the whole
exchange (``deadline``); answers capped. Whether a failed request may have been carried
out is decided by the phase it reached, never by the type of the error (``failures``):
SSLError and ReadTimeout both occur before and after the request was sent.

The libraries' errors hold the form, and so the password. They are turned into ours
here, in one place, and leave no trace in ours: ``_post`` returns what happened
and ``send`` and ``states`` raise it from a frame that holds no secret.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

import requests
import urllib3
from django.views.decorators.debug import sensitive_variables

from negin_sms import __version__
from negin_sms.conf import Account
from negin_sms.exceptions import GatewayError, OutcomeUnknown

from . import connections, failures, http_status, loopback_only, wire
from .deadline import Exchange, Watchdog
from .keep_alive import KeepAlive
from .pool import Pool, post, proxies_of
from .redaction import redact

T = TypeVar("T")

SEND_PATH = "/wsSend.ashx"
STATES_PATH = "/wsStates.ashx"
USER_AGENT = f"django-negin-sms/{__version__}"
LARGEST_ANSWER = 64 * 1024
_CHUNK = 16 * 1024
_HEADERS = {
    "Accept-Encoding": "identity",
    "User-Agent": USER_AGENT,
    "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
}

# Everything the libraries below let through. OSError and ValueError are there
# because a lack of descriptors or threads and an unsendable form arrive as these.
_FAILURES = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
    ValueError,
)

watchdog = Watchdog()


def _renew_watchdog() -> None:
    # Threads do not survive a fork, and its lock may have been held.
    global watchdog
    watchdog = Watchdog()


os.register_at_fork(after_in_child=_renew_watchdog)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    retry_after: str
    body: bytes = field(repr=False)
    is_cut: bool = False  # by the deadline, which looks like an answer's end


class NeginGateway:
    """The Negin panel's two endpoints. Safe to share between threads.

    Both methods raise NotSent (surely nothing was sent), AccountPaused,
    Throttled, Rejected or OutcomeUnknown. Source: the vendor's two guides.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._keep_alive = KeepAlive(account.keep_alive)
        self._pool = Pool(account)
        # One for both, or a kept connection's would change twice a request; how long
        # connecting takes is limited by the exchange.
        self._timeout = urllib3.Timeout(
            connect=account.read_timeout, read=account.read_timeout
        )

    def make_ready(self) -> None:
        """Take the thread that requests need; OSError where there is none."""
        watchdog.start()

    @sensitive_variables()
    def send(
        self,
        request: wire.SendRequest,
        *,
        start_by: float = math.inf,
        on_begin: Callable[[], object] | None = None,
    ) -> wire.SendReply:
        """Send one message and return what the gateway says of it.

        ``start_by`` is a time on the monotonic clock; when it has passed before
        the first byte is written, nothing is sent and NotSent is raised.
        ``on_begin`` is called just before that byte; its OSError does the same.
        """
        form = wire.encode_send(request)
        secrets = (request.text, request.mobile.removeprefix("+98"))
        result = self._converse(
            SEND_PATH, form, wire.decode_send, secrets, start_by, on_begin
        )
        if isinstance(result, wire.SendReply):
            if not wire.is_same_number(result.mobile, form["mobile"]):
                self.suspend_keep_alive()
            return self._without_echoes(result, secrets)
        del form, secrets
        raise result

    def states(self, ids: Sequence[str]) -> dict[str, int]:
        """Return the state codes of those ids that the gateway knows."""
        form = wire.encode_states(ids)
        result = self._converse(STATES_PATH, form, wire.decode_states, ())
        if isinstance(result, GatewayError):
            raise result
        return result

    def close(self) -> None:
        """Close the kept connections."""
        self._pool.close()

    def suspend_keep_alive(self) -> None:
        """Open a connection for each request, for ten minutes.

        An answer came that is another request's: late ones travel on kept connections.
        """
        self._keep_alive.suspend()

    @sensitive_variables()
    def _converse(
        self,
        path: str,
        form: wire.Form,
        decode: Callable[[bytes], T],
        secrets: Iterable[str],
        start_by: float = math.inf,
        on_begin: Callable[[], object] | None = None,
    ) -> T | GatewayError:
        now = time.monotonic()
        exchange = Exchange(
            deadline=now + self._account.deadline,
            start_by=start_by,
            connect_within=self._account.connect_timeout,
            on_begin=on_begin,
        )
        refusal = loopback_only.refusal_of(self._account)
        answer = refusal or self._post(path, form, exchange, now)
        result = answer if isinstance(answer, GatewayError) else _read(answer, decode)
        if isinstance(result, GatewayError):
            result.detail = self._redact(result.detail, secrets)
        return result

    @sensitive_variables()
    def _without_echoes(
        self, reply: wire.SendReply, secrets: Iterable[str]
    ) -> wire.SendReply:
        line, msg = reply.used_line, reply.msg
        # Digits are a line, even if they are a username too.
        if line.isdigit() and msg == "success":  # the usual case: nothing to seek
            return reply
        if not line.isdigit():
            line = self._redact(line, secrets)
        return dataclasses.replace(
            reply, msg=self._redact(msg, secrets), used_line=line
        )

    @sensitive_variables()
    def _redact(self, text: str, secrets: Iterable[str]) -> str:
        account = self._account
        return redact(text, (account.username, account.password, *secrets))

    @sensitive_variables()
    def _post(
        self, path: str, form: wire.Form, exchange: Exchange, began_at: float
    ) -> _Answer | GatewayError:
        try:
            with self._under_watch(exchange), self._open(path, form) as response:
                return _Answer(
                    response.status,
                    response.headers.get("Retry-After", ""),
                    _read_body(response),
                    exchange.expired,
                )
        except _FAILURES as error:
            if exchange.wrote and exchange.reused and not exchange.answered:
                self._keep_alive.suspend()
            return failures.outcome(
                error,
                exchange,
                account=self._account,
                is_direct=not proxies_of(self._account),
                elapsed=time.monotonic() - began_at,
            )

    @contextlib.contextmanager
    def _under_watch(self, exchange: Exchange) -> Iterator[None]:
        connections.begin(exchange, self._keep_alive)
        try:
            watchdog.watch(exchange)
            yield
        finally:
            watchdog.forget(exchange)
            exchange.close()
            connections.end()

    @sensitive_variables()
    def _open(self, path: str, form: wire.Form) -> Any:
        route = self._pool.route_to(path, _HEADERS)
        body = f"{route.login}&{urlencode(form)}".encode("ascii")
        extra = {} if self._keep_alive.is_on else {"Connection": "close"}
        return post(route, body, self._timeout, extra)


def _read(answer: _Answer, decode: Callable[[bytes], T]) -> T | GatewayError:
    result = _understand(answer, decode)
    if answer.is_cut and isinstance(result, OutcomeUnknown):
        return OutcomeUnknown(
            failures.TOO_SLOW, detail=result.detail, effect=result.effect
        )
    return result


def _understand(answer: _Answer, decode: Callable[[bytes], T]) -> T | GatewayError:
    error = http_status.decode_http(answer.status, answer.retry_after, answer.body)
    if error is not None:
        return error
    try:
        return decode(answer.body)
    except GatewayError as refused:
        # Its traceback would lead to the decoder's frame and so to the body.
        return refused.with_traceback(None)


def _read_body(response: Any) -> bytes:
    """Read an answer to its end or its cap, without decoding what is packed.

    read1 returns what has arrived: a drip cannot hold more than one read back.
    """
    body = bytearray()
    while len(body) <= LARGEST_ANSWER:
        chunk = response.read1(_CHUNK, decode_content=False)
        if not chunk:
            response.release_conn()
            return bytes(body)
        body += chunk
    raise failures.AnswerTooLarge
