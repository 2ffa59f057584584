"""Every error of this app, named after what the caller does next.

NeginSmsError
├── InvalidMessage (also ValueError)  correct the field and call again
├── IdempotencyConflict               the key says something else: choose another
├── Vetoed                            the recipient opted out, or a pre_send receiver
│                                     said no; see ``.message``
└── GatewayError                      a row was saved; see ``.message``
    ├── NotSent                       surely not sent; the row waits and will be sent
    │   ├── AccountPaused             … once the account's pause has ended
    │   ├── Throttled                 … in a moment: the gateway asked for patience
    │   └── CapExceeded               … in the next period; cancelled if that is full
    ├── OutcomeUnknown                may have been sent: a person decides
    └── Rejected                      refused for good; ``.code`` says why

InvalidConfiguration stands apart, as it is for the developer: the settings cannot
work, or the account is bound to another gateway. It is also Django's
ImproperlyConfigured.

No error holds the password, the text or the number of a message, in its
arguments or in what it would pickle: errors end up in logs and trackers.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from .models import Message


class Effect(enum.Enum):
    """What the result of one exchange means for the whole account.

    The breaker reads nothing else, so a new error only has to choose one.
    """

    SUCCESS = "success"  # a valid answer of the gateway: whatever was wrong is over
    IGNORED = "ignored"  # our own doing: says nothing of the gateway
    FAILURE = "failure"  # no valid answer: five in a row pause the account
    TRIPS = "trips"  # no use in trying on: pauses at once, like five in a row
    THROTTLES = "throttles"  # a short pause, or what Retry-After says
    PAUSES = "pauses"  # credit, password, …: a person has to act first


def _place(position: int | None) -> str:
    return "" if position is None else f"[{position}] "


class NeginSmsError(Exception):
    """Anything that went wrong in this app."""


class InvalidConfiguration(ImproperlyConfigured):
    """NEGIN_SMS is missing a key, or holds one that cannot work."""


class InvalidMessage(NeginSmsError, ValueError):
    """The message cannot be sent as it was asked for.

    ``field`` is the name of the argument at fault, ``reason`` a sentence for
    people (translated when shown), ``position`` the place in ``queue_many``'s
    messages. No row was saved.
    """

    def __init__(self, field: str, reason: object) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason
        self.position: int | None = None

    def __str__(self) -> str:
        return f"{_place(self.position)}{self.field}: {self.reason}"


class IdempotencyConflict(NeginSmsError):
    """The idempotency key belongs to a message with other content.

    ``position`` is the place in ``queue_many``'s messages. No row was saved.
    """

    def __init__(self, reason: object, *, position: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.position = position

    def __str__(self) -> str:
        return f"{_place(self.position)}{self.reason}"


class Vetoed(NeginSmsError):
    """The message was stopped: by an opt-out, or by a receiver of ``pre_send``.

    A receiver raises it, with the reason. The message is cancelled; ``send_sms``
    raises the error on, with ``message``, the row.
    """

    def __init__(self, reason: object = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.message: Message | None = None

    def __str__(self) -> str:
        return str(self.reason)

    def __reduce__(self) -> tuple[Any, ...]:
        # The row holds text and number, so it does not travel with the error.
        return type(self), (str(self.reason),)


class GatewayError(NeginSmsError):
    """The exchange with the gateway did not end in an accepted message.

    ``reason`` is a sentence for people, ``code`` the gateway's status code if it
    gave one, ``detail`` its own words, cleaned and cut. ``effect`` says what the
    error means for the account, ``retry_after`` the
    seconds it asked us to wait. ``message`` is the saved row, and ``advice`` what can
    be done about it while it waits; both are set by services.
    """

    def __init__(
        self,
        reason: object,
        *,
        code: int | None = None,
        detail: str = "",
        effect: Effect = Effect.FAILURE,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.detail = detail
        self.effect = effect
        self.retry_after = retry_after
        self.advice = ""
        self.message: Message | None = None

    def __str__(self) -> str:
        words = f"{self.reason} {self.advice}".rstrip()
        return f"{words} ({self.detail})" if self.detail else words

    def __reduce__(self) -> tuple[Any, ...]:
        # The row holds text and number, so it does not travel with the error.
        state = {**self.__dict__, "reason": str(self.reason), "message": None}
        return type(self), (str(self.reason),), state


class NotSent(GatewayError):
    """Surely not sent. The row stays queued, and is tried again until it expires."""


class AccountPaused(NotSent):
    """The account is paused (no credit, wrong password, gateway out of order)."""


class Throttled(NotSent):
    """The gateway asked us to slow down."""


class CapExceeded(NotSent):
    """A cap of the settings is used up (MOBILE_CAPS, ACCOUNT_CAPS).

    ``scope`` is "mobile" or "account", ``retry_after`` the seconds until the cap's
    period is over. The row is sent in the next period, or was cancelled where that is
    full too: see ``message.status``.
    """

    def __init__(
        self, reason: object, *, scope: str = "mobile", retry_after: float = 0.0
    ) -> None:
        super().__init__(reason, effect=Effect.IGNORED, retry_after=retry_after)
        self.scope = scope


class OutcomeUnknown(GatewayError):
    """The gateway may have accepted the message; it is never sent again by itself."""


class Rejected(GatewayError):
    """The gateway refused the message for good."""
