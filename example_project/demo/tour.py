"""What the demo sends: each scenario once, and the ways in which a send can fail.

The recipients are the sandbox's: they choose what becomes of a message.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from negin_sms import services
from negin_sms.choices import Scenario
from negin_sms.exceptions import GatewayError, InvalidMessage
from negin_sms.models import Message

OPTED_OUT = "09000000005"
TEXT = "سلام! این پیامک آزمایشی است و برای کسی فرستاده نمی‌شود."


@dataclass(frozen=True)
class Stop:
    """One stop of the tour: what it shows, and the message that shows it."""

    shows: str
    mobile: str
    fields: dict[str, Any]


STOPS = (
    Stop("1 single message", "09000000001", {"scenario": Scenario.SINGLE}),
    Stop(
        "2 Negin's service line",
        "09000000001",
        {"scenario": Scenario.SERVICE_LINE, "template": 0},
    ),
    Stop(
        "3 opted out: second line",
        OPTED_OUT,
        {"scenario": Scenario.SECOND_LINE},
    ),
    Stop(
        "4 opted out: Chelcheleh",
        OPTED_OUT,
        {"scenario": Scenario.CHELCHELEH},
    ),
    Stop(
        "5 opted out: service line",
        OPTED_OUT,
        {"scenario": Scenario.SERVICE_FALLBACK},
    ),
    Stop("not delivered", "09000000002", {}),
    Stop("refused by the operator", "09000000003", {}),
    Stop("stays at the operator", "09000000004", {}),
    Stop("opted out, no fallback", OPTED_OUT, {}),
    Stop("number refused", "09000000011", {}),
    Stop("no answer", "09000000010", {}),
    Stop("a landline", "02122345678", {}),
)


def send_all(group: str) -> Iterator[tuple[Stop, Message | None, str]]:
    """Send the tour; give each stop, its row if there is one, and what was said."""
    # What the run before was refused is remembered, and would not be tried again.
    services.opt_in(OPTED_OUT)
    for stop in STOPS:
        try:
            message = services.send_sms(stop.mobile, TEXT, group=group, **stop.fields)
        except InvalidMessage as error:
            yield stop, None, str(error.reason)
        except GatewayError as error:
            yield stop, error.message, str(error)
        else:
            yield stop, message, ""


def queue_one(group: str) -> tuple[Stop, Message]:
    """Queue a message, as code that runs in a request would, and dispatch it."""
    message = services.queue_sms("09000000001", TEXT, group=group)
    services.dispatch_queue()
    message.refresh_from_db()
    return Stop("queued, then dispatched", "09000000001", {}), message
