"""A gateway that misbehaves on purpose, and remembers what it was sent.

A real HTTP or HTTPS server on raw sockets and threads, on 127.0.0.1 and a free port.
It follows a script of modes, one a request; the last mode repeats. A request is in
its journal from its first byte on, whole or not, and so before it is answered: the
journal says what was really sent. Who wants to read a request takes it from ``whole``.
To add a mode: one function under ``@mode``, and what the client makes of it in
test_client.py.

    with BadGateway("good", "reset_after_body") as server:
        …  # server.url, server.journal, server.connections
"""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import functools
import gzip
import html
import itertools
import json
import os
import random
import signal
import socket
import ssl
import struct
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import trustme

from negin_sms.gateway.connections import TLSSocket

HOST = "127.0.0.1"
FIRST_ID = 100_001
BOTH = ("http", "https")
DRIP = 0.15  # s between two bytes

Stage = Literal["connect", "accept", "request", "answer"]


# --- what was received -----------------------------------------------------------


@dataclass
class Entry:
    """One request as it came in, byte by byte, and what was made of it."""

    connection: int
    raw: bytes = b""
    answered: int | None = None  # the HTTP status of a complete answer
    code: int | None = None  # the status in the answer's JSON
    gateway_id: str = ""
    # When it had come: how many others waited for their answers, and how many ids
    # had been given.
    beside: int = 0
    after: int = 0

    @property
    def whole(self) -> bool:
        """Return whether the last byte of the body has arrived."""
        return b"\r\n\r\n" in self.raw and len(self.body) >= self.length

    @property
    def headers(self) -> dict[str, str]:
        lines = self.raw.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines)
        return {name.lower(): value.strip() for name, _, value in pairs}

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]

    @property
    def length(self) -> int:
        return int(self.headers.get("content-length", 0))

    @property
    def target(self) -> str:
        return self.raw.partition(b"\r\n")[0].decode("latin-1").split(" ")[1]

    @property
    def method(self) -> str:
        return self.raw.partition(b" ")[0].decode("latin-1")

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> str:
        return urlsplit(self.target).query

    @property
    def form(self) -> dict[str, str]:
        """Return the fields of the form; one that came twice is an error."""
        fields = parse_qs(
            self.body.decode("ascii"), keep_blank_values=True, errors="strict"
        )
        assert all(len(values) == 1 for values in fields.values())
        return {name: values[0] for name, values in fields.items()}


# --- certificates ----------------------------------------------------------------


@functools.cache
def authority() -> trustme.CA:
    """Return the authority that CA_FILE may name."""
    return trustme.CA()


def write_ca(path: Path) -> str:
    """Write the authority's certificate to a file and return its name."""
    authority().cert_pem.write_to_path(str(path))
    return str(path)


def _ends(kind: str) -> datetime.datetime | None:
    days = {"expired": -1, "ending": 5}
    if kind not in days:
        return None
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days[kind])


