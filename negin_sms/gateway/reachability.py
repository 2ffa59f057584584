"""Looking at the route to a gateway, step by step: nothing is sent over it.

The client says of a failed request what it means for the message; this says how far
the route is open, for whoever has to mend it. One connection, by the account's own
proxy, trust and time limits, and one HEAD request without credentials, for the time
that servers put on their answers.
"""

from __future__ import annotations

import base64
import contextlib
import email.utils
import enum
import errno
import http.client
import math
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import SplitResult, unquote, urlsplit

from negin_sms.conf import Account

from . import client, loopback_only
from .cleaning import clean
from .connections import open_socket
from .deadline import Exchange
from .pool import proxy_of
from .tls import trust_of

_PORTS = {"http": 80, "https": 443}


class Step(enum.Enum):
    """A step on the route, in their order."""

    NAME = "name"
    CONNECTION = "connection"
    TLS = "tls"
    ANSWER = "answer"


@dataclass(slots=True, kw_only=True)
class Route:
    """How far the route is open: the first step that ``failed``, and what was seen.

    ``peer`` is the host that is connected to, a proxy where there is one; ``unseen`` is
    all behind one that speaks anything but plain http. ``cause`` holds the system's
    words, ``verify_code`` OpenSSL's reason against a certificate;
    ``ends_at`` is the end of the certificate, ``ahead`` by how many seconds our clock
    is ahead of the gateway's, None where it does not tell the time.
    """

    peer: str
    port: int
    unseen: bool = False
    addresses: tuple[str, ...] = ()
    tls_version: str = ""
    ends_at: datetime | None = None
    ahead: float | None = None
    failed: Step | None = None
    cause: str = ""
    verify_code: int = 0


def look(account: Account) -> Route:
    """Go the route to an account's gateway and return what was seen of it.

    Raise InvalidConfiguration for a CA_FILE that cannot be read.
    """
    walk = _Walk(account, proxy_of(account), trust_of(account))
    if walk.route.unseen:
        return walk.route
    with contextlib.closing(walk):
        try:
            walk.go()
        # UnicodeError: a host name that no name server could be asked for.
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            walk.route.failed = walk.step
            walk.route.cause = _words(error)
            walk.route.verify_code = getattr(error, "verify_code", 0)
    return walk.route


class _Walk:
    """The connection on its route, under the client's watchdog."""

    def __init__(self, account: Account, proxy: str, trust: ssl.SSLContext) -> None:
        self._account, self._trust = account, trust
        self._gateway = urlsplit(account.base_url)
        self._proxy = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        peer = self._proxy if proxy else self._gateway
        self.route = Route(
            peer=peer.hostname or "",
            port=_port(peer),
            unseen=bool(proxy) and self._proxy.scheme not in ("", "http"),
        )
        self._http = http.client.HTTPConnection(
            self.route.peer, self.route.port, timeout=account.connect_timeout
        )
        # http.client prints what it sends when its class-wide debuglevel is raised.
        self._http.set_debuglevel(0)
        self._http._create_connection = self._open_socket  # type: ignore[attr-defined]
        self._exchange = Exchange(
            deadline=time.monotonic() + account.deadline,
            start_by=math.inf,
            connect_within=account.connect_timeout,
        )
        self.step = Step.NAME
        self.steps: tuple[tuple[Step, Callable[[], None]], ...] = (
            (Step.NAME, self._resolve),
            (Step.CONNECTION, self._connect),
            (Step.TLS, self._secure),
            (Step.ANSWER, self._ask),
        )

    def go(self) -> None:
        for step, take in self.steps:
            self.step = step
            take()

    def close(self) -> None:
        client.watchdog.forget(self._exchange)
        self._exchange.close()
        self._http.close()

    def _resolve(self) -> None:
        client.watchdog.watch(self._exchange)
        found = socket.getaddrinfo(
            self.route.peer, self.route.port, type=socket.SOCK_STREAM
        )
        self.route.addresses = tuple(dict.fromkeys(str(one[4][0]) for one in found))

    def _connect(self) -> None:
        if self._proxy.hostname and self._account.is_encrypted:
            self._http.set_tunnel(
                self._account.host, _port(self._gateway), self._proxy_headers()
            )
        if not loopback_only.allows(self.route.addresses):
            raise OSError(errno.EACCES, "test run: only this machine is reached")
        self._http.connect()
        self._http.sock.settimeout(self._account.read_timeout)

    def _open_socket(
        self, address: tuple[str, int], timeout: float, _source: object
    ) -> socket.socket:
        deadline = self._exchange.deadline
        sock = open_socket(*address, timeout=timeout, deadline=deadline)
        self._exchange.attach(sock)
        return sock

    def _secure(self) -> None:
        if not self._account.is_encrypted:
            return
        host = self._account.host
        secure = self._trust.wrap_socket(self._http.sock, server_hostname=host)
        self._http.sock = secure
        self.route.tls_version = secure.version() or ""
        certificate = secure.getpeercert() or {}
        ends_at = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
        self.route.ends_at = datetime.fromtimestamp(ends_at, UTC)

    def _ask(self) -> None:
        direct = self._account.is_encrypted or not self._proxy.hostname
        target = (self._gateway.path or "/") if direct else self._account.base_url
        headers = {"Connection": "close", "User-Agent": client.USER_AGENT}
        if not direct:
            headers |= self._proxy_headers()
        before = time.time()
        self._http.request("HEAD", target, headers=headers)
        date = self._http.getresponse().getheader("Date", "")
        with contextlib.suppress(ValueError):
            told = email.utils.parsedate_to_datetime(date).timestamp()
            # It was told somewhere between, and in whole seconds.
            self.route.ahead = (before + time.time()) / 2 - (told + 0.5)

    def _proxy_headers(self) -> dict[str, str]:
        if not self._proxy.username:
            return {}
        pair = f"{unquote(self._proxy.username)}:{unquote(self._proxy.password or '')}"
        token = base64.b64encode(pair.encode()).decode()
        return {"Proxy-Authorization": f"Basic {token}"}


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS.get(parts.scheme, _PORTS["http"])


def _words(error: Exception) -> str:
    words = getattr(error, "verify_message", "") or getattr(error, "strerror", "")
    if isinstance(error, TimeoutError) or str(error).startswith("Tunnel connection"):
        words = words or str(error)
    return clean(words or type(error).__name__, limit=120)
