"""What a failed exchange means: by the phase it reached, never by its error's type.

Before the first byte of the request was written nothing was sent; after it nobody
knows. The error only tells people what happened, in words that hold no form.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext_lazy as _

from negin_sms.conf import Account
from negin_sms.exceptions import Effect, GatewayError, NotSent, OutcomeUnknown

from .cleaning import clean
from .deadline import Exchange, NotNoted, TooLate

TOO_SLOW = _("The deadline passed while the gateway was answering.")
LOST = _(
    "The connection was lost; whether the gateway did what was asked is not known."
)


class AnswerTooLarge(OSError):
    """The answer is larger than any the gateway has reason to give."""


def outcome(
    error: Exception,
    exchange: Exchange,
    *,
    account: Account,
    is_direct: bool,
    elapsed: float,
) -> GatewayError:
    """Return what a failure means: OutcomeUnknown, or NotSent with its effect.

    ``is_direct`` says that no proxy stood between, ``elapsed`` is in seconds.
    """
    if exchange.wrote:
        return OutcomeUnknown(
            _unknown_reason(exchange, error),
            detail=_how_it_broke(error, elapsed, account.host),
        )
    if _find(error, TooLate):
        reason = _("There was no time left for the request.")
        return NotSent(reason, effect=Effect.IGNORED)
    if _find(error, NotNoted):
        return not_noted()
    detail = _cause(error, account.host)
    if _find(error, ssl.SSLCertVerificationError):
        reason = _(
            "The gateway's certificate was not accepted; no request was sent. Check "
            "BASE_URL and this server's clock, or give the authority in CA_FILE."
        )
        return NotSent(reason, detail=detail, effect=Effect.TRIPS)
    in_handshake = exchange.attached and not exchange.connected
    if _find(error, ssl.SSLError) or (
        account.is_encrypted and in_handshake and is_direct
    ):
        # Whoever answers there may not be the gateway at all.
        reason = _("The gateway made no secure connection; no request was sent.")
        return NotSent(reason, detail=detail, effect=Effect.TRIPS)
    reason = _("The gateway cannot be reached; no request was sent. Check BASE_URL.")
    return NotSent(reason, detail=detail)


def _how_it_broke(error: Exception, elapsed: float, host: str) -> str:
    words = _("%(cause)s, after %(seconds)s s, %(host)s")
    return words % {"cause": _cause(error), "seconds": f"{elapsed:.1f}", "host": host}


def not_noted() -> NotSent:
    """Return what it means that the journal let nothing leave."""
    reason = _("The journal cannot be written; nothing was sent. Look at STATE_DIR.")
    return NotSent(reason, effect=Effect.IGNORED)


def _unknown_reason(exchange: Exchange, error: Exception) -> object:
    if exchange.expired:
        return TOO_SLOW
    if _find(error, AnswerTooLarge):
        return _("The gateway's answer is too large to be one.")
    if _find(error, TimeoutError):  # urllib3 raises its own from one
        return _(
            "The gateway did not answer in time; whether it did what was asked is not "
            "known."
        )
    return LOST


def _walk(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that it was made of, the outermost first."""
    seen: set[int] = set()
    todo: list[Any] = [error]
    while todo:
        found = todo.pop()
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        reason = getattr(found, "reason", None)
        todo += [*found.args, found.__cause__, found.__context__, reason]


def _find(error: BaseException, *kinds: type[BaseException]) -> BaseException | None:
    return next((one for one in _walk(error) if isinstance(one, kinds)), None)


def _cause(error: BaseException, host: str = "") -> str:
    """Name the innermost cause: its kind and the system's words, never the form."""
    causes = [one for one in _walk(error) if not _is_of_requests(one)] or [error]
    for kind in (ssl.SSLCertVerificationError, ssl.SSLError, OSError, Exception):
        found = next((one for one in causes if isinstance(one, kind)), None)
        if found is not None:
            break
    words = getattr(found, "verify_message", "") or getattr(found, "strerror", "")
    if str(found).startswith("Tunnel connection failed"):
        words = str(found)
    parts = [type(found).__name__, clean(words or "", limit=120), host]
    return ", ".join(part for part in parts if part)


def _is_of_requests(error: BaseException) -> bool:
    # They are OSErrors themselves, but hold the form and say little. By name, since
    # the network has one door.
    return type(error).__module__.partition(".")[0] == "requests"
