"""What a stand-in gateway is told to do, by tests.

The memory gateway's outbox and the sandbox take the same orders. The order given
last wins, whether it names one recipient or none; without one everything is accepted
and delivered.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field

from negin_sms.phones import normalize_mobile

SERVICE_LINE = "9850001333"  # what an answer names where a form gave no line


@dataclass(slots=True)
class Order:
    """How to answer sends: ``code`` refuses, 0 takes them and loses the answer."""

    code: int
    mobile: str = field(repr=False)
    left: float


@dataclass(slots=True)
class _Report:
    states: list[int | None]
    mobile: str = field(repr=False)
    gateway_id: str


class Scripted:
    """The orders, and how they are used up; safe to share between threads.

    ``to`` is a recipient in any spelling, and stands for everybody where it is left
    out; ``times`` is how often an order holds, until the end of the test by default.
    """

    def __init__(self) -> None:
        self._orders: list[Order] = []
        self._reports: list[_Report] = []
        self._scripting = threading.Lock()

    def refuse(self, code: int, *, to: str = "", times: int | None = None) -> None:
        """Refuse with one of the gateway's codes, such as 27 (opted out).

        What becomes of the message is the code's: 27 rejects it, 14 and 18 pause
        the account, 23 throttles it; ``gateway.codes`` has them all.
        """
        if not _is_whole(code) or code <= 0:
            raise ValueError("A refusal is a code above 0, such as 27.")
        self._order(code, to, times)

    def throttle(self, *, to: str = "", times: int | None = None) -> None:
        """Ask for patience (code 23): the message stays queued."""
        self._order(23, to, times)

    def lose_answer(self, *, to: str = "", times: int | None = None) -> None:
        """Take the message and give no answer: nobody knows what became of it."""
        self._order(0, to, times)

    def report(self, *states: int | None, to: str = "", gateway_id: str = "") -> None:
        """Report these delivery states, one each time somebody asks; the last stays.

        Of the messages to one recipient, of one gateway id, or of all. None means
        that the gateway says nothing of it.
        """
        if not states or not all(each is None or _is_whole(each) for each in states):
            raise ValueError("Give states, such as report(8, 1), or None for nothing.")
        report = _Report(list(states), _number(to), gateway_id)
        with self._scripting:
            self._reports.append(report)

    def forget_orders(self) -> None:
        """Accept and deliver everything again."""
        with self._scripting:
            self._orders.clear()
            self._reports.clear()

    def next_order(self, mobile: str) -> Order | None:
        """Use up one time of the order for a send, given as E.164, if there is one."""
        with self._scripting:
            for order in reversed(self._orders):
                if order.left > 0 and order.mobile in ("", mobile):
                    order.left -= 1
                    return order
        return None

    def next_state(self, gateway_id: str, mobile: str, default: int) -> int | None:
        """Return what to report of a message, None for nothing."""
        with self._scripting:
            for report in reversed(self._reports):
                if report.mobile in ("", mobile) and report.gateway_id in (
                    "",
                    gateway_id,
                ):
                    several = len(report.states) > 1
                    return report.states.pop(0) if several else report.states[0]
        return default

    def _order(self, code: int, to: str, times: int | None) -> None:
        if times is not None and (not _is_whole(times) or times < 1):
            raise ValueError("An order holds a whole number of times, from 1.")
        left = math.inf if times is None else times
        with self._scripting:
            self._orders.append(Order(code, _number(to), left))


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(to: str) -> str:
    return normalize_mobile(to) if to else ""
