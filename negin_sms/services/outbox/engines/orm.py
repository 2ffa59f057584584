"""Claim and accept as every database that Django knows can."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connections, transaction

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.models import Message
from negin_sms.querysets import MessageQuerySet
from negin_sms.services.database import committed
from negin_sms.services.outbox import transitions
from negin_sms.services.outbox.jobs import SendResult
from negin_sms.services.outbox.shared_ids import flag_shared_ids


class OrmEngine:
    """Select with a lock, then update by compare-and-set."""

    asks_health = False
    """Whether a claim itself looks how the account stands (``if_healthy``)."""

    def __init__(self, using: str) -> None:
        self.using = using
        self.rows: MessageQuerySet = Message.objects.using(using)

    def can_serve(self, connection: Any) -> bool:
        """Return whether the server is new enough."""
        return True

    def server_identity(self) -> str:
        """Return what a server has to itself and keeps, "" where nobody knows."""
        return ""

    def is_pooled(self) -> bool:
        """Return whether a pooler stands between, which may change the server."""
        return False

    def ask(self, sql: str) -> str:
        """Return the single value that a question gives."""
        with connections[self.using].cursor() as cursor:
            cursor.execute(sql)
            row = cursor.fetchone()
        return str(row[0]) if row else ""

    def claim_due(
        self,
        account: conf.Account,
        claim: str,
        limit: int,
        *,
        priorities: Sequence[int],
        lease: float,
        if_healthy: bool = False,
    ) -> list[Message]:
        """Claim up to ``limit`` due messages of these priorities, in their order.

        One priority at a time: only then does every database read the rows in the
        order of the index, and lock no more than it takes. ``lease`` is in seconds.
        """
        found: list[Message] = []
        with committed(self.using):
            for priority in priorities:
                rows = self.rows.due().filter(account=account.alias, priority=priority)
                rows = rows.order_by("due_at", "id")
                found += self._lock(rows, limit - len(found))
                if len(found) >= limit:
                    break
            return self._take(found, claim, account, lease)

    def claim_rows(
        self,
        rows: MessageQuerySet,
        claim: str,
        limit: int,
        *,
        account: conf.Account,
        lease: float,
    ) -> list[Message]:
        """Claim up to ``limit`` of an account's queued rows; return those taken."""
        with committed(self.using):
            return self._take(self._lock(rows, limit), claim, account, lease)

    def accept(self, results: Sequence[SendResult]) -> tuple[set[int], list[int]]:
        """Write acceptances; return the keys of the rows written, and of those settled.

        Rows whose claim is lost are left alone. Settled are those that share an id
        with another message: nobody can ask about them.
        """
        written: set[int] = set()
        with transaction.atomic(using=self.using):
            for group in _alike(results):
                claim = next(iter(group.values())).job.claim
                claimed = self.rows.claimed_by(claim)
                if transitions.finish_alike(claimed, group) == len(group):
                    written.update(group)
            ids: dict[str, set[str]] = {}
            for each in results:
                ids.setdefault(each.job.account.alias, set()).add(each.gateway_id)
            settled = [
                key
                for alias, known in ids.items()
                for key in flag_shared_ids(alias, known, using=self.using)
            ]
        return written, settled

    def _lock(self, rows: MessageQuerySet, limit: int) -> list[Message]:
        features = connections[self.using].features
        if features.has_select_for_update:  # not SQLite: its transaction is the lock
            skip = features.has_select_for_update_skip_locked
            rows = rows.select_for_update(skip_locked=skip)
        return list(rows[:limit])

    def _take(
        self, found: list[Message], claim: str, account: conf.Account, lease: float
    ) -> list[Message]:
        """Make the step for those found; return those for which it was ours."""
        if not found:
            return []
        rows = self.rows.filter(pk__in=[message.pk for message in found])
        if transitions.claim(rows, claim, account, lease) < len(found):
            ours = set(rows.filter(claim=claim).values_list("pk", flat=True))
            found = [message for message in found if message.pk in ours]
        for message in found:
            message.status, message.claim = Status.SENDING, claim
            message.attempts += 1
            transitions.fill_lines(message, account)
        return found


def _alike(results: Iterable[SendResult]) -> Iterable[dict[int, SendResult]]:
    """Group acceptances that write the same values, but for the gateway's id."""
    groups: dict[tuple[Any, ...], dict[int, SendResult]] = {}
    for result in results:
        values = {**transitions.acceptance(result), "gateway_id": ""}
        key = (result.job.claim, result.job.account.alias, *values.values())
        groups.setdefault(key, {})[result.job.pk] = result
    return groups.values()
