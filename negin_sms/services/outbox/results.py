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
from negin_sms.services.dispatch.exchange import Ending
from negin_sms.services.receivers import announce_outcomes, announce_settled
from negin_sms.services.statistics.daily_counts import reopen_days

from . import statements
from .shared_ids import flag_shared_ids

logger = logging.getLogger("negin_sms")

T = TypeVar("T")
_LONGEST_WAIT = 2.0
_warned_codes: set[int] = set()


def record(endings: Sequence[Ending], *, using: str) -> int:
    """Write the endings to their rows; return how many could not be written.

    Those are logged, one line each without number or text, from which the row
    can be repaired; their claims run out and leave them uncertain until then.
    """
    if not endings:
        return 0
    patience = max(ending.job.account.result_retry for ending in endings)
    keep = functools.partial(insist, using=using, seconds=patience)
    written: list[Ending] = []
    settled: list[int] = []
    left = list(endings)
    try:
        written = keep(lambda: _write_at_once(endings, using))
        keys = {ending.job.pk for ending in written}
        left = [ending for ending in endings if ending.job.pk not in keys]
        others, settled = keep(lambda: _write_in_steps(left, using))
        written, left = written + others, []
    except (OperationalError, InterfaceError):
        for ending in left:
            logger.critical("SMS result not saved: %s", _repair_line(ending))
    _warn_of_codes(endings)
    announce_outcomes({e.job.pk: e.status for e in written}, using)
    announce_settled(settled, using)
    return len(left)


def insist(action: Callable[[], T], *, using: str, seconds: float) -> T:
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


def _write_at_once(endings: Sequence[Ending], using: str) -> list[Ending]:
    """Write the usual case in one statement; return the endings that were written.

    Of messages that were given the same id, the first: the next shows what it is.
    """
    told: dict[tuple[str, str], Ending] = {}
    for ending in endings:
        if ending.reply is not None:
            account = ending.job.account.alias
            told.setdefault((account, ending.reply.gateway_id), ending)
    if not told or not statements.are_known(using):
        return []
    keys = statements.accept([_acceptance(e) for e in told.values()], using=using)
    return [ending for ending in told.values() if ending.job.pk in keys]


def _acceptance(ending: Ending) -> statements.Acceptance:
    job, age = ending.job, _first_age(ending)
    values = _accepted_values(ending)
    return statements.Acceptance(id=job.pk, claim=job.claim, poll_in=age, **values)


def _write_in_steps(
    endings: Sequence[Ending], using: str
) -> tuple[list[Ending], list[int]]:
    """Return the endings that were written, and the messages this settled."""
    if not endings:
        return [], []
    accepted = [ending for ending in endings if ending.reply is not None]
    one_by_one = [ending for ending in endings if ending.reply is None]
    written: list[Ending] = []
    with transaction.atomic(using=using):
        for group in _alike(accepted):
            if _write_together(group, using):
                written += group
            else:
                one_by_one += group
        written += [ending for ending in one_by_one if _write(ending, using)]
        return written, _flag_shared_ids(accepted, using)


def _alike(accepted: Iterable[Ending]) -> Iterable[Sequence[Ending]]:
    """Group the endings that set the same values, but for the gateway's id."""
    groups: dict[tuple[Any, ...], list[Ending]] = {}
    for ending in accepted:
        values = {**_accepted_values(ending), "gateway_id": ""}
        key = (ending.job.claim, ending.job.account.alias, *values.values())
        groups.setdefault(key, []).append(ending)
    return groups.values()


def _write_together(group: Sequence[Ending], using: str) -> bool:
    """Write a group in one UPDATE; return whether every claim was still held.

    A statement for each message is what a dispatcher would spend its time on.
    """
    ids = {ending.job.pk: ending.reply.gateway_id for ending in group if ending.reply}
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


def _write(ending: Ending, using: str) -> bool:
    """Write one ending; return whether its row was still its own to write."""
    job = ending.job
    rows = Message.objects.using(using)
    fields = _fields(ending)
    if rows.claimed_by(job.claim).filter(pk=job.pk).update(**fields):
        return True
    is_evidence = ending.status in (Status.ACCEPTED, Status.REJECTED)
    return is_evidence and _heal(ending, fields, using)


