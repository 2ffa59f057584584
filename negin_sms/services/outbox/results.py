"""Writing down how exchanges ended: the write that must not fail.

Everything from outside was cleaned and cut before it came here, so the write
cannot fail on content; a database that is away is tried again on a fresh
connection. A result that arrives after its claim was taken for dead still heals
the row, unless a person has acted on it.
"""

from __future__ import annotations

import functools
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError, connections, transaction
from django.db.models import Case, Value, When

from negin_sms.choices import Flag, Status
from negin_sms.exceptions import InvalidMessage, Throttled
from negin_sms.gateway.codes import SUCCESS, find_code
from negin_sms.models import Message
from negin_sms.phones import normalize_mobile
from negin_sms.querysets import DbNow, from_now
from negin_sms.retries import next_poll_age, retry_delay, throttle_delay
from negin_sms.services.dispatch.exchange import SendResult
from negin_sms.services.receivers import announce_outcomes, announce_settled
from negin_sms.services.statistics.daily_counts import invalidate_days

from . import statements
from .shared_ids import flag_shared_ids

logger = logging.getLogger("negin_sms")

T = TypeVar("T")
_LONGEST_WAIT = 2.0
_warned_codes: set[int] = set()


def record(results: Sequence[SendResult], *, using: str) -> int:
    """Write the results to their rows; return how many could not be written.

    Those are logged, one line each without number or text, from which the row
    can be repaired; their claims run out and leave them uncertain until then.
    """
    if not results:
        return 0
    patience = max(result.job.account.result_retry for result in results)
    keep = functools.partial(retry_on_disconnect, using=using, seconds=patience)
    written: list[SendResult] = []
    settled: list[int] = []
    left = list(results)
    try:
        written = keep(lambda: _write_at_once(results, using))
        keys = {result.job.pk for result in written}
        left = [result for result in results if result.job.pk not in keys]
        others, settled = keep(lambda: _write_in_steps(left, using))
        written, left = written + others, []
    except (OperationalError, InterfaceError):
        for result in left:
            logger.critical("SMS result not saved: %s", _repair_line(result))
    _warn_of_codes(results)
    announce_outcomes({e.job.pk: e.status for e in written}, using)
    announce_settled(settled, using)
    return len(left)


def retry_on_disconnect(action: Callable[[], T], *, using: str, seconds: float) -> T:
    """Do database work, on a new connection when the old one or the server is gone.

    Inside a transaction (a test case's) the first failure is final.
    """
    give_up_at = time.monotonic() + seconds
    wait = 0.05
    while True:
        try:
            return action()
        except (OperationalError, InterfaceError):
            connection = connections[using]
            if connection.in_atomic_block or time.monotonic() + wait > give_up_at:
                raise
            # The dead connection would fail every further try.
            connection.close()
        time.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)


def _write_at_once(results: Sequence[SendResult], using: str) -> list[SendResult]:
    """Write the usual case in one statement; return the results that were written.

    Of messages that were given the same id, the first: the next shows what it is.
    """
    told: dict[tuple[str, str], SendResult] = {}
    for result in results:
        if result.reply is not None:
            account = result.job.account.alias
            told.setdefault((account, result.reply.gateway_id), result)
    if not told or not statements.are_known(using):
        return []
    keys = statements.accept([_acceptance(e) for e in told.values()], using=using)
    return [result for result in told.values() if result.job.pk in keys]


def _acceptance(result: SendResult) -> statements.Acceptance:
    job, age = result.job, _first_age(result)
    values = _accepted_values(result)
    return statements.Acceptance(id=job.pk, claim=job.claim, poll_in=age, **values)


def _write_in_steps(
    results: Sequence[SendResult], using: str
) -> tuple[list[SendResult], list[int]]:
    """Return the results that were written, and the messages this settled."""
    if not results:
        return [], []
    accepted = [result for result in results if result.reply is not None]
    one_by_one = [result for result in results if result.reply is None]
    written: list[SendResult] = []
    with transaction.atomic(using=using):
        for group in _alike(accepted):
            if _write_together(group, using):
                written += group
            else:
                one_by_one += group
        written += [result for result in one_by_one if _write(result, using)]
        return written, _flag_shared_ids(accepted, using)


def _alike(accepted: Iterable[SendResult]) -> Iterable[Sequence[SendResult]]:
    """Group the results that set the same values, but for the gateway's id."""
    groups: dict[tuple[Any, ...], list[SendResult]] = {}
    for result in accepted:
        values = {**_accepted_values(result), "gateway_id": ""}
        key = (result.job.claim, result.job.account.alias, *values.values())
        groups.setdefault(key, []).append(result)
    return groups.values()


