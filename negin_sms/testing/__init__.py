"""The test kit: nothing leaves, everything that would have left can be looked at.

With pytest the plugin does it all (fixtures ``sms_outbox`` and ``sms_sandbox``); with
Django's own runner put ``SmsTestMixin`` before the test case. ``in_memory`` and
``sandboxed`` are what both are made of.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from negin_sms.gateway.memory import Outbox, SentMessage, outbox
    from negin_sms.gateway.sandbox import Sandbox

    from .cases import SmsTestMixin
    from .gateways import in_memory, sandboxed

__all__ = [
    "Outbox",
    "Sandbox",
    "SentMessage",
    "SmsTestMixin",
    "in_memory",
    "outbox",
    "sandboxed",
]

_HOMES = {
    "Outbox": "negin_sms.gateway.memory",
    "Sandbox": "negin_sms.gateway.sandbox",
    "SentMessage": "negin_sms.gateway.memory",
    "SmsTestMixin": "negin_sms.testing.cases",
    "in_memory": "negin_sms.testing.gateways",
    "outbox": "negin_sms.gateway.memory",
    "sandboxed": "negin_sms.testing.gateways",
}


def __getattr__(name: str) -> Any:
    # pytest imports this package with the plugin, in projects without Django too.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