def _heal(ending: Ending, fields: dict[str, Any], using: str) -> bool:
    """Let late evidence beat a claim that was taken for dead."""
    job = ending.job
    row = (
        Message.objects.using(using)
        .select_for_update()
        .filter(pk=job.pk, status=Status.UNCERTAIN, claim=job.claim)
        .first()
    )
    if row is None or Message.objects.using(using).filter(resend_of=row.pk).exists():
        return False
    Message.objects.using(using).filter(pk=row.pk).update(**fields)
    reopen_days([row.finished_at], using=using)
    logger.warning("SMS %s: its own late result settled that it was uncertain", job.pk)
    return True


def _fields(ending: Ending) -> dict[str, Any]:
    """Return the columns that an ending sets."""
    error = ending.error
    fields: dict[str, Any] = {
        "status": ending.status,
        "claimed_until": None,
        "code": error.code if error else SUCCESS,
        "detail": str(error)[:500] if error else "",
    }
    if ending.status == Status.QUEUED:
        return {**fields, "claim": "", "due_at": from_now(_delay(ending))}
    fields["finished_at"] = DbNow()
    if ending.reply is not None:
        fields["poll_at"] = from_now(_first_age(ending))
        return fields | _accepted_values(ending)
    # Not of accepted ones: they are written together, many in one statement.
    fields["exchange_seconds"] = round(ending.seconds, 3)
    if error and error.code is not None and find_code(error.code) is None:
        fields["flag"] = Flag.UNKNOWN_CODE
    return fields


def _accepted_values(ending: Ending) -> dict[str, Any]:
    reply = ending.reply
    assert reply is not None  # noqa: S101 - for the type checker
    odd = reply.code != SUCCESS
    return {
        "gateway_id": reply.gateway_id,
        "used_line": reply.used_line,
        "code": reply.code,
        "detail": reply.msg if odd else "",
        "flag": str(_flag(ending, odd)),
    }


def _first_age(ending: Ending) -> float:
    """Return the seconds after which to ask for the first time."""
    return next_poll_age(0, ending.job.account.poll_schedule) or 0.0


def _flag(ending: Ending, odd: bool) -> str:
    reply = ending.reply
    if reply and reply.mobile and not _same_number(reply.mobile, ending):
        return Flag.OTHER_MOBILE
    return Flag.UNKNOWN_CODE if odd else ""


def _same_number(echoed: str, ending: Ending) -> bool:
    if echoed == ending.job.request.mobile.removeprefix("+"):
        return True
    try:
        return normalize_mobile(echoed) == ending.job.request.mobile
    except InvalidMessage:
        return False


def _delay(ending: Ending) -> float:
    """Return the seconds until a message that was not sent is due again."""
    error = ending.error
    if isinstance(error, Throttled):
        return throttle_delay(error.retry_after)
    return retry_delay(ending.job.attempts)


def _flag_shared_ids(accepted: Iterable[Ending], using: str) -> list[int]:
    ids: dict[str, set[str]] = {}
    for ending in accepted:
        if ending.reply is not None:
            account = ids.setdefault(ending.job.account.alias, set())
            account.add(ending.reply.gateway_id)
    settled: list[int] = []
    for alias, gateway_ids in ids.items():
        settled += flag_shared_ids(alias, gateway_ids, using=using)
    return settled


def _warn_of_codes(endings: Iterable[Ending]) -> None:
    """Warn once a process of every status code that nobody knows."""
    codes = Counter(_odd_code(ending) for ending in endings)
    for code in codes:
        if code is not None and code not in _warned_codes:
            _warned_codes.add(code)
            logger.error("The SMS gateway used the unknown status code %d", code)


def _odd_code(ending: Ending) -> int | None:
    source = ending.reply or ending.error
    code = source.code if source else None
    if code is None or code == SUCCESS or find_code(code) is not None:
        return None
    return code


def _repair_line(ending: Ending) -> str:
    gateway_id = ending.reply.gateway_id if ending.reply else ""
    return (
        f"message={ending.job.pk} claim={ending.job.claim} "
        f"status={ending.status.value} gateway_id={gateway_id}"
    )