@functools.cache
def server_context(kind: str) -> ssl.SSLContext:
    """Return a context: good, or with what its kind says.

    expired, ending (in five days), untrusted, self_signed, other_name, old_tls.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslsocket_class = TLSSocket  # a client may be gone before the handshake
    if kind == "self_signed":
        own = trustme.CA()
        with own.cert_pem.tempfile() as cert, own.private_key_pem.tempfile() as key:
            context.load_cert_chain(cert, key)
        return context
    issuer = trustme.CA() if kind == "untrusted" else authority()
    name = "other.example" if kind == "other_name" else HOST
    leaf = issuer.issue_cert(name, not_after=_ends(kind))
    leaf.configure_cert(context)
    if kind == "old_tls":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


# --- the server ------------------------------------------------------------------


@dataclass(frozen=True)
class Mode:
    """One way to answer or not. The stage is how far the client got by then.

    connect: no connection; accept: a connection, not yet TLS; request: nothing read
    of the request; answer: the request is whole, and in the journal.
    """

    name: str
    stage: Stage
    schemes: tuple[str, ...]
    act: Callable[[Any], None]


MODES: dict[str, Mode] = {}


class BadGateway:
    """A server for one script.

    Seconds are waited before each answer (``latency``) and before TLS
    (``handshake_delay``); an idle connection is dropped after ``idle_limit``;
    redirects go to ``target``.
    """

    def __init__(
        self,
        *script: str,
        scheme: str = "http",
        certificate: str = "good",
        latency: float = 0.0,
        handshake_delay: float = 0.0,
        idle_limit: float | None = None,
        target: str = "",
        clock: datetime.timedelta | None = None,
    ) -> None:
        self.clock = clock
        self.scheme, self.certificate = scheme, certificate
        self.latency, self.handshake_delay = latency, handshake_delay
        self.idle_limit, self.target = idle_limit, target
        self.journal: list[Entry] = []
        self.connections = 0
        self.port = 0
        self._at_once = self._given = 0
        # Gateway id: code, None for an id that it leaves out; 1 for the others.
        self.states: dict[str, int | None] = {}
        self.changes: dict[str, Any] = {}  # to what an acceptance says
        self.poisoned: set[str] = set()  # with one of them it refuses all
        self.stopping = threading.Event()
        self._script = deque(MODES[name] for name in script or ("good",))
        self._lock = threading.Lock()
        self._listener = socket.socket()
        self._talks: set[Talk] = set()
        self._threads: list[threading.Thread] = []
        self._fillers: list[socket.socket] = []

    @property
    def url(self) -> str:
        """Return the base URL to configure."""
        return f"{self.scheme}://{HOST}:{self.port}/api"

    @property
    def whole(self) -> list[Entry]:
        """Return the requests that have arrived to their last byte."""
        return [entry for entry in list(self.journal) if entry.whole]

    @property
    def ids(self) -> list[str]:
        """Return the ids given out, in the order of their requests."""
        return [entry.gateway_id for entry in self.journal if entry.gateway_id]

    def __enter__(self) -> BadGateway:
        self._listener.bind((HOST, 0))
        self.port = self._listener.getsockname()[1]
        mode = self.peek()
        if mode.stage == "connect":
            mode.act(self)
            return self
        self._listener.listen(128)
        self._spawn(self._accept)
        return self

    def __exit__(self, *exc: object) -> None:
        self.stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        with self._lock:
            talks = list(self._talks)
        for talk in talks:
            talk.interrupt()
        for thread in self._threads:
            thread.join(10)
        for sock in (self._listener, *self._fillers):
            sock.close()

    def peek(self) -> Mode:
        """Return the mode of the request to come."""
        with self._lock:
            return self._script[0]

    def take(self) -> Mode:
        """Return the mode of the request at hand and turn to the next."""
        with self._lock:
            return self._script.popleft() if len(self._script) > 1 else self._script[0]

    def wait_for(self, requests: int, seconds: float = 120.0) -> None:
        """Wait until so many requests have come."""
        wait_until(lambda: len(self.journal) >= requests, seconds)

    def heal(self) -> None:
        """Answer well from now on."""
        with self._lock:
            self._script = deque([MODES["good"]])

    @contextlib.contextmanager
    def counted(self, entry: Entry) -> Iterator[None]:
        """Count the requests that wait for their answers at once."""
        with self._lock:
            entry.beside, entry.after = self._at_once, self._given
            self._at_once += 1
        try:
            yield
        finally:
            with self._lock:
                self._at_once -= 1

    def enter(self, entry: Entry) -> None:
        with self._lock:
            self.journal.append(entry)

    def contract_answer(self, entry: Entry) -> bytes:
        """Answer as the contract says: a new id, or the states of ids."""
        if entry.method == "HEAD":
            return b""
        form = entry.form
        if entry.path.endswith("/wsStates.ashx"):
            return self.states_answer(form["message_ids"].split(","))
        with self._lock:
            entry.gateway_id = str(FIRST_ID + self._given)
            self._given += 1
        return accepted(int(entry.gateway_id), form, **self.changes)

    def states_answer(self, ids: list[str]) -> bytes:
        """Answer in an order of its own, as the contract allows."""
        if self.poisoned.intersection(ids):
            return reply(status=24, msg="invalid message id")
        known = {one: self.states.get(one, 1) for one in random.sample(ids, len(ids))}
        known = {one: code for one, code in known.items() if code is not None}
        states = ",".join(map(str, known.values()))
        return reply({"msgIds": ",".join(known), "states": states})

    def fill_backlog(self) -> None:
        """Listen, and let nobody in: the kernel drops every further SYN."""
        self._listener.listen(0)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(self._listener.getsockname())
            self._fillers.append(filler)

    def _spawn(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._spawn(self._serve, Talk(self, sock, self.connections))

    def _serve(self, talk: Talk) -> None:
        with self._lock:
            self._talks.add(talk)
        if self.stopping.is_set():
            talk.interrupt()
        try:
            with contextlib.suppress(OSError, Hangup):
                self._converse(talk)
        finally:
            with self._lock:
                self._talks.discard(talk)
            talk.close()

    def _converse(self, talk: Talk) -> None:
        if self.peek().stage == "accept":
            self.take().act(talk)
            return
        if self.scheme == "https":
            self.stopping.wait(self.handshake_delay)
            talk.shake_hands(server_context(self.certificate))
        while True:
            if self.peek().stage == "request":
                self.take().act(talk)
                return
            talk.receive()
            mode = self.take()
            with self.counted(talk.request):
                self.stopping.wait(self.latency)
            mode.act(talk)
            if talk.request.headers.get("connection") == "close":
                return
            talk.sock.settimeout(self.idle_limit)


class Hangup(Exception):
    """This connection is over."""


class Talk:
    """One connection, as the modes see it."""

    def __init__(self, server: BadGateway, sock: socket.socket, number: int) -> None:
        self.server, self.sock, self.number = server, sock, number
        self.request = Entry(number)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def shake_hands(self, context: ssl.SSLContext) -> None:
        wrapped = context.wrap_socket(
            self.sock, server_side=True, do_handshake_on_connect=False
        )
        self.sock = wrapped
        wrapped.do_handshake()

    def receive(self, enough: Callable[[Entry], bool] | None = None) -> Entry:
        """Read one request, to its end or until it is ``enough``."""
        size = 65536 if enough is None else 1
        first = self.sock.recv(size)
        if not first:
            raise Hangup
        self.sock.settimeout(None)
        self.request = Entry(self.number, first)
        self.server.enter(self.request)
        while not (enough(self.request) if enough else self.request.whole):
            chunk = self.sock.recv(size)
            if not chunk:
                raise Hangup
            self.request.raw += chunk
        return self.request

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(
        self, body: bytes, status: int = 200, headers: str = "", *, close: bool = False
    ) -> None:
        self.request.answered = status
        with contextlib.suppress(ValueError, LookupError, TypeError):
            self.request.code = json.loads(body)["status"]
        if self.server.clock is not None:
            moment = datetime.datetime.now(datetime.UTC) + self.server.clock
            headers += f"Date: {email.utils.format_datetime(moment, usegmt=True)}\r\n"
        self.send(head(status, f"Content-Length: {len(body)}\r\n{headers}") + body)
        if close:
            raise Hangup

    def drip(self, data: bytes) -> None:
        """Send byte by byte, as slowly as no single read times out."""
        for byte in data:
            self.send(bytes([byte]))
            self.pause(DRIP)

    def pause(self, seconds: float) -> None:
        if self.server.stopping.wait(seconds):
            raise Hangup

    def hang(self) -> None:
        """Say nothing until the client has gone or the server stops."""
        while self.sock.recv(65536):
            pass
        raise Hangup

    def reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        raise Hangup

    def send_beneath_tls(self, data: bytes) -> None:
        os.write(self.sock.fileno(), data)

    def interrupt(self) -> None:
        # SSLSocket.shutdown would pull the TLS object from under the other thread.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def close(self) -> None:
        self.sock.close()


# --- what a mode says ------------------------------------------------------------


def reply(data: Any = None, status: int = -1, msg: str = "success") -> bytes:
    """Return a body of the contract's shape."""
    return json.dumps({"data": data, "status": status, "msg": msg}).encode()


