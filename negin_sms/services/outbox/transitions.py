"""The one door: every move of a message is one function here, and written nowhere else.

    draft ──> queued ──claim──> sending ──> accepted | rejected | uncertain
                │  ^               │
           hold v  └──── put back ─┘        uncertain ──> accepted | rejected
               held ──release──> queued     draft, queued, held ──> cancelled | expired

Each is one UPDATE that compares the status (and the claim, where there is one) and
writes all columns of the move, so two that come at once cannot both happen. They take
a queryset of the rows that are meant and return how many were moved. The engines hold
the same moves as single statements of a database (``engines``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models import Case, DateTimeField, ExpressionWrapper, F, Value, When
from django.db.models.functions import Coalesce, Greatest
from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.choices import Flag, Status
from negin_sms.exceptions import Throttled
from negin_sms.gateway.codes import SUCCESS, find_code
from negin_sms.gateway.wire import SendReply, is_same_number
from negin_sms.models import Message
from negin_sms.querysets import DbNow, MessageQuerySet, from_now
from negin_sms.retries import next_poll_age, retry_delay, throttle_delay

from .jobs import SendResult

WAITING = (Status.DRAFT, Status.QUEUED, Status.HELD)

# --- before it is sent --------------------------------------------------------------


def queue(drafts: MessageQuerySet, **changed: Any) -> int:
    """Step drafts to queued; their lifetime begins when they are due."""
    lifetime = F("expires_at") - F("begins_at")
    # In this order: MariaDB and MySQL read a column that the same UPDATE has set
    # with its new value.
    return drafts.filter(status=Status.DRAFT).update(
        expires_at=ExpressionWrapper(
            _send_time() + lifetime, output_field=DateTimeField()
        ),
        begins_at=_send_time(),
        due_at=_send_time(),
        status=Status.QUEUED,
        **changed,
    )


def rewrite(waiting: MessageQuerySet, status: str, **wish: Any) -> int:
    """Write another wish, and when it is due, while the status is what was seen."""
    return waiting.filter(status=status).update(**wish)


def claim(
    queued: MessageQuerySet, name: str, account: conf.Account, lease: float
) -> int:
    """Step queued messages to sending, for so many seconds; fill in unnamed lines."""
    return queued.filter(status=Status.QUEUED).update(
        status=Status.SENDING,
        claim=name,
        claimed_until=from_now(lease),
        attempts=F("attempts") + 1,
        line=_default("default_line", account.line, F("line")),
        line2=_default("default_line2", account.line2, F("line2")),
    )


def claim_unsaved(
    message: Message, name: str, account: conf.Account, lease: float
) -> None:
    """Make a message that is about to be inserted one that is being sent."""
    message.status, message.claim, message.attempts = Status.SENDING, name, 1
    message.claimed_until = message.created_at + timedelta(seconds=lease)
    fill_lines(message, account)


def fill_lines(message: Message, account: conf.Account) -> None:
    """Write the account's own lines down where nobody named one."""
    if message.default_line:
        message.line = account.line
    if message.default_line2:
        message.line2 = account.line2


def unclaim(claimed: MessageQuerySet) -> int:
    """Queue claimed messages again of which nothing was begun."""
    return claimed.filter(status=Status.SENDING).update(
        **_queued_again(), attempts=F("attempts") - 1
    )


def put_off(
    claimed: MessageQuerySet,
    until: Any,
    reason: str,
    *,
    attempted: bool = False,
) -> int:
    """Queue a claimed message again until a moment, since the gate lets it wait."""
    return claimed.filter(status=Status.SENDING).update(
        **_queued_again(),
        due_at=until,
        detail=reason,
        attempts=F("attempts") - int(not attempted),
    )


def stop(claimed: MessageQuerySet, reason: str) -> int:
    """Cancel a claimed message that the gate does not let go: it was not tried."""
    return claimed.filter(status=Status.SENDING).update(
        **_ended(Status.CANCELLED),
        detail=reason,
        claimed_until=None,
        attempts=F("attempts") - 1,
    )


def cancel(waiting: MessageQuerySet, reason: str) -> int:
    """Cancel messages that were not sent yet."""
    return waiting.filter(status__in=WAITING).update(
        **_ended(Status.CANCELLED), detail=reason
    )


def expire(overdue: MessageQuerySet) -> int:
    """End messages that may not be sent any more."""
    return overdue.filter(status__in=(Status.QUEUED, Status.HELD)).update(
        **_ended(Status.EXPIRED), detail=_("It expired before it could be sent.")
    )


def hold(queued: MessageQuerySet, reason: str) -> int:
    """Keep queued messages from leaving until a person releases them."""
    return queued.filter(status=Status.QUEUED).update(status=Status.HELD, detail=reason)


