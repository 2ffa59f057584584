"""A stand-in gateway over real HTTP, for people without an account.

Speaks the contract of both endpoints, sends nothing, and lets delivery states
advance with time: unknown, at the operator, then the final one. What becomes of a
message is chosen by its recipient, as payment sandboxes have test cards; see
MAGIC. Any other recipient is delivered. Any credentials do, unless some are given.
Tests may give it orders of their own besides; see ``Scripted``.
"""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from negin_sms.choices import State

from .codes import SUCCESS
from .ids import new_ids
from .sandbox_server import SandboxServer
from .scripts import SERVICE_LINE, Scripted

CHELCHELEH_LINE = "9810008088"
_MOBILE_DIGITS = 12


class Fate(enum.Enum):
    """What the sandbox does with a message; ``code`` refuses, ``state`` reports."""

    DELIVERED = "delivered"
    UNDELIVERED = "not delivered to the handset"
    REFUSED = "refused by the operator"
    STUCK = "stays at the operator"
    OPTED_OUT = "opted out of the line: the fallback is taken, or code 27"
    NO_CREDIT = "code 14, not enough credit"
    WRONG_PASSWORD = "code 18, wrong username or password"  # noqa: S105
    THROTTLED = "code 23, too fast"
    SLOW = "accepted after some seconds"
    NO_ANSWER = "taken, and the connection cut without an answer"
    INVALID = "code 1, the number is invalid"


