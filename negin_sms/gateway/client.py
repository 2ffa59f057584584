"""The one door to the network: NeginGateway, on requests.

POST only; no redirect (the adapter is used without a Session, which is where
requests follows them, keeps cookies and reads .netrc); TLS always verified;
a deadline for the whole exchange; answers capped. Whether a failed request may
have been carried out is decided by the phase it reached, never by the type of the
error: SSLError and ReadTimeout both occur before and after the request was sent.

requests' errors hold the form, and so the password. They are turned into ours
here, in one place, and leave no trace in ours: ``_post`` returns what happened
and ``send`` and ``states`` raise it from a frame that holds no secret.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import os
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

import requests
import urllib3
from django.views.decorators.debug import sensitive_variables
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from negin_sms import __version__
from negin_sms.conf import SETTING, Account
from negin_sms.exceptions import (
    GatewayError,
    InvalidConfiguration,
    OutcomeUnknown,
)

from . import connections, failures, wire
from .exchange import Exchange, Watchdog
from .redaction import redact

T = TypeVar("T")

SEND_PATH = "/wsSend.ashx"
STATES_PATH = "/wsStates.ashx"
USER_AGENT = f"django-negin-sms/{__version__}"
LARGEST_ANSWER = 64 * 1024
_CHUNK = 16 * 1024

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
        self._keep_alive = connections.KeepAlive(account.keep_alive)
        self._adapter = _Adapter(trust_of(account), account.workers)
        self._settings = _environment(account)
        self._envelopes = {
            path: _envelope(account.base_url + path, self._settings.auth)
            for path in (SEND_PATH, STATES_PATH)
        }
        self._timeout = urllib3.Timeout(
            connect=account.connect_timeout, read=account.read_timeout
        )

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
        self._adapter.close()

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
            deadline=now + self._account.deadline, start_by=start_by, on_begin=on_begin
        )
        answer = self._post(path, form, exchange, now)
        result = answer if isinstance(answer, GatewayError) else _read(answer, decode)
        if isinstance(result, GatewayError):
            result.detail = self._redact(result.detail, secrets)
        return result

    @sensitive_variables()
    def _without_echoes(
        self, reply: wire.SendReply, secrets: Iterable[str]
    ) -> wire.SendReply:
        line, msg = reply.used_line, reply.msg
        if not line.isdigit():  # digits are a line, even if they are a username too
            line = self._redact(line, secrets)
        if msg != "success":  # the usual case, and the search takes its time
            msg = self._redact(msg, secrets)
        return dataclasses.replace(reply, msg=msg, used_line=line)

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
                    response.status_code,
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
                is_direct=not self._settings.proxies,
                elapsed=time.monotonic() - began_at,
            )

    @contextlib.contextmanager
    def _under_watch(self, exchange: Exchange) -> Iterator[None]:
        connections.begin(exchange, self._keep_alive)
        try:
            watchdog.watch(exchange)
            yield
        finally:
            watchdog.release(exchange)
            exchange.close()
            connections.end()

    @sensitive_variables()
    def _open(self, path: str, form: wire.Form) -> requests.Response:
        account = self._account
        credentials = {"username": account.username, "password": account.password}
        request = self._envelopes[path].copy()
        request.body = urlencode(credentials | form).encode("ascii")
        request.headers["Content-Length"] = str(len(request.body))
        if not self._keep_alive.is_on:
            request.headers["Connection"] = "close"
        return self._adapter.send(
            request,
            stream=True,
            timeout=self._timeout,  # type: ignore[arg-type]  # not in the stubs
            verify=True,
            proxies=self._settings.proxies,
        )


def _envelope(url: str, auth: tuple[str, str] | None) -> requests.PreparedRequest:
    """Return a request that lacks its body, prepared once for all that are sent."""
    headers = {
        "Accept-Encoding": "identity",
        "User-Agent": USER_AGENT,
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
    }
    return requests.Request("POST", url, headers=headers, auth=auth).prepare()


def _read(answer: _Answer, decode: Callable[[bytes], T]) -> T | GatewayError:
    result = _understand(answer, decode)
    if answer.is_cut and isinstance(result, OutcomeUnknown):
        return OutcomeUnknown(
            failures.TOO_SLOW, detail=result.detail, effect=result.effect
        )
    return result


def _understand(answer: _Answer, decode: Callable[[bytes], T]) -> T | GatewayError:
    error = wire.decode_http(answer.status, answer.retry_after, answer.body)
    if error is not None:
        return error
    try:
        return decode(answer.body)
    except GatewayError as refused:
        # Its traceback would lead to the decoder's frame and so to the body.
        return refused.with_traceback(None)


def _read_body(response: requests.Response) -> bytes:
    """Read an answer to its end or its cap, without decoding what is packed.

    read1 returns what has arrived: a drip cannot hold more than one read back.
    """
    body = bytearray()
    while len(body) <= LARGEST_ANSWER:
        chunk = response.raw.read1(_CHUNK, decode_content=False)
        if not chunk:
            response.raw.release_conn()
            return bytes(body)
        body += chunk
    raise failures.AnswerTooLarge


@dataclass(frozen=True, slots=True)
class _Environment:
    proxies: dict[str, str] = field(repr=False)
    auth: tuple[str, str] | None = field(repr=False)


def _environment(account: Account) -> _Environment:
    """Read proxies and .netrc where the account asks for them (TRUST_ENV)."""
    if not account.trust_env:
        return _Environment({}, None)
    return _Environment(
        dict(requests.utils.get_environ_proxies(account.base_url)),
        requests.utils.get_netrc_auth(account.base_url),
    )


def proxy_of(account: Account) -> str:
    """Return the address of the proxy before the gateway, "" where there is none."""
    proxies = _environment(account).proxies
    return requests.utils.select_proxy(account.base_url, proxies) or ""


def trust_of(account: Account) -> ssl.SSLContext:
    """Return the TLS context of an account; InvalidConfiguration for its CA_FILE."""
    try:
        return _tls_context(account.ca_file)
    except OSError as error:  # ssl.SSLError, where it holds no certificate
        raise InvalidConfiguration(
            f'{SETTING}["{account.alias}"]["CA_FILE"] cannot be read '
            f"({error.strerror}). Write the path of a file of PEM certificates."
        ) from None


@functools.cache  # reading some hundred certificates takes longer than a send
def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Return a context that trusts the system, certifi and the CA file."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    if ca_file:
        context.load_verify_locations(ca_file)
    return context


class _Adapter(HTTPAdapter):
    """requests' adapter with our connections, our TLS context and no retries.

    It serves one address with one trust, by one proxy or none, so what the base
    class looks up for each request is looked up once.
    """

    def __init__(self, context: ssl.SSLContext, connections_kept: int) -> None:
        self._context = context
        self._pool: Any = None
        self._targets: dict[str, str] = {}
        super().__init__(
            pool_connections=2, pool_maxsize=max(connections_kept, 2), max_retries=0
        )

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)
        self.poolmanager.pool_classes_by_scheme = connections.POOL_CLASSES

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)
        manager.pool_classes_by_scheme = connections.POOL_CLASSES
        return manager

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool = self._pool
        if pool is None:
            pool = super().get_connection_with_tls_context(*args, **kwargs)
            self._pool = pool
        return pool

    def request_url(self, request: Any, proxies: Any) -> str:
        target = self._targets.get(request.url)
        if target is None:
            target = self._targets[request.url] = super().request_url(request, proxies)
        return target

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        # Without cookies and a guess at the encoding, which nobody reads.
        response = requests.Response()
        response.status_code, response.headers = resp.status, resp.headers
        response.raw, response.request = resp, req
        return response

    def close(self) -> None:
        super().close()
        self._pool = None

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        # The context holds the trust already; loading certifi's bundle again for
        # each connection, as the base class does, costs more than the handshake.
        conn.cert_reqs = "CERT_REQUIRED"
        conn.ca_certs = conn.ca_cert_dir = None
