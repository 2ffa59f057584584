"""The development gateway: prints every message instead of sending it."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Sequence

from negin_sms.characters import encodable
from negin_sms.choices import State
from negin_sms.conf import Account

from . import wire
from .ids import new_ids

_writing = threading.Lock()
_ids = new_ids()


class ConsoleGateway:
    """Print messages to standard output, full number and text included.

    The one place that shows both: it exists to be read by a developer.
    With DEBUG off ``manage.py check`` refuses it.
    """

    def __init__(self, account: Account) -> None:
        self._account = account

    def send(
        self, request: wire.SendRequest, *, start_by: float = math.inf
    ) -> wire.SendReply:
        """Print one message and accept it."""
        form = wire.encode_send(request)
        with _writing:
            gateway_id = next(_ids)
            lines = [f"{name}: {value}" for name, value in form.items()]
            rule = f"--- SMS {gateway_id} through {self._account.alias} ---"
            _print("\n".join([rule, *lines, "-" * len(rule), ""]))
        return wire.SendReply(gateway_id, request.line, form["mobile"], -1, "success")

    def states(self, ids: Sequence[str]) -> dict[str, int]:
        """Report every message as delivered."""
        return dict.fromkeys(ids, State.DELIVERED.value)


def _print(text: str) -> None:
    """Write what the terminal can show: a message must not fail on its encoding."""
    if sys.stdout is not None:  # a program without a terminal, such as pythonw
        sys.stdout.write(encodable(text, getattr(sys.stdout, "encoding", None)))
        sys.stdout.flush()
