"""What an HTTP status alone says of a send: redirects, front doors, errors.

Marks in comments as in ``wire``.
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from negin_sms.exceptions import (
    AccountPaused,
    Effect,
    GatewayError,
    OutcomeUnknown,
    Throttled,
)

from .cleaning import as_text, clean
from .readers import load_object
from .wire import SendReply, decode_send

_LONGEST_WAIT = 24 * 3600.0  # who waits caps it further
# Refused before anything ran: wrong address, wrong method, blocked.
_FRONT_DOOR = frozenset({401, 403, 404, 405, 411, 413, 414, 415, 431})


def decode_http(status: int, retry_after: str, body: bytes) -> GatewayError | None:
    """Return what an HTTP status alone says of a send, None where the body decides.

    ``retry_after`` is that header as it came; only a number of seconds is read.
    A body that is the gateway's own refusal decides for any 4xx but 429; one in
    which it does not refuse makes any 4xx unknown.
    """
    if 200 <= status < 300:
        return None
    text = {"status": status}
    if 300 <= status < 400:
        # A handler may have run before it redirected.
        reason = _("The gateway's address redirects elsewhere (HTTP %(status)s).")
        return OutcomeUnknown(reason % text, effect=Effect.TRIPS)
    if 400 <= status < 500:
        own = _own_answer(body)
        if not isinstance(own, SendReply | OutcomeUnknown):
            error = _throttled(status, retry_after) or own or _front_door(status)
            if error is not None:
                return error
    # 5xx too, 503 and 504 included: the back end may have finished its work.
    reason = _(
        "The gateway answered HTTP %(status)s; whether it did what was asked is not "
        "known."
    )
    return OutcomeUnknown(reason % text, detail=clean(as_text(body)))


def _throttled(status: int, retry_after: str) -> GatewayError | None:
    if status != 429:
        return None
    reason = _("The gateway asks to slow down (HTTP %(status)s).") % {"status": status}
    readable = retry_after.isascii() and retry_after.isdecimal()
    wait = min(float(retry_after), _LONGEST_WAIT) if readable else None
    return Throttled(reason, effect=Effect.THROTTLES, retry_after=wait)


def _front_door(status: int) -> GatewayError | None:
    if status not in _FRONT_DOOR:
        return None
    reason = _(
        "The gateway's front door refused the request (HTTP %(status)s). "
        "Check BASE_URL, and whether this server's address is allowed."
    )
    return AccountPaused(reason % {"status": status}, effect=Effect.TRIPS)


def _own_answer(body: bytes) -> SendReply | GatewayError | None:
    """Read a body that came with an error status; None if the gateway did not say it.

    Front doors speak JSON too, some with a "status" of their own (RFC 9457).
    """
    answer = load_object(body)
    if answer is None or "status" not in answer or not answer.keys() & {"data", "msg"}:
        return None
    try:
        return decode_send(body)
    except GatewayError as error:
        return error.with_traceback(None)
