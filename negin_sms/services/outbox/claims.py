"""Claims that ended: taken back, or run out.

A claim is the step from queued to sending (``engines`` make it), committed before
anything is sent. What a crashed worker's claim leaves behind may have been sent, so it
becomes uncertain and is never queued again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from negin_sms.choices import Status
from negin_sms.models import Message
from negin_sms.services.announcements import announce_outcomes
from negin_sms.services.database import write_alias
from negin_sms.services.outbox import journal, transitions
from negin_sms.services.outbox.journal import recovery
from negin_sms.services.outbox.server_watch import doubt_of_server

logger = logging.getLogger("negin_sms")

_SWEEP = 500


def unclaim(keys: Sequence[int], claim: str, using: str) -> int:
    """Queue claimed messages again whose request was not begun; return how many."""
    rows = Message.objects.using(using).claimed_by(claim)
    moved = transitions.unclaim(rows.filter(pk__in=keys))
    journal.settled(claim, keys)
    return moved


def unclaim_all(claim: str, using: str) -> int:
    """Queue all messages of a claim again of which nothing was begun.

    On a server that was not compared yet they are held: they may have been sent by an
    earlier claim, of which it does not know.
    """
    rows = Message.objects.using(using)
    with transaction.atomic(using=using):
        doubt = doubt_of_server(using)
        claimed = list(rows.claimed_by(claim).values_list("pk", flat=True))
        moved = transitions.unclaim(rows.claimed_by(claim))
        if doubt:
            transitions.hold(rows.filter(pk__in=claimed), doubt)
    journal.taken(claim, ())
    return moved


def expire_claims(*, as_onlooker: bool = False) -> int:
    """Make the messages uncertain whose claim ran out; return how many.

    Whoever held them crashed or hangs, and may have sent them. Of crashed ones that
    kept a journal only those that it had begun, and these at once. ``as_onlooker``
    leaves all to others where a journal cannot be read that may know more.
    """
    if as_onlooker and not recovery.may_read_journals():
        return 0
    using = write_alias()
    doubted = recovery.recover(using)
    expired: list[int] = []
    stale = Message.objects.using(using).stale().order_by("claimed_until", "id")
    claimed = ("account", "claim", "claimed_until")
    for message in list(stale.only("pk", *claimed)[:_SWEEP]):
        pk, claim = message.pk, message.claim
        if recovery.write_answer(pk, claim, using):
            continue
        host, _sep, worker = claim.partition(":")
        reason = _(
            "Its worker (host %(host)s, process %(worker)s) took it at about %(time)s "
            "UTC, and ended or hangs. It may have been sent then."
        ) % {
            "host": host,
            "worker": worker.partition(":")[0],
            "time": recovery.claimed_at(message),
        }
        row = Message.objects.using(using).stale().filter(pk=pk, claim=claim)
        expired += [pk] * transitions.expire_claim(row, reason[:500])
    if expired:
        logger.error(
            "%d SMS became uncertain: their workers' claims ran out", len(expired)
        )
        announce_outcomes(dict.fromkeys(expired, Status.UNCERTAIN), using)
    return doubted + len(expired)


def expire_overdue(*, using: str) -> int:
    """End the waiting messages that have expired, of paused accounts too."""
    rows = Message.objects.using(using)
    overdue = rows.overdue().order_by("expires_at", "id").values_list("pk", flat=True)
    keys: list[int] = []
    for status in (Status.QUEUED, Status.HELD):
        # One at a time comes in the index's order. To sort both PostgreSQL expects a
        # great many, and starts processes that help.
        keys += overdue.filter(status=status)[:_SWEEP]
    return transitions.expire(rows.overdue().filter(pk__in=keys)) if keys else 0