def accepted(gateway_id: int, form: dict[str, str], **changes: Any) -> bytes:
    line = int(form.get("line", "9830003300"))
    data = {"message_id": gateway_id, "line": line, "mobile": form["mobile"]}
    return reply(data | changes)


def head(status: int | str, headers: str = "Connection: close\r\n") -> bytes:
    return f"HTTP/1.1 {status} Some\r\n{headers}\r\n".encode()


GOOD_BODY = accepted(777_001, {"mobile": "989121234567"})
HTML = b"<html><body>Sorry</body></html>"
CHUNKED = "Transfer-Encoding: chunked\r\n"


def mode(
    stage: Stage = "answer", schemes: tuple[str, ...] = BOTH
) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Enter a function among the modes, under its own name."""

    def register(act: Callable[[Any], None]) -> Callable[[Any], None]:
        add(act.__name__, act, stage, schemes)
        return act

    return register


def add(
    name: str,
    act: Callable[[Any], None],
    stage: Stage = "answer",
    schemes: tuple[str, ...] = BOTH,
) -> None:
    MODES[name] = Mode(name, stage, schemes, act)


# connect: nobody is there


@mode("connect")
def refused(server: BadGateway) -> None:
    pass  # bound but not listening: the port stays ours, and closed


@mode("connect")
def connect_hang(server: BadGateway) -> None:
    server.fill_backlog()


# accept: a connection, and trouble before TLS stands


@mode("accept")
def accept_close(talk: Talk) -> None:
    pass


@mode("accept")
def accept_reset(talk: Talk) -> None:
    talk.reset()


@mode("accept", ("https",))
def handshake_hang(talk: Talk) -> None:
    talk.hang()


@mode("accept", ("https",))
def handshake_cut(talk: Talk) -> None:
    talk.sock.recv(65536)


@mode("accept", ("https",))
def handshake_reset(talk: Talk) -> None:
    talk.sock.recv(65536)
    talk.reset()


@mode("accept", ("https",))
def handshake_drip(talk: Talk) -> None:
    talk.sock.recv(65536)
    talk.drip(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc" + b"\x00" * 1000)


@mode("accept", ("https",))
def handshake_garbage(talk: Talk) -> None:
    talk.sock.recv(65536)
    talk.send(b"\x16\x03\x03\x00\x04\xde\xad\xbe\xef")


@mode("accept", ("https",))
def plain_http_on_tls_port(talk: Talk) -> None:
    talk.sock.recv(65536)
    talk.send(head(400) + HTML)


# request: TLS stands, the request is on its way


@mode("request")
def reset_in_headers(talk: Talk) -> None:
    talk.receive(lambda entry: len(entry.raw) >= 40)
    talk.reset()


@mode("request")
def reset_in_body(talk: Talk) -> None:
    talk.receive(lambda entry: len(entry.body) >= 10)
    talk.reset()


@mode("request")
def close_in_body(talk: Talk) -> None:
    talk.receive(lambda entry: len(entry.body) >= 10)


@mode("request")
def hang_in_body(talk: Talk) -> None:
    talk.receive(lambda entry: len(entry.body) >= 10)
    talk.server.stopping.wait()


# answer: the request is whole; what comes back is no answer


@mode()
def reset_after_body(talk: Talk) -> None:
    talk.reset()


@mode()
def close_after_body(talk: Talk) -> None:
    raise Hangup


@mode()
def no_answer(talk: Talk) -> None:
    talk.hang()


@mode(schemes=("https",))
def tls_garbage(talk: Talk) -> None:
    talk.send_beneath_tls(b"\x17\x03\x03\x00\x20" + b"garbage!" * 4)


@mode(schemes=("https",))
def tls_garbage_in_answer(talk: Talk) -> None:
    talk.send(head(200, "Content-Length: 500\r\n") + GOOD_BODY)
    talk.send_beneath_tls(b"HTTP/1.1 200 this is not TLS\r\n\r\n")


@mode(schemes=("https",))
def tls_alert_in_answer(talk: Talk) -> None:
    talk.send_beneath_tls(b"\x15\x03\x03\x00\x02\x02\x50")


@mode(schemes=("http",))
def tls_on_plain_port(talk: Talk) -> None:
    talk.send(b"\x15\x03\x01\x00\x02\x02\x46")


@mode()
def drip_status_line(talk: Talk) -> None:
    talk.drip(head(200) + GOOD_BODY)


@mode()
def drip_headers(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\n")
    talk.drip(b"X-Slow: 1\r\n" * 100)


@mode()
def drip_body_with_length(talk: Talk) -> None:
    talk.send(head(200, f"Content-Length: {len(GOOD_BODY)}\r\n"))
    talk.drip(GOOD_BODY)


@mode()
def drip_body_chunked(talk: Talk) -> None:
    talk.send(head(200, CHUNKED))
    for byte in GOOD_BODY:
        talk.send(b"1\r\n" + bytes([byte]) + b"\r\n")
        talk.pause(DRIP)


@mode()
def drip_body_until_close(talk: Talk) -> None:
    talk.send(head(200))
    talk.drip(GOOD_BODY)


@mode()
def drip_after_whole_body(talk: Talk) -> None:
    talk.send(head(200) + GOOD_BODY)
    talk.drip(b" " * 100)


@mode()
def stall_in_headers(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    talk.hang()


@mode()
def stall_in_body(talk: Talk) -> None:
    talk.send(head(200, f"Content-Length: {len(GOOD_BODY)}\r\n") + GOOD_BODY[:20])
    talk.hang()


@mode()
def reset_in_answer_headers(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    talk.pause(0.05)
    talk.reset()


@mode()
def reset_in_answer_body(talk: Talk) -> None:
    talk.send(head(200, f"Content-Length: {len(GOOD_BODY)}\r\n") + GOOD_BODY[:20])
    talk.pause(0.05)
    talk.reset()


@mode()
def close_in_answer_headers(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    raise Hangup


@mode()
def short_body(talk: Talk) -> None:
    talk.send(head(200, "Content-Length: 5000\r\n") + GOOD_BODY)
    raise Hangup


@mode()
def cut_body_until_close(talk: Talk) -> None:
    talk.send(head(200) + GOOD_BODY[:-4])
    raise Hangup


@mode()
def cut_chunk(talk: Talk) -> None:
    talk.send(head(200, CHUNKED) + b"1000\r\n" + GOOD_BODY)
    raise Hangup


@mode()
def bad_chunk_size(talk: Talk) -> None:
    talk.send(head(200, CHUNKED) + b"zz\r\n" + GOOD_BODY + b"\r\n0\r\n\r\n")
    raise Hangup


@mode()
def negative_chunk_size(talk: Talk) -> None:
    talk.send(head(200, CHUNKED) + b"-5\r\nhello\r\n0\r\n\r\n")
    raise Hangup


@mode()
def endless_body(talk: Talk) -> None:
    talk.send(head(200))
    while True:
        talk.send(b"x" * 16384)


@mode()
def endless_chunks(talk: Talk) -> None:
    talk.send(head(200, CHUNKED))
    while True:
        talk.send(b"4000\r\n" + b"x" * 16384 + b"\r\n")


@mode()
def huge_length(talk: Talk) -> None:
    talk.send(head(200, f"Content-Length: {10**12}\r\n"))
    while True:
        talk.send(b" " * 16384)


@mode()
def endless_headers(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        talk.send(b"X-More: 1\r\n" * 50)


@mode()
def hundred_headers(talk: Talk) -> None:
    talk.send(head(200, "X-More: 1\r\n" * 150 + "Connection: close\r\n") + GOOD_BODY)
    raise Hangup


@mode()
def long_header(talk: Talk) -> None:
    talk.send(head(200, "X-Long: " + "a" * 70_000 + "\r\n") + GOOD_BODY)
    raise Hangup


@mode()
def long_status_line(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 " + b"a" * 70_000 + b"\r\n\r\n" + GOOD_BODY)
    raise Hangup


@mode()
def garbage_status_line(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 two-hundred OK\r\n\r\n" + GOOD_BODY)
    raise Hangup


@mode()
def garbage_bytes(talk: Talk) -> None:
    talk.send(bytes(range(256)) * 4)
    raise Hangup


@mode()
def http09_text(talk: Talk) -> None:
    talk.send(GOOD_BODY)
    raise Hangup


@mode()
def unequal_lengths(talk: Talk) -> None:
    talk.send(head(200, "Content-Length: 5\r\nContent-Length: 90\r\n") + GOOD_BODY)
    raise Hangup


@mode()
def continue_flood(talk: Talk) -> None:
    while True:
        talk.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 20)
        talk.pause(0.005)


@mode()
def early_hints(talk: Talk) -> None:
    """103, and the answer itself when the client has gone away."""
    talk.send(head(103, "Link: </style.css>\r\n"))
    talk.pause(0.1)
    talk.send(head(200, f"Content-Length: {len(GOOD_BODY)}\r\n") + GOOD_BODY)


@mode()
def empty_body(talk: Talk) -> None:
    talk.answer(b"")


@mode()
def html_200(talk: Talk) -> None:
    talk.answer(HTML, headers="Content-Type: text/html\r\n")


@mode()
def wrong_gzip(talk: Talk) -> None:
    talk.answer(b"\x1f\x8bno gzip at all", headers="Content-Encoding: gzip\r\n")


@functools.cache
def _bomb() -> bytes:
    return gzip.compress(b"[" * 10_000_000, 1)


@mode()
def gzip_bomb(talk: Talk) -> None:
    talk.answer(_bomb(), headers="Content-Encoding: gzip\r\n")


@mode()
def said_gzip_is_plain(talk: Talk) -> None:
    body = talk.server.contract_answer(talk.request)
    talk.answer(body, headers="Content-Encoding: gzip\r\n")


# answer: HTTP statuses


def _status(talk: Talk, status: int, body: bytes, headers: str = "") -> None:
    talk.answer(body, status, headers)


def _redirect(talk: Talk, status: int) -> None:
    talk.answer(b"", status, f"Location: {talk.server.target}/wsSend.ashx\r\n")


REDIRECTS = (301, 302, 303, 307, 308)
ERRORS = (
    *(400, 401, 402, 403, 404, 405, 408, 409, 411, 413, 414, 415, 425, 429, 431),
    *(451, 499, 500, 501, 502, 503, 504, 520, 599),
)
BLACKLISTED, NO_CREDIT, TOO_FAST = 27, 14, 409

for _code in REDIRECTS:
    add(f"redirect_{_code}", functools.partial(_redirect, status=_code))
for _code in ERRORS:
    add(f"status_{_code}", functools.partial(_status, status=_code, body=HTML))
    for _name, _body in (
        ("refusal", reply(None, BLACKLISTED, "no")),
        ("no_credit", reply(None, NO_CREDIT, "no")),
        ("exception", reply(None, 0, "no")),
        ("accepted", GOOD_BODY),
    ):
        _act = functools.partial(_status, status=_code, body=_body)
        add(f"status_{_code}_{_name}", _act, schemes=("http",))
for _code in (204, 304):
    add(f"status_{_code}", functools.partial(_status, status=_code, body=b""))
for _name, _code, _wait in (
    ("status_429_retry_after", 429, "7"),
    ("status_429_retry_date", 429, "Wed, 21 Oct 2037 07:28:00 GMT"),
    ("status_429_retry_garbage", 429, "٣٠٠٠٠٠٠٠"),
    ("status_503_retry_after", 503, "7"),
):
    add(
        _name,
        functools.partial(
            _status, status=_code, body=HTML, headers=f"Retry-After: {_wait}\r\n"
        ),
    )
for _name, _code in (
    ("code_rejected", BLACKLISTED),
    ("code_no_credit", NO_CREDIT),
    ("code_too_fast", TOO_FAST),
    ("code_unknown", 4242),
    ("code_exception", 0),
):
    add(_name, functools.partial(_status, status=200, body=reply(None, _code, "no")))


# answer: good ones


@mode()
def good(talk: Talk) -> None:
    talk.answer(talk.server.contract_answer(talk.request))


@mode()
def good_then_close(talk: Talk) -> None:
    """Promise to keep the connection, and close it at once."""
    body = talk.server.contract_answer(talk.request)
    talk.answer(body, headers="Connection: keep-alive\r\n", close=True)


@mode()
def good_then_reset(talk: Talk) -> None:
    talk.answer(talk.server.contract_answer(talk.request))
    talk.pause(0.05)
    talk.reset()


@mode()
def good_until_close(talk: Talk) -> None:
    body = talk.server.contract_answer(talk.request)
    talk.request.answered = 200
    talk.send(head(200) + body)
    raise Hangup


@mode()
def good_chunked(talk: Talk) -> None:
    body = talk.server.contract_answer(talk.request)
    talk.request.answered = 200
    parts = (body[:7], body[7:])
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    talk.send(head(200, CHUNKED) + chunks + b"0\r\n\r\n")


@mode()
def good_with_bom(talk: Talk) -> None:
    body = b"\xef\xbb\xbf" + talk.server.contract_answer(talk.request)
    talk.answer(body, headers="Content-Type: text/plain; charset=utf-8\r\n")


@mode()
def good_odd_type(talk: Talk) -> None:
    body = talk.server.contract_answer(talk.request)
    talk.answer(body, 201, "Content-Type: text/html; charset=cp1256\r\n")


@mode()
def good_after_100(talk: Talk) -> None:
    talk.send(head(100, ""))
    good(talk)


@mode()
def good_http10(talk: Talk) -> None:
    body = talk.server.contract_answer(talk.request)
    talk.request.answered = 200
    talk.send(b"HTTP/1.0 200 OK\r\n\r\n" + body)
    raise Hangup


@mode()
def good_slowly(talk: Talk) -> None:
    """Within every limit, though in two parts."""
    body = talk.server.contract_answer(talk.request)
    talk.request.answered = 200
    talk.send(head(200, f"Content-Length: {len(body)}\r\n") + body[:9])
    talk.pause(0.3)
    talk.send(body[9:])


# answer: gateways that say back what they were told


def _echoes(talk: Talk) -> Iterator[tuple[str, str]]:
    form = "&".join(f"{name}={value}" for name, value in talk.request.form.items())
    yield "raw", form
    yield "urlencoded", talk.request.body.decode()
    yield "urlencoded_lower", talk.request.body.decode().replace("%D", "%d")
    yield "html", html.escape(form).replace("\n", "<br />\n")
    yield "html_numbers", "".join(f"&#{ord(char)};" for char in form)
    yield "json", json.dumps(form)
    yield "json_unicode", json.dumps(form, ensure_ascii=False)
    yield "html_of_urlencoded", html.escape(talk.request.body.decode())
    yield "persian_digits", form.translate({48 + d: 0x6F0 + d for d in range(10)})


def _echo(talk: Talk, spelling: str) -> str:
    return dict(_echoes(talk))[spelling]


def _echo_body(talk: Talk, spelling: str, status: int) -> None:
    talk.answer(f"<p>Cannot do: {_echo(talk, spelling)}</p>".encode(), status)


def _echo_msg(talk: Talk, spelling: str, code: int) -> None:
    talk.answer(reply(None, code, f"Cannot do: {_echo(talk, spelling)}"))


def _echo_accepted(talk: Talk, spelling: str, code: int) -> None:
    form = talk.request.form
    data = {"message_id": 777_001, "line": form["password"], "mobile": form["mobile"]}
    talk.answer(reply(data, code, _echo(talk, spelling)))


def _echo_cut(talk: Talk, spelling: str, field: str, before: str) -> None:
    """Say one field so late that what is kept of the answer ends inside it."""
    text = _echo(talk, spelling)
    said = text[text.index(f"{field}=") + len(field) + 1 :]
    talk.answer((before + said).encode())


SPELLINGS = (
    *("raw", "urlencoded", "urlencoded_lower", "html", "html_numbers", "json"),
    *("json_unicode", "html_of_urlencoded", "persian_digits"),
)
for _name in SPELLINGS:
    for _code in (200, 400, 403, 500):
        _act = functools.partial(_echo_body, spelling=_name, status=_code)
        add(f"echo_{_name}_{_code}", _act, schemes=("http",))
    for _code in (0, BLACKLISTED, NO_CREDIT, TOO_FAST):
        _act = functools.partial(_echo_msg, spelling=_name, code=_code)
        add(f"echo_{_name}_code_{_code}", _act, schemes=("http",))
    for _code in (-1, -7):
        _act = functools.partial(_echo_accepted, spelling=_name, code=_code)
        _sign = "plain" if _code == -1 else "odd"
        add(f"echo_{_name}_accepted_{_sign}", _act, schemes=("http",))


for _name, _field in itertools.product(("raw", "urlencoded"), ("password", "message")):
    for _size, _before in ((488, "x" * 488), (1988, " " * 1988)):
        _act = functools.partial(
            _echo_cut, spelling=_name, field=_field, before=_before
        )
        _cut = f"echo_{_name}_{_field}_cut_after_{_size}"
        add(_cut, _act, schemes=("http",))


@mode()
def echo_in_headers(talk: Talk) -> None:
    form = talk.request.body.decode()
    lines = f"X-Echo: {form}\r\nX Bad {form}\r\nX-More: {form}\r\nSet-Cookie: {form}"
    talk.answer(HTML, 500, f"{lines}\r\n")


@mode()
def echo_in_reason(talk: Talk) -> None:
    body = talk.request.body.decode()
    talk.send(f"HTTP/1.1 500 {body}\r\nContent-Length: 0\r\n\r\n".encode())


@mode()
def echo_in_status_line(talk: Talk) -> None:
    talk.send(talk.request.body + b"\r\n\r\n")
    raise Hangup


@mode()
def echo_in_chunk_size(talk: Talk) -> None:
    talk.send(head(200, CHUNKED) + talk.request.body + b"\r\n")
    raise Hangup


@mode()
def echo_in_redirect(talk: Talk) -> None:
    target = f"{talk.server.target}/?{talk.request.body.decode()}"
    talk.answer(b"", 302, f"Location: {target}\r\n")


@mode()
def echo_in_length(talk: Talk) -> None:
    form = talk.request.body.decode()
    talk.send(head(200, f"Content-Length: {form}\r\nContent-Length: 1{form}\r\n"))
    raise Hangup


# proxies


@mode(schemes=("http",))
def proxy_forbids(talk: Talk) -> None:
    talk.answer(HTML, 403, close=True)


@mode(schemes=("http",))
def proxy_closes(talk: Talk) -> None:
    raise Hangup


@mode(schemes=("http",))
def proxy_tunnels(talk: Talk) -> None:
    """Do what CONNECT asks for, until one side closes."""
    if talk.request.method != "CONNECT":
        raise Hangup
    host, _, port = talk.request.target.partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as far:
        talk.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=_pump, args=(far, talk.sock))
        back.start()
        _pump(talk.sock, far)
        back.join(10)
    raise Hangup


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for something another thread is about to do."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)


def in_child(work: Callable[[], str], seconds: float = 15.0) -> str:
    """Run some work in a fork of this process and return what it says."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # That the parent has threads is what the tests of a fork are about.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        said = "nothing"
        try:
            said = work()
        except BaseException as error:
            said = f"failed: {error!r}"
        finally:
            os.write(writer, said.encode())
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as said_by_child:
        killer = threading.Timer(seconds, os.kill, (child, signal.SIGKILL))
        killer.start()
        said = said_by_child.read().decode()
        killer.cancel()
    killer.join()
    os.waitpid(child, 0)
    return said
