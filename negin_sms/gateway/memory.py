"""The gateway of test suites: keeps every message in ``outbox``, sends nothing."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from negin_sms.choices import State
from negin_sms.conf import Account

from . import wire

_ids = itertools.count(int(time.time() * 1000))


@dataclass(frozen=True, slots=True)
class SentMessage:
    """One message as the gateway would have got it: ``mobile`` is 98 and ten digits."""

    account: str
    gateway_id: str
    mobile: str = field(repr=False)
    text: str = field(repr=False)
    form: wire.Form = field(repr=False)


outbox: list[SentMessage] = []


class MemoryGateway:
    """Accept what the real gateway would be asked to send, and keep it.

    Half-filled scenarios are refused as the real one refuses them; every message
    is reported as delivered.
    """

    def __init__(self, account: Account) -> None:
        self._account = account

    def send(
        self, request: wire.SendRequest, *, start_by: float = math.inf
    ) -> wire.SendReply:
        """Keep one message in the outbox and accept it."""
        form = wire.encode_send(request)
        sent = SentMessage(
            account=self._account.alias,
            gateway_id=str(next(_ids)),
            mobile=form["mobile"],
            text=form["message"],
            form=form,
        )
        outbox.append(sent)
        return wire.SendReply(sent.gateway_id, request.line, sent.mobile, -1, "success")

    def states(self, ids: Sequence[str]) -> dict[str, int]:
        """Report the messages of the outbox as delivered; others are unknown."""
        known = {sent.gateway_id for sent in outbox}
        return {key: State.DELIVERED.value for key in ids if key in known}
