"""The poller's rows: taking what is due, and writing what was reported.

Reports move a message's state upward only; each that differs from the last one is
kept in DeliveryState. The number of queries does not depend on how many messages
are written, nor on what was reported of them.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connections, transaction
from django.db.models import Case, F, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.choices import FINAL_STATES, Flag, ReportSource, State, state_rank
from negin_sms.models import DeliveryState, Message
from negin_sms.querysets import DbNow, MessageQuerySet, database_now, from_now
from negin_sms.retries import next_poll_age

from .counting import reopen_days
from .transactions import committed

logger = logging.getLogger("negin_sms")

_warned_states: set[int] = set()


@dataclass(frozen=True, slots=True)
class Asked:
    """A message while it is asked about; ``lease`` is the ``poll_at`` that holds it.

    Without a lease it is a refresh: whoever holds it, the report is written.
    """

    pk: int
    gateway_id: str
    accepted_at: datetime
    lease: datetime | None = None


@dataclass(slots=True)
class Written:
    """What one write changed, in messages; ``reports`` are (key, code) of history."""

    changed: int = 0
    settled: int = 0
    no_report: int = 0
    reports: list[tuple[int, int]] = field(default_factory=list)


def take_due(
    account: conf.Account, limit: int, *, since: datetime | None, using: str
) -> list[Asked]:
    """Take up to ``limit`` messages that are due, the longest due first.

    They are held for as long as their requests may take; whoever dies holding
    them only makes them late.
    """
    # Unique, so that what we took can be told from what another poller took.
    unique = timedelta(microseconds=random.randrange(1_000_000))  # noqa: S311
    held_for = timedelta(seconds=2 * (account.deadline + account.result_retry))
    with committed(using):
        lease = database_now(using) + held_for + unique
        due = due_rows(account, since=since, using=using)
        found = list(
            _locked(due.order_by("poll_at"), using).values_list(
                "pk", "gateway_id", "finished_at"
            )[:limit]
        )
        keys = [pk for pk, _id, _at in found]
        rows = Message.objects.using(using).filter(pk__in=keys)
        if rows.due_for_poll().update(poll_at=lease) < len(keys):
            ours = set(rows.filter(poll_at=lease).values_list("pk", flat=True))
            found = [row for row in found if row[0] in ours]
    return [Asked(pk, gid, at or lease, lease) for pk, gid, at in found]


def due_rows(
    account: conf.Account, *, since: datetime | None, using: str
) -> MessageQuerySet:
    """Return the messages of an account whose state is to be asked now."""
    rows = Message.objects.using(using).due_for_poll().filter(account=account.alias)
    return rows if since is None else rows.filter(finished_at__gte=since)


def write_states(
    asked: Sequence[Asked],
    reports: Mapping[str, int],
    account: conf.Account,
    *,
    source: str = ReportSource.POLL,
    using: str,
) -> Written:
    """Write the answer of one states request to the messages it was about."""
    with transaction.atomic(using=using):
        rows = _held_rows(asked, using)
        last = _last_reports([row.pk for row in rows], using)
        plan = _Plan(account.poll_schedule)
        for row in rows:
            plan.add(row, reports.get(row.gateway_id), last.get(row.pk))
        plan.carry_out(source, using)
        reopen_days(plan.ended_at, using=using)
    _warn_of_states(reports.values())
    return plan.written


def put_off(asked: Iterable[Asked], seconds: float, using: str) -> None:
    """Let go of messages whose request failed; they are due again in a moment."""
    for lease, keys in _by_lease(asked).items():
        Message.objects.using(using).filter(pk__in=keys, poll_at=lease).update(
            poll_at=from_now(seconds)
        )


def set_aside(asked: Asked, account: conf.Account, using: str) -> None:
    """Leave a message alone whose id the gateway cannot answer for.

    It is asked about once more when the window closes, and settled then.
    """
    last_age = timedelta(seconds=account.poll_schedule[-1])
    now = database_now(using)
    is_over = asked.accepted_at + last_age <= now
    row = Message.objects.using(using).filter(pk=asked.pk)
    if asked.lease is not None:
        row = row.filter(poll_at=asked.lease)
    note = _("The gateway gives no answer for its id.")
    if is_over:
        with transaction.atomic(using=using):
            row.update(
                poll_at=None, settled_at=Coalesce("settled_at", now), detail=note
            )
            reopen_days([asked.accepted_at], using=using)
    else:
        row.filter(poll_at__isnull=False).update(
            poll_at=asked.accepted_at + last_age, detail=note
        )


class _Plan:
    """The columns to set, grouped by value, so that one UPDATE sets them all."""

    def __init__(self, schedule: Sequence[float]) -> None:
        self._schedule = schedule
        self._keys: list[int] = []
        self._states: dict[int, list[int]] = {}
        self._flags: dict[str, list[int]] = {}
        self._settled: list[int] = []
        self._next_ages: dict[float, list[int]] = {}
        self._jitter = random.random()  # noqa: S311
        self.written = Written()
        # When the sending ended of the messages that the report counts otherwise now.
        self.ended_at: set[datetime] = set()

    def add(self, row: Any, code: int | None, last: int | None) -> None:
        """Plan what a report (None: the gateway said nothing) does to a row."""
        self._keys.append(row.pk)
        state = row.state
        if code is not None and code != last:
            self.written.reports.append((row.pk, code))
        if state_rank(code) > state_rank(state):
            self._states.setdefault(code or 0, []).append(row.pk)
            state = code
            self.written.changed += 1
            self.ended_at.add(row.finished_at)
        self._flag(row, state, code)
        self._schedule_next(row, state)

    def carry_out(self, source: str, using: str) -> None:
        """Write the plan: one UPDATE, and one INSERT when there is history."""
        if not self._keys:
            return
        changed = [pk for keys in self._states.values() for pk in keys]
        Message.objects.using(using).filter(pk__in=self._keys).update(
            state=_cases(self._states, F("state")),
            state_at=_cases({_NOW: changed}, F("state_at")),
            flag=_cases(self._flags, F("flag")),
            settled_at=Case(
                When(pk__in=self._settled, then=Coalesce("settled_at", DbNow())),
                default=F("settled_at"),
            ),
            poll_at=Case(
                When(pk__in=self._settled, then=Value(None)),
                *(
                    When(pk__in=keys, then=F("finished_at") + timedelta(seconds=age))
                    for age, keys in self._next_ages.items()
                ),
                default=F("poll_at"),
            ),
        )
        DeliveryState.objects.using(using).bulk_create(
            DeliveryState(
                message_id=pk, code=code, reported_at=self._now, source=source
            )
            for pk, code in self.written.reports
        )

    def _flag(self, row: Any, state: int | None, code: int | None) -> None:
        if code is None or row.flag:
            return
        if state in FINAL_STATES and state_rank(code) < state_rank(state):
            self._flags.setdefault(Flag.REGRESSION, []).append(row.pk)
        elif code not in State.values:
            self._flags.setdefault(Flag.UNKNOWN_CODE, []).append(row.pk)

    def _schedule_next(self, row: Any, state: int | None) -> None:
        self._now = row.now
        if row.poll_at is None and row.settled_at is not None:
            return  # settled before: a refresh reopens nothing
        age = max(0.0, (row.now - row.finished_at).total_seconds())
        next_age = next_poll_age(age, self._schedule, chance=self._jitter)
        if state not in FINAL_STATES and next_age is not None:
            self._next_ages.setdefault(next_age, []).append(row.pk)
            return
        self._settled.append(row.pk)
        self.ended_at.add(row.finished_at)
        self.written.settled += 1
        self.written.no_report += state not in FINAL_STATES


_NOW = DbNow()


def _cases(groups: Mapping[Any, list[int]], default: Any) -> Case:
    return Case(
        *(
            When(pk__in=keys, then=value if isinstance(value, DbNow) else Value(value))
            for value, keys in groups.items()
        ),
        default=default,
    )


def _held_rows(asked: Sequence[Asked], using: str) -> list[Any]:
    """Lock the messages that are still ours to write, with the time beside them."""
    leases = {a.pk: a.lease for a in asked}
    rows = _locked(Message.objects.using(using).filter(pk__in=leases), using, wait=True)
    found = (
        rows.order_by("pk")
        .annotate(now=DbNow())
        .only("gateway_id", "state", "flag", "finished_at", "poll_at", "settled_at")
    )
    return [row for row in found if leases[row.pk] in (None, row.poll_at)]


def _last_reports(keys: Sequence[int], using: str) -> dict[int, int]:
    history = DeliveryState.objects.using(using).filter(message_id__in=keys)
    return dict(history.order_by("id").values_list("message_id", "code"))


def _locked(
    rows: MessageQuerySet, using: str, *, wait: bool = False
) -> QuerySet[Message]:
    features = connections[using].features
    if not features.has_select_for_update:
        return rows
    skip = features.has_select_for_update_skip_locked and not wait
    return rows.select_for_update(skip_locked=skip)


def _by_lease(asked: Iterable[Asked]) -> dict[datetime, list[int]]:
    leases: dict[datetime, list[int]] = {}
    for one in asked:
        if one.lease is not None:
            leases.setdefault(one.lease, []).append(one.pk)
    return leases


def _warn_of_states(codes: Iterable[int]) -> None:
    """Warn once a process of every state code that nobody knows."""
    for code in set(codes) - set(State.values) - _warned_states:
        _warned_states.add(code)
        logger.error("The SMS gateway reported the unknown state code %d", code)
