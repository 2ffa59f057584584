"""A module of a project that is checked strictly: the package's types reach it.

``.ci/run`` gives it to mypy with the installed wheel. An ignored error that is none, as
where the type marker is missing, is an error there, too.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from negin_sms.choices import Priority, Scenario
from negin_sms.exceptions import NotSent
from negin_sms.models import Message
from negin_sms.services import ActionReport, cancel, queue_many, queue_sms, send_sms


def remind(mobile: str, at: str) -> Message:
    return queue_sms(mobile, "Tomorrow at ten.", send_at=at, priority=Priority.LOW)


def send_code(mobile: str, code: str) -> int:
    message = send_sms(mobile, code, sensitive=True, expires_in=timedelta(minutes=2))
    key: int = message.pk
    return key


def invite(mobiles: list[str]) -> ActionReport:
    rows: list[Message] = queue_many(
        [{"mobile": mobile} for mobile in mobiles],
        text="Come in.",
        scenario=Scenario.SINGLE,
    )
    return cancel(rows)


def why(error: NotSent) -> Message | None:
    return error.message


send: Callable[..., Message] = send_sms

queue_sms("09395213300", "x", prioritty=1)  # type: ignore[call-arg]
send_sms("09395213300", "x", on_not_sent="never")  # type: ignore[arg-type]
number: str = queue_sms("09395213300", "x")  # type: ignore[assignment]
