"""The rows of the poller: reading what is due, and writing what was reported.

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
from typing import Any, NamedTuple

from django.db import connections, transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.choices import FINAL_STATES, Flag, ReportSource, State, state_rank
from negin_sms.models import DeliveryState, Message
from negin_sms.querysets import MessageQuerySet, database_now, from_now
from negin_sms.retries import next_poll_age
from negin_sms.services.statistics.daily_counts import invalidate_days

logger = logging.getLogger("negin_sms")

_warned_states: set[int] = set()


@dataclass(frozen=True, slots=True)
class PollTarget:
    """A message while it is asked about; ``due_at`` is its ``poll_at`` as it was read.

    Without one it is a refresh: the report is written whatever it is now.
    """

    pk: int
    gateway_id: str
    accepted_at: datetime
    due_at: datetime | None = None


@dataclass(slots=True)
class Written:
    """What one write did, by primary key.

    ``changed`` maps to the state before, ``reports`` are (key, code) of history;
    ``no_report`` counts those settled without a last word.
    """

    changed: dict[int, int | None] = field(default_factory=dict)
    settled: list[int] = field(default_factory=list)
    no_report: int = 0
    reports: list[tuple[int, int]] = field(default_factory=list)


def read_due(
    account: conf.Account,
    limit: int,
    *,
    by: datetime,
    since: datetime | None,
    using: str,
) -> list[PollTarget]:
    """Return up to ``limit`` messages that were due by then, the longest due first.

    Nothing marks them as taken, for that would cost as much as their answer: the
    poller's lock keeps others away, and an answer is written only while the message
    is still due as it was.
    """
    due = due_rows(account, by=by, since=since, using=using).order_by("poll_at")
    columns = due.values_list("pk", "gateway_id", "finished_at", "poll_at")
    return [PollTarget(pk, gid, at or by, due) for pk, gid, at, due in columns[:limit]]


def due_rows(
    account: conf.Account, *, by: datetime, since: datetime | None, using: str
) -> MessageQuerySet:
    """Return the messages of an account whose state was to be asked by then."""
    rows = Message.objects.using(using).due_for_poll(by).filter(account=account.alias)
    return rows if since is None else rows.filter(finished_at__gte=since)


def write_states(
    asked: Sequence[PollTarget],
    reports: Mapping[str, int],
    account: conf.Account,
    *,
    source: str = ReportSource.POLL,
    using: str,
) -> Written:
    """Write what was reported of these messages, in a constant number of queries.

    ``reports`` maps gateway ids to state codes; a message without one stays as it
    is, and is asked about again. Those that somebody has answered for meanwhile are
    left alone.
    """
    with transaction.atomic(using=using):
        now = database_now(using)
        rows = _lock_due(asked, using)
        last = _last_reports([row.pk for row in rows], using)
        plan = _Plan(account.poll_schedule, now)
        for row in rows:
            plan.add(row, reports.get(row.gateway_id), last.get(row.pk))
        plan.carry_out(source, using)
        invalidate_days(plan.ended_at, using=using)
    _warn_of_states(reports.values())
    return plan.written


def put_off(asked: Iterable[PollTarget], seconds: float, using: str) -> None:
    """Let messages whose request failed be due again in a moment."""
    keys = [one.pk for one in asked if one.due_at is not None]
    rows = Message.objects.using(using).due_for_poll().filter(pk__in=keys)
    rows.update(poll_at=from_now(seconds))


def set_aside(asked: PollTarget, account: conf.Account, using: str) -> bool:
    """Leave a message alone whose id the gateway cannot answer for.

    It is asked about once more when the window closes, and settled then; return
    whether that was now.
    """
    last_age = timedelta(seconds=account.poll_schedule[-1])
    now = database_now(using)
    is_over = asked.accepted_at + last_age <= now
    # What a refresh asked about may be settled: that stays as it is.
    row = Message.objects.using(using).unsettled().filter(pk=asked.pk)
    if asked.due_at is not None:
        row = row.due_for_poll()
    note = _("The gateway gives no answer for its id.")
    if is_over:
        settled = {"poll_at": None, "settled_at": Coalesce("settled_at", now)}
        with transaction.atomic(using=using):
            invalidate_days([asked.accepted_at], using=using)
            return bool(row.update(**settled, detail=note))
    row.update(poll_at=asked.accepted_at + last_age, detail=note)
    return False


class _Plan:
    """The columns to set, grouped by value, so that one UPDATE sets them all."""

    def __init__(self, schedule: Sequence[float], now: datetime) -> None:
        self._schedule = schedule
        self._now = now
        self._keys: list[int] = []
        self._states: Groups = {}
        self._flags: Groups = {}
        self._next_ages: Groups = {}
        self._jitter = random.random()  # noqa: S311
        self.written = Written()
        # When the sending ended of the messages that the report counts otherwise now.
        self.ended_at: set[datetime] = set()

    def add(self, row: _Row, code: int | None, last: int | None) -> None:
        """Plan what a report (None: the gateway said nothing) does to a row."""
        self._keys.append(row.pk)
        state = row.state
        if code is not None and code != last:
            self.written.reports.append((row.pk, code))
        if state_rank(code) > state_rank(state):
            self._states.setdefault(code, []).append(row.pk)
            self.written.changed[row.pk] = state
            state = code
            self.ended_at.add(row.finished_at)
        self._flag(row, state, code)
        self._schedule_next(row, state)

    def carry_out(self, source: str, using: str) -> None:
        """Write the plan: one UPDATE, and one INSERT when there is history."""
        if not self._keys:
            return
        now = self._now
        changed = list(self.written.changed)
        waiting = [pk for keys in self._next_ages.values() for pk in keys]
        next_polls = {
            F("finished_at") + timedelta(seconds=age): keys
            for age, keys in self._next_ages.items()
        }
        Message.objects.using(using).filter(pk__in=self._keys).update(
            state=self._cases(self._states, F("state")),
            state_at=self._cases({now: changed}, F("state_at")),
            flag=self._cases(self._flags, F("flag")),
            settled_at=self._cases(
                {F("settled_at"): waiting}, Coalesce("settled_at", Value(now))
            ),
            poll_at=self._cases(next_polls, Value(None)),
        )
        DeliveryState.objects.using(using).bulk_create(
            DeliveryState(message_id=pk, code=code, reported_at=now, source=source)
            for pk, code in self.written.reports
        )

    def _flag(self, row: _Row, state: int | None, code: int | None) -> None:
        if code is None or row.flag:
            return
        if state in FINAL_STATES and state_rank(code) < state_rank(state):
            self._flags.setdefault(Flag.REGRESSION, []).append(row.pk)
        elif code not in _KNOWN_STATES:
            self._flags.setdefault(Flag.UNKNOWN_CODE, []).append(row.pk)

    def _schedule_next(self, row: _Row, state: int | None) -> None:
        if row.poll_at is None and row.settled_at is not None:
            return  # settled before: a refresh reopens nothing
        age = max(0.0, (self._now - row.finished_at).total_seconds())
        next_age = next_poll_age(age, self._schedule, chance=self._jitter)
        if state not in FINAL_STATES and next_age is not None:
            self._next_ages.setdefault(next_age, []).append(row.pk)
            return
        self.written.settled.append(row.pk)
        self.ended_at.add(row.finished_at)
        self.written.no_report += state not in FINAL_STATES

    def _cases(self, groups: Groups, others: Any) -> Any:
        """Return the value for each group, and the one for all other messages.

        The largest group is not listed: a list of keys is what a write costs.
        """
        listed = {pk for keys in groups.values() for pk in keys}
        everyone = {**groups, others: [pk for pk in self._keys if pk not in listed]}
        largest = max(everyone, key=lambda value: len(everyone[value]))
        cases = [
            When(pk__in=keys, then=_value(value))
            for value, keys in everyone.items()
            if keys and value is not largest
        ]
        return Case(*cases, default=_value(largest)) if cases else _value(largest)


Groups = dict[Any, list[int]]
_KNOWN_STATES = frozenset(State.values)


class _Row(NamedTuple):
    pk: int
    gateway_id: str
    state: int | None
    flag: str
    finished_at: datetime
    poll_at: datetime | None
    settled_at: datetime | None


def _value(value: Any) -> Any:
    return value if hasattr(value, "resolve_expression") else Value(value)


def _lock_due(asked: Sequence[PollTarget], using: str) -> list[_Row]:
    """Lock the messages that are still ours to write."""
    due = {one.pk: one.due_at for one in asked}
    rows = Message.objects.using(using).filter(pk__in=due)
    if connections[using].features.has_select_for_update:
        rows = rows.select_for_update()
    found = map(_Row._make, rows.order_by("pk").values_list(*_Row._fields))
    return [row for row in found if due[row.pk] in (None, row.poll_at)]


def _last_reports(keys: Sequence[int], using: str) -> dict[int, int]:
    history = DeliveryState.objects.using(using).filter(message_id__in=keys)
    return dict(history.order_by("id").values_list("message_id", "code"))


def _warn_of_states(codes: Iterable[int]) -> None:
    """Warn once a process of every state code that nobody knows."""
    for code in set(codes) - set(State.values) - _warned_states:
        _warned_states.add(code)
        logger.error("The SMS gateway reported the unknown state code %d", code)