MAGIC: dict[str, Fate] = {
    "989000000001": Fate.DELIVERED,
    "989000000002": Fate.UNDELIVERED,
    "989000000003": Fate.REFUSED,
    "989000000004": Fate.STUCK,
    "989000000005": Fate.OPTED_OUT,
    "989000000006": Fate.NO_CREDIT,
    "989000000007": Fate.WRONG_PASSWORD,
    "989000000008": Fate.THROTTLED,
    "989000000009": Fate.SLOW,
    "989000000010": Fate.NO_ANSWER,
    "989000000011": Fate.INVALID,
}
_CODES = {
    Fate.NO_CREDIT: 14,
    Fate.WRONG_PASSWORD: 18,
    Fate.THROTTLED: 23,
    Fate.INVALID: 1,
}
_FINAL = {
    Fate.UNDELIVERED: State.UNDELIVERED,
    Fate.REFUSED: State.REFUSED,
    Fate.STUCK: State.AT_OPERATOR,
}


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that the sandbox accepted: its id, its form, its fate, its time."""

    gateway_id: str
    form: dict[str, str] = field(repr=False)
    fate: Fate
    at: float

    @property
    def mobile(self) -> str:
        """Return the recipient as ``Message.mobile`` has it."""
        return f"+{self.form['mobile']}"

    @property
    def text(self) -> str:
        """Return the text."""
        return self.form["message"]

    @property
    def line(self) -> str:
        """Return the line that the form named, "" for none."""
        return self.form.get("line", "")


class Sandbox(Scripted):
    """A gateway on this machine: ``with Sandbox() as sandbox: … sandbox.url``.

    ``pace`` is the seconds a message stays in each state before the final one,
    ``slow`` the seconds that the slow recipient takes. Give ``username`` and
    ``password`` to have others refused. ``taken`` holds what was accepted.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        pace: float = 5.0,
        slow: float = 5.0,
        username: str = "",
        password: str = "",
    ) -> None:
        super().__init__()
        self.pace = pace
        self.slow = slow
        self.taken: list[Taken] = []
        self._credentials = (username, password)
        self._states: dict[str, Taken] = {}
        self._ids = new_ids()
        self._lock = threading.Lock()
        endpoints = {"/api/wsSend.ashx": self.send, "/api/wsStates.ashx": self.states}
        self._server = SandboxServer((host, port), endpoints)
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Return the base URL to give an account."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/api"

    def start(self) -> Self:
        """Answer requests in a thread of its own."""
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="negin-sms-sandbox",
            daemon=True,
        )
        self._thread.start()
        return self

    def serve_forever(self) -> None:
        """Answer requests in this thread until it is interrupted."""
        self._server.serve_forever()

    def stop(self) -> None:
        """Stop answering, and close what is open."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()

    close = stop

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def send(self, form: Mapping[str, str]) -> dict[str, Any] | None:
        """Answer a send; None means to cut the connection."""
        mobile = form.get("mobile", "")
        code = self._refusal(form)
        if code:
            return _refuse(code)
        order = self.next_order(f"+{mobile}")
        if order:
            fate, code = Fate.NO_ANSWER, order.code
        else:
            fate = MAGIC.get(mobile, Fate.DELIVERED)
            code = _CODES.get(fate) or _opt_out_code(form, fate)
        if code:
            return _refuse(code)
        if fate is Fate.SLOW:
            time.sleep(self.slow)
        taken = self._take(dict(form), fate)
        if fate is Fate.NO_ANSWER:
            return None
        line = _line_used(form, fate)
        data = {
            "message_id": int(taken.gateway_id),
            "line": int(line) if line.isdigit() else line,
            "mobile": mobile,
        }
        return {"data": data, "status": SUCCESS, "msg": "success"}

    def states(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Answer a states request."""
        if not self._knows(form):
            return _refuse(18)
        ids = [part for part in form.get("message_ids", "").split(",") if part]
        if not ids:
            return _refuse(24)
        states = {key: self._state(key) for key in ids}
        told = {key: str(state) for key, state in states.items() if state is not None}
        data = {"msgIds": ",".join(told), "states": ",".join(told.values())}
        return {"data": data, "status": SUCCESS, "msg": "success"}

    def _refusal(self, form: Mapping[str, str]) -> int:
        """Return the code that the form deserves, 0 for none."""
        mobile = form.get("mobile", "")
        if not self._knows(form):
            return 18
        if not (mobile.isdigit() and len(mobile) == _MOBILE_DIGITS):
            return 1
        if not form.get("message", "").strip():
            return 13
        if form.get("type", "0") not in {"0", "1", "2"}:
            return 25
        return 0 if form.get("line") or form.get("type") == "2" else 2

    def _knows(self, form: Mapping[str, str]) -> bool:
        given = (form.get("username", ""), form.get("password", ""))
        return all(given) and (not any(self._credentials) or given == self._credentials)

    def _take(self, form: dict[str, str], fate: Fate) -> Taken:
        with self._lock:
            taken = Taken(next(self._ids), form, fate, time.monotonic())
            self.taken.append(taken)
            self._states[taken.gateway_id] = taken
        return taken

    def _state(self, key: str) -> int | None:
        taken = self._states.get(key)
        if taken is None:
            return State.NOT_SENT.value
        return self.next_state(key, taken.mobile, self._state_by_age(taken).value)

    def _state_by_age(self, taken: Taken) -> State:
        age = time.monotonic() - taken.at
        if age < self.pace:
            return State.UNKNOWN
        if age < 2 * self.pace:
            return State.AT_OPERATOR
        return _FINAL.get(taken.fate, State.DELIVERED)


def _opt_out_code(form: Mapping[str, str], fate: Fate) -> int:
    has_fallback = bool(form.get("line2")) or form.get("type") in {"1", "2"}
    return 27 if fate is Fate.OPTED_OUT and not has_fallback else 0


def _line_used(form: Mapping[str, str], fate: Fate) -> str:
    line = form.get("line", "")
    if line and fate is not Fate.OPTED_OUT:
        return line
    by_type = {"1": CHELCHELEH_LINE, "2": SERVICE_LINE}
    return form.get("line2") or by_type.get(form.get("type", ""), line)


def _refuse(code: int) -> dict[str, Any]:
    return {"data": None, "status": code, "msg": f"error {code}"}