def release(held: MessageQuerySet) -> int:
    """Let held messages leave that have not expired, at their send_at, or now."""
    return held.filter(status=Status.HELD, expires_at__gt=DbNow()).update(
        status=Status.QUEUED, due_at=_send_time(), detail=""
    )


# --- how the sending ended ----------------------------------------------------------


def finish(rows: MessageQuerySet, result: SendResult) -> int:
    """Write how the exchange of these rows' message ended."""
    return rows.update(**_result_columns(result))


def copy_result(message: Message, result: SendResult) -> None:
    """Let an instance say how its sending ended, where it cannot be read again."""
    message.status = result.status
    if result.reply is not None:
        for name, value in acceptance(result).items():
            setattr(message, name, value)


def finish_alike(claimed: MessageQuerySet, results: Mapping[int, SendResult]) -> int:
    """Write acceptances, by primary key, that differ in the gateway's id alone.

    A statement for each message is what a dispatcher would spend its time on.
    """
    columns = _result_columns(next(iter(results.values())))
    columns["gateway_id"] = Case(
        *(When(pk=pk, then=Value(each.gateway_id)) for pk, each in results.items())
    )
    return claimed.filter(pk__in=results, status=Status.SENDING).update(**columns)


def expire_claim(claimed: MessageQuerySet, reason: str) -> int:
    """Make a message uncertain whose claim ran out; it keeps the claim's name.

    So a late result of that claim still finds it.
    """
    return claimed.filter(status=Status.SENDING).update(
        **_ended(Status.UNCERTAIN), detail=reason, claimed_until=None
    )


def resolve(undecided: MessageQuerySet, status: str, why: str, **found: Any) -> int:
    """Write what a person found out; ``found`` are the columns of an acceptance."""
    return undecided.filter(status__in=(Status.UNCERTAIN, Status.SENDING)).update(
        status=status,
        detail=why,
        finished_at=Coalesce("finished_at", DbNow()),
        claimed_until=None,
        **found,
    )


def acceptance(result: SendResult) -> dict[str, Any]:
    """Return the columns that an accepted message's answer fills, as plain values."""
    reply = result.reply
    assert reply is not None  # noqa: S101 - for the type checker
    is_odd = reply.code != SUCCESS
    return {
        "gateway_id": reply.gateway_id,
        "used_line": reply.used_line,
        "code": reply.code,
        "detail": reply.msg if is_odd else "",
        "flag": str(_flag(reply, result, is_odd)),
    }


def first_poll_age(result: SendResult) -> float:
    """Return the seconds after which to ask for the state for the first time."""
    return next_poll_age(0, result.job.account.poll_schedule) or 0.0


def _result_columns(result: SendResult) -> dict[str, Any]:
    error = result.error
    columns: dict[str, Any] = {
        "code": error.code if error else SUCCESS,
        "detail": str(error)[:500] if error else "",
    }
    if result.status == Status.QUEUED:
        return _queued_again() | columns | {"due_at": from_now(_delay(result))}
    columns |= _ended(result.status) | {"claimed_until": None}
    if result.reply is not None:
        columns["poll_at"] = from_now(first_poll_age(result))
        return columns | acceptance(result)
    # Not of accepted ones: they are written together, many in one statement.
    columns["exchange_seconds"] = round(result.seconds, 3)
    if error and error.code is not None and find_code(error.code) is None:
        columns["flag"] = Flag.UNKNOWN_CODE
    return columns


def _queued_again() -> dict[str, Any]:
    """Return the columns of a message that nobody claims any more."""
    return {
        "status": Status.QUEUED,
        "claim": "",
        "claimed_until": None,
        # An account's own line is that of the next claim.
        "line": _default("default_line", "", F("line")),
        "line2": _default("default_line2", "", F("line2")),
    }


def _ended(status: str) -> dict[str, Any]:
    return {"status": status, "finished_at": DbNow()}


def _default(flag: str, value: str, other: Any) -> Case:
    return Case(When(**{flag: True}, then=Value(value)), default=other)


def _send_time() -> Any:
    return Greatest(Coalesce("send_at", DbNow()), DbNow())


def _flag(reply: SendReply, result: SendResult, is_odd: bool) -> str:
    if not is_same_number(reply.mobile, result.job.request.mobile):
        return Flag.OTHER_MOBILE
    return Flag.UNKNOWN_CODE if is_odd else ""


def _delay(result: SendResult) -> float:
    """Return the seconds until a message that was not sent is due again."""
    if isinstance(result.error, Throttled):
        return throttle_delay(result.error.retry_after)
    return retry_delay(result.job.attempts)
