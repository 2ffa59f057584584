"""What test cases of unittest say of messages; works with Django's own runner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from negin_sms.gateway.memory import Outbox, SentMessage, outbox
from negin_sms.phones import normalize_mobile

from .gateways import begin_anew, in_memory

if TYPE_CHECKING:
    from unittest import TestCase

    _Case = TestCase
else:
    _Case = object


class SmsTestMixin(_Case):
    """Keep messages in memory and make assertions about them.

    Put it before the test case: ``class SignUpTests(SmsTestMixin, TestCase)``. What
    ``setUpTestData`` sends is kept in memory too, and forgotten before each test.
    """

    @classmethod
    def setUpClass(cls) -> None:
        """Switch the accounts before anything of the class is set up."""
        cls.enterClassContext(in_memory())
        super().setUpClass()

    def setUp(self) -> None:
        """Begin with an empty outbox, and leave no orders to classes without this."""
        begin_anew()
        self.addCleanup(begin_anew)
        super().setUp()

    @property
    def sms_outbox(self) -> Outbox:
        """Return what this test has sent; it takes orders too (``refuse`` …)."""
        return outbox

    def assertSmsSent(self, *, to: str = "", containing: str = "") -> SentMessage:  # noqa: N802
        """Assert that at least one such message was sent and return the last.

        ``to`` is a number in any spelling.
        """
        found = _matching(to, containing)
        if not found:
            self.fail(f"Expected an SMS{_such(to, containing)}. {_told()}")
        return found[-1]

    def assertNoSmsSent(self, *, to: str = "", containing: str = "") -> None:  # noqa: N802
        """Assert that no such message was sent, or none at all."""
        self.assertSmsCount(0, to=to, containing=containing)

    def assertSmsCount(  # noqa: N802
        self, count: int, *, to: str = "", containing: str = ""
    ) -> None:
        """Assert that exactly so many such messages were sent."""
        found = len(_matching(to, containing))
        if found != count:
            such = _such(to, containing)
            self.fail(f"Expected {count} SMS{such}, not {found}. {_told()}")


def _matching(to: str, containing: str) -> list[SentMessage]:
    mobile: Any = normalize_mobile(to) if to else None
    return [
        sent
        for sent in list(outbox)
        if mobile in (None, sent.mobile) and containing in sent.text
    ]


def _such(to: str, containing: str) -> str:
    return (f" to {to}" if to else "") + (
        f" containing {containing!r}" if containing else ""
    )


def _told() -> str:
    """Say what was sent instead, whole: a failed test of made-up data has to help."""
    if not outbox:
        return "None was sent."
    lines = [f"  {sent.mobile}: {sent.text!r}" for sent in list(outbox)]
    return "\n".join(["Sent were:", *lines])
