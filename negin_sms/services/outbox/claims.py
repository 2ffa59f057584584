"""Taking rows from the queue, giving them back, and clearing up after the dead.

A claim is the step from queued to sending, one compare-and-set UPDATE that is
committed before anything is sent. What a dead claim leaves behind may have been
sent, so it becomes uncertain and is never queued again.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Iterable, Sequence

from django.db import connections
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.choices import Priority, Status
from negin_sms.models import Message
from negin_sms.querysets import DbNow, MessageQuerySet, database_now, from_now
from negin_sms.services.database import committed, refuse_transaction, write_alias
from negin_sms.services.receivers import announce_outcomes

from . import statements

logger = logging.getLogger("negin_sms")

_SWEEP = 500
_LONGEST_CLAIM = 128


def new_claim() -> str:
    """Return a fresh name for a claim: ``host:pid:random``."""
    host = socket.gethostname()[:80]
    return f"{host}:{os.getpid()}:{secrets.token_hex(6)}"[:_LONGEST_CLAIM]


def claim_due(
    account: conf.Account,
    claim: str,
    limit: int,
    *,
    lease: float,
    using: str,
    if_healthy: bool = False,
) -> list[Message]:
    """Claim up to ``limit`` due messages of an account, in the queue's order.

    One priority at a time: only then does every database read the rows in the
    order of the index, and lock no more than it takes. ``if_healthy`` is for where
    ``statements.are_known``, and claims nothing of an account in trouble.
    """
    priorities = _awake(account, using)
    if not statements.are_known(using):
        return _claim_in_steps(account, claim, limit, priorities, lease, using)
    refuse_transaction(using)
    return statements.claim_due(
        account.alias,
        claim,
        limit,
        priorities=priorities,
        lease=lease,
        if_healthy=if_healthy,
        using=using,
    )


def _claim_in_steps(
    account: conf.Account,
    claim: str,
    limit: int,
    priorities: Iterable[int],
    lease: float,
    using: str,
) -> list[Message]:
    found: list[Message] = []
    with committed(using):
        for priority in priorities:
            rows = Message.objects.using(using).due()
            rows = rows.filter(account=account.alias, priority=priority)
            found += _lock(rows.order_by("due_at", "id"), limit - len(found), using)
            if len(found) >= limit:
                break
        return _step_to_sending(found, claim, lease, using)


def _awake(account: conf.Account, using: str) -> list[int]:
    """Return the priorities that may be sent now, the most urgent first."""
    priorities: list[int] = Priority.values
    if account.quiet_hours is None:
        return priorities
    now = timezone.localtime(database_now(using), timezone.get_default_timezone())
    start, end = account.quiet_hours
    clock = now.time()
    inside = start <= clock < end
    over_midnight = start > end and (clock >= start or clock < end)
    return [p for p in priorities if p != Priority.LOW or not (inside or over_midnight)]


def claim_rows(
    rows: MessageQuerySet, claim: str, limit: int, *, lease: float, using: str
) -> list[Message]:
    """Claim up to ``limit`` of the queued rows, and return those that are ours now."""
    with committed(using):
        return _step_to_sending(_lock(rows, limit, using), claim, lease, using)


def _step_to_sending(
    found: list[Message], claim: str, lease: float, using: str
) -> list[Message]:
    """Make the compare-and-set step; return the messages for which it was ours.

    Select, then update, as every database can.
    """
    if not found:
        return []
    taken = (
        Message.objects.using(using)
        .filter(pk__in=[m.pk for m in found], status=Status.QUEUED)
        .update(
            status=Status.SENDING,
            claim=claim,
            claimed_until=from_now(lease),
            attempts=F("attempts") + 1,
        )
    )
    if taken < len(found):
        found = _still_ours(found, claim, using)
    for message in found:
        message.status, message.claim = Status.SENDING, claim
        message.attempts += 1
    return found


def release(keys: Sequence[int], claim: str, using: str) -> int:
    """Queue claimed messages again whose request was not begun; return how many."""
    return _queue_again(
        Message.objects.using(using).claimed_by(claim).filter(pk__in=keys)
    )


def release_all(claim: str, using: str) -> int:
    """Queue all messages of a claim again of which nothing was begun."""
    return _queue_again(Message.objects.using(using).claimed_by(claim))


def expire_claims() -> int:
    """Make the messages uncertain whose claim ran out; return how many.

    Whoever held them died or hangs, and may have sent them. The claim stays on
    the row, so that a late result of its own can still heal it.
    """
    using = write_alias()
    expired_claims: list[int] = []
    stale = Message.objects.using(using).stale().order_by("claimed_until", "id")
    for pk, claim in list(stale.values_list("pk", "claim")[:_SWEEP]):
        host, _sep, worker = claim.partition(":")
        detail = _(
            "Its worker (host %(host)s, process %(worker)s) ended or hangs; the claim "
            "ran out at %(time)s UTC. It may have been sent."
        ) % {
            "host": host,
            "worker": worker.partition(":")[0],
            "time": f"{database_now(using):%Y-%m-%d %H:%M:%S}",
        }
        stepped = (
            Message.objects.using(using)
            .stale()
            .filter(pk=pk, claim=claim)
            .update(
                status=Status.UNCERTAIN,
                detail=detail[:500],
                claimed_until=None,
                finished_at=DbNow(),
            )
        )
        expired_claims += [pk] * stepped
    if expired_claims:
        logger.error(
            "%d SMS became uncertain: their workers' claims ran out",
            len(expired_claims),
        )
        announce_outcomes(dict.fromkeys(expired_claims, Status.UNCERTAIN), using)
    return len(expired_claims)


def expire_overdue(*, using: str) -> int:
    """End the queued messages whose time is over, paused accounts included."""
    overdue = Message.objects.using(using).overdue().order_by("expires_at", "id")
    keys = list(overdue.values_list("pk", flat=True)[:_SWEEP])
    if not keys:
        return 0
    return (
        Message.objects.using(using)
        .overdue()
        .filter(pk__in=keys)
        .update(
            status=Status.EXPIRED,
            detail=_("Its time was over before it was sent."),
            finished_at=DbNow(),
        )
    )


def _queue_again(rows: MessageQuerySet) -> int:
    return rows.update(
        status=Status.QUEUED,
        claim="",
        claimed_until=None,
        attempts=F("attempts") - 1,
    )


def _lock(rows: MessageQuerySet, limit: int, using: str) -> list[Message]:
    features = connections[using].features
    if features.has_select_for_update:  # not SQLite: its transaction is the lock
        skip = features.has_select_for_update_skip_locked
        rows = rows.select_for_update(skip_locked=skip)
    return list(rows[:limit])


def _still_ours(found: list[Message], claim: str, using: str) -> list[Message]:
    ours = set(
        Message.objects.using(using)
        .claimed_by(claim)
        .filter(pk__in=[m.pk for m in found])
        .values_list("pk", flat=True)
    )
    return [m for m in found if m.pk in ours]
