"""The gateway of test suites: keeps every message in ``outbox``, sends nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext_lazy as _

from negin_sms.choices import State
from negin_sms.conf import Account
from negin_sms.exceptions import Effect, NotSent, OutcomeUnknown

from . import wire
from .codes import SUCCESS
from .failures import LOST
from .ids import new_ids
from .scripts import SERVICE_LINE, Scripted

_EMPTY_TEXT = 13
_ids = new_ids()


@dataclass(frozen=True, slots=True)
class SentMessage:
    """One message as the gateway got it; ``mobile`` as in ``Message.mobile``.

    ``form`` is what would have been posted, without the credentials.
    """

    account: str
    gateway_id: str
    mobile: str = field(repr=False)
    text: str = field(repr=False)
    scenario: str
    line: str
    line2: str
    template: int | None
    form: wire.Form = field(repr=False)


class Outbox(Scripted, list[SentMessage]):
    """What the memory gateway was sent, in order, and what it is told to answer.

    One for each process, shared by its threads.
    """

    def clear(self) -> None:
        """Forget the messages, and the orders too."""
        super().clear()
        self.forget_orders()


outbox = Outbox()


class MemoryGateway:
    """Accept what the real gateway would be asked to send, and keep it.

    Half-filled scenarios and empty texts are refused as the real one refuses them;
    a message is reported as delivered. ``outbox`` takes orders to do otherwise.
    """

    def __init__(self, account: Account) -> None:
        self._account = account

    def send(
        self, request: wire.SendRequest, *, start_by: float = math.inf
    ) -> wire.SendReply:
        """Keep one message in the outbox and accept it, unless told otherwise."""
        form = wire.encode_send(request)
        if time.monotonic() > start_by:
            reason = _("There was no time left for the request.")
            raise NotSent(reason, effect=Effect.IGNORED)
        order = outbox.next_order(request.mobile)
        code = order.code if order else 0
        if not request.text.strip():
            code = _EMPTY_TEXT
        if code:
            raise wire.refusal(code, f"error {code}")
        sent = self._keep(request, form)
        if order:
            raise OutcomeUnknown(LOST)
        line = request.line or SERVICE_LINE
        return wire.SendReply(sent.gateway_id, line, form["mobile"], SUCCESS, "success")

    def states(self, ids: Sequence[str]) -> dict[str, int]:
        """Report the messages of the outbox; ids of others are unknown."""
        sent = {each.gateway_id: each for each in list(outbox)}
        states = {
            key: outbox.next_state(key, sent[key].mobile, State.DELIVERED.value)
            for key in ids
            if key in sent
        }
        return {key: state for key, state in states.items() if state is not None}

    def _keep(self, request: wire.SendRequest, form: wire.Form) -> SentMessage:
        sent = SentMessage(
            account=self._account.alias,
            gateway_id=next(_ids),
            mobile=request.mobile,
            text=request.text,
            scenario=str(request.scenario),
            line=request.line,
            line2=request.line2,
            template=request.template,
            form=form,
        )
        outbox.append(sent)
        return sent