def _write_together(group: Sequence[SendResult], using: str) -> bool:
    """Write a group in one UPDATE; return whether every claim was still held.

    A statement for each message is what a dispatcher would spend its time on.
    """
    ids = {result.job.pk: result.reply.gateway_id for result in group if result.reply}
    rows = Message.objects.using(using).claimed_by(group[0].job.claim)
    written = rows.filter(pk__in=ids).update(
        **{
            **_fields(group[0]),
            "gateway_id": Case(
                *(When(pk=pk, then=Value(gateway_id)) for pk, gateway_id in ids.items())
            ),
        }
    )
    return written == len(ids)


def _write(result: SendResult, using: str) -> bool:
    """Write one result; return whether its row was still its own to write."""
    job = result.job
    rows = Message.objects.using(using)
    fields = _fields(result)
    if rows.claimed_by(job.claim).filter(pk=job.pk).update(**fields):
        return True
    is_evidence = result.status in (Status.ACCEPTED, Status.REJECTED)
    return is_evidence and _heal(result, fields, using)


def _heal(result: SendResult, fields: dict[str, Any], using: str) -> bool:
    """Let late evidence beat a claim that was taken for dead."""
    job = result.job
    row = (
        Message.objects.using(using)
        .select_for_update()
        .filter(pk=job.pk, status=Status.UNCERTAIN, claim=job.claim)
        .first()
    )
    if row is None or Message.objects.using(using).filter(resend_of=row.pk).exists():
        return False
    Message.objects.using(using).filter(pk=row.pk).update(**fields)
    invalidate_days([row.finished_at], using=using)
    logger.warning("SMS %s: its own late result settled that it was uncertain", job.pk)
    return True


def _fields(result: SendResult) -> dict[str, Any]:
    """Return the columns that a result sets."""
    error = result.error
    fields: dict[str, Any] = {
        "status": result.status,
        "claimed_until": None,
        "code": error.code if error else SUCCESS,
        "detail": str(error)[:500] if error else "",
    }
    if result.status == Status.QUEUED:
        return {**fields, "claim": "", "due_at": from_now(_delay(result))}
    fields["finished_at"] = DbNow()
    if result.reply is not None:
        fields["poll_at"] = from_now(_first_age(result))
        return fields | _accepted_values(result)
    # Not of accepted ones: they are written together, many in one statement.
    fields["exchange_seconds"] = round(result.seconds, 3)
    if error and error.code is not None and find_code(error.code) is None:
        fields["flag"] = Flag.UNKNOWN_CODE
    return fields


def _accepted_values(result: SendResult) -> dict[str, Any]:
    reply = result.reply
    assert reply is not None  # noqa: S101 - for the type checker
    odd = reply.code != SUCCESS
    return {
        "gateway_id": reply.gateway_id,
        "used_line": reply.used_line,
        "code": reply.code,
        "detail": reply.msg if odd else "",
        "flag": str(_flag(result, odd)),
    }


def _first_age(result: SendResult) -> float:
    """Return the seconds after which to ask for the first time."""
    return next_poll_age(0, result.job.account.poll_schedule) or 0.0


def _flag(result: SendResult, odd: bool) -> str:
    reply = result.reply
    if reply and reply.mobile and not _same_number(reply.mobile, result):
        return Flag.OTHER_MOBILE
    return Flag.UNKNOWN_CODE if odd else ""


def _same_number(echoed: str, result: SendResult) -> bool:
    if echoed == result.job.request.mobile.removeprefix("+"):
        return True
    try:
        return normalize_mobile(echoed) == result.job.request.mobile
    except InvalidMessage:
        return False


def _delay(result: SendResult) -> float:
    """Return the seconds until a message that was not sent is due again."""
    error = result.error
    if isinstance(error, Throttled):
        return throttle_delay(error.retry_after)
    return retry_delay(result.job.attempts)


def _flag_shared_ids(accepted: Iterable[SendResult], using: str) -> list[int]:
    ids: dict[str, set[str]] = {}
    for result in accepted:
        if result.reply is not None:
            account = ids.setdefault(result.job.account.alias, set())
            account.add(result.reply.gateway_id)
    settled: list[int] = []
    for alias, gateway_ids in ids.items():
        settled += flag_shared_ids(alias, gateway_ids, using=using)
    return settled


def _warn_of_codes(results: Iterable[SendResult]) -> None:
    """Warn once a process of every status code that nobody knows."""
    codes = Counter(_odd_code(result) for result in results)
    for code in codes:
        if code is not None and code not in _warned_codes:
            _warned_codes.add(code)
            logger.error("The SMS gateway used the unknown status code %d", code)


def _odd_code(result: SendResult) -> int | None:
    source = result.reply or result.error
    code = source.code if source else None
    if code is None or code == SUCCESS or find_code(code) is not None:
        return None
    return code


def _repair_line(result: SendResult) -> str:
    gateway_id = result.reply.gateway_id if result.reply else ""
    return (
        f"message={result.job.pk} claim={result.job.claim} "
        f"status={result.status.value} gateway_id={gateway_id}"
    )
