"""Asking what became of the messages: each gets its last word, or "no report".

One poller at a time asks for an account. Due messages are asked about in chunks by
HTTP workers, and written by the coordinator, which is the calling thread; an answer
is written only while the message is still due as it was when it was read. A states
call is a read and may be repeated freely.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.choices import Flag, ReportSource, Status
from negin_sms.models import Message
from negin_sms.querysets import database_now
from negin_sms.services.database import refuse_transaction, write_alias
from negin_sms.services.operations.maintenance import Maintenance
from negin_sms.services.reports import PollReport
from negin_sms.services.statistics import daily_counts
from negin_sms.services.submission.compose import find_account

from .account_poller import AccountPoller, Progress, Tally
from .states import PollTarget, due_rows

_FOLD_EVERY = 3600.0  # days close once a day


def poll_states(
    *,
    account: str | None = None,
    limit: int | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    since: datetime | None = None,
    dry_run: bool = False,
    forever: bool = False,
    interval: float = 5.0,
    stop: threading.Event | None = None,
    progress: Progress | None = None,
) -> PollReport:
    """Ask for the states of all messages that are due; return how it went.

    Ends when nothing is due any more, or goes on ``forever`` and looks again every
    ``interval`` seconds. ``limit`` is the most messages to ask about, ``since``
    leaves out those that were accepted before. ``dry_run`` counts what is due and
    asks nothing. A set ``stop`` ends it after the requests in flight. ``progress``
    is called with the number of messages asked about and the counts of states so
    far. An account whose gateway cannot be reached, or refuses it, is left for the
    next look; its messages stay due and ``errors`` says why (of the last look).
    """
    poller = _Poller(
        accounts=[conf.get_account(account)] if account else conf.get_accounts(),
        since=since,
        workers=workers,
        batch_size=batch_size,
        progress=progress,
        stop=stop or threading.Event(),
        using=write_alias(),
        tally=Tally(),
    )
    poller.count_due()
    if not dry_run:
        refuse_transaction(poller.using)
        poller.run(limit=limit, idle_for=interval if forever else None)
    return poller.tally.report()


def refresh_states(messages: Iterable[Message]) -> PollReport:
    """Ask for the states of these messages now, due or not, settled or not.

    Those without a gateway id, or with one that is not theirs alone, are skipped
    with the reason.
    """
    refresh = prepare_refresh(messages)
    for turn, asked in refresh.turns:
        turn.run(asked)
    return refresh.report()


@dataclass(frozen=True, slots=True)
class Refresh:
    """A refresh before its exchanges: a turn for each account, and who is left out."""

    turns: list[tuple[AccountPoller, list[PollTarget]]]
    skipped: dict[int, str]
    tally: Tally

    def report(self) -> PollReport:
        """Return how it went."""
        return self.tally.report(tuple(self.skipped.items()))


def prepare_refresh(messages: Iterable[Message]) -> Refresh:
    """Find out which of these messages can be asked about."""
    using = write_alias()
    refuse_transaction(using)
    keys = [message.pk for message in messages]
    rows = Message.objects.using(using).filter(pk__in=keys).order_by("pk")
    asked: dict[str, list[PollTarget]] = {}
    skipped = {key: _("There is no such message any more.") for key in keys}
    for row in rows.defer("text"):
        skipped[row.pk] = _why_not_asked(row)
        if not skipped[row.pk]:
            one = PollTarget(row.pk, row.gateway_id, row.finished_at or row.created_at)
            asked.setdefault(row.account, []).append(one)
    tally = Tally()
    tally.counts["due"] = sum(map(len, asked.values()))
    source = ReportSource.REFRESH
    turns = [
        (AccountPoller(find_account(alias), tally, using=using, source=source), ours)
        for alias, ours in asked.items()
    ]
    return Refresh(turns, {key: why for key, why in skipped.items() if why}, tally)


@dataclass(slots=True, kw_only=True)
class _Poller:
    """One run over some accounts: a turn each, again and again if need be."""

    accounts: Sequence[conf.Account]
    since: datetime | None
    workers: int | None
    batch_size: int | None
    progress: Progress | None
    stop: threading.Event
    using: str
    tally: Tally
    maintenance: Maintenance = field(init=False)
    folded_at: float = -math.inf

    def __post_init__(self) -> None:
        aliases = [each.alias for each in self.accounts]
        self.maintenance = Maintenance(aliases, "poller_seen_at", using=self.using)

    def count_due(self) -> None:
        """Count what is due, for the report."""
        now = database_now(self.using)
        self.tally.counts["due"] = sum(
            due_rows(each, by=now, since=self.since, using=self.using).count()
            for each in self.accounts
        )

    def run(self, *, limit: int | None, idle_for: float | None) -> None:
        """Give each account its turn until nothing is due, or until stopped."""
        left = limit
        while True:
            self.tally.errors.clear()
            before = self.tally.counts["asked"]
            self._go_round(left)
            self._fold_days()
            if left is not None:
                left -= self.tally.counts["asked"] - before
            if idle_for is None or left == 0 or self.stop.wait(idle_for):
                break

    def _fold_days(self) -> None:
        # The poller's, not the dispatcher's: counting a large day takes a moment.
        now = time.monotonic()
        if now - self.folded_at >= _FOLD_EVERY and not self.stop.is_set():
            self.folded_at = now
            daily_counts.rollup_closed_days(using=self.using)

    def _go_round(self, left: int | None) -> None:
        most = left
        for each in self.accounts:
            before = self.tally.counts["asked"]
            turn = AccountPoller(
                each,
                self.tally,
                using=self.using,
                workers=self.workers,
                batch_size=self.batch_size,
                progress=self.progress,
            )
            turn.run_due(
                most, since=self.since, stop=self.stop, between=self.maintenance.run
            )
            if most is not None:
                most -= self.tally.counts["asked"] - before


def _why_not_asked(row: Any) -> str:
    if row.status != Status.ACCEPTED or not row.gateway_id:
        return _("The gateway has not accepted it (%(status)s).") % {
            "status": row.get_status_display()
        }
    if row.flag == Flag.SHARED_ID:
        return str(Flag.SHARED_ID.label)
    return ""
