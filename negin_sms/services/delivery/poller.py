"""Asking what became of the messages: each gets its last word, or "no report".

One poller at a time asks for an account. Due messages are asked about in chunks by
HTTP workers, and written by the calling thread; an answer
is written only while the message is still due as it was when it was read. A states
call is a read and may be repeated freely.
"""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from negin_sms import conf
from negin_sms.error_reports import private
from negin_sms.querysets import database_now
from negin_sms.services.database import (
    LastMoment,
    over_by,
    refuse_transaction,
    retry_on_disconnect,
    write_alias,
)
from negin_sms.services.operations.maintenance import Maintenance
from negin_sms.services.outbox.gateway_binding import refuse_others
from negin_sms.services.reports import PollReport
from negin_sms.services.statistics import daily_counts
from negin_sms.written_dates import read_moment

from .account_poller import AccountPoller
from .states import due_rows

Progress = Callable[[int, "Counter[int]"], object]

_FOLD_EVERY = 3600.0  # days close once a day


@private
def poll_states(
    *,
    account: str | None = None,
    limit: int | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    since: datetime | str | None = None,
    dry_run: bool = False,
    forever: bool = False,
    interval: float = 5.0,
    stop: threading.Event | None = None,
    progress: Progress | None = None,
) -> PollReport:
    """Ask for the states of all messages that are due; return how it went.

    Ends when nothing is due any more, or looks again ``forever``, every ``interval``
    seconds. ``limit`` is the most to ask about, ``since`` leaves out what was accepted
    before, ``dry_run`` only counts. A set ``stop`` ends it after what is in flight.
    ``progress`` is called with how many were asked about and the counts of states. An
    account whose gateway cannot be reached, or refuses it, is left for the next look;
    ``errors`` says why. Raise InvalidConfiguration for one bound to another gateway.
    """
    poller = _Poller(
        accounts=[conf.get_account(account)] if account else conf.get_accounts(),
        since=None if since is None else read_moment(since, "since"),
        workers=workers,
        batch_size=batch_size,
        progress=progress,
        stop=stop or threading.Event(),
        using=write_alias(),
    )
    if not dry_run:
        refuse_transaction(poller.using)
    with over_by(poller.last_moment()):
        poller.persist(poller.count_due)
        if not dry_run:
            poller.run(limit=limit, idle_for=interval if forever else None)
    return poller.outcome()


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
    report: PollReport = field(default_factory=PollReport)
    maintenance: Maintenance = field(init=False)
    folded_at: float = -math.inf

    def __post_init__(self) -> None:
        aliases = [each.alias for each in self.accounts]
        self.maintenance = Maintenance(aliases, "poller_seen_at", using=self.using)

    def outcome(self) -> PollReport:
        """Return how it went, with the alerts that were told meanwhile."""
        alerts = tuple(self.maintenance.alerts)
        return dataclasses.replace(self.report, alerts=alerts)

    def count_due(self) -> None:
        """Count what is due, for the report."""
        now = database_now(self.using)
        due = sum(
            due_rows(each, by=now, since=self.since, using=self.using).count()
            for each in self.accounts
        )
        self.report = dataclasses.replace(self.report, due=due)

    def last_moment(self) -> LastMoment:
        """Return when it is over once it was told to stop."""
        deadline = max(each.deadline for each in self.accounts)
        return LastMoment(self.stop, deadline + self._patience)

    def run(self, *, limit: int | None, idle_for: float | None) -> None:
        """Give each account its turn until nothing is due, or until stopped."""
        while True:
            self.report = dataclasses.replace(self.report, errors=())
            self._go_round(limit)
            self._fold_days()
            at_end = limit is not None and self.report.asked >= limit
            if idle_for is None or at_end or self.stop.wait(idle_for):
                break

    def _fold_days(self) -> None:
        # The poller's, not the dispatcher's: counting a large day takes a moment.
        now = time.monotonic()
        if now - self.folded_at >= _FOLD_EVERY and not self.stop.is_set():
            self.folded_at = now
            self.persist(lambda: daily_counts.rollup_closed_days(using=self.using))

    def persist(self, action: Callable[[], object]) -> None:
        """Do database work in spite of a server that is away for a moment."""
        retry_on_disconnect(action, using=self.using, seconds=self._patience)

    @property
    def _patience(self) -> float:
        return max(each.result_retry for each in self.accounts)

    def _go_round(self, limit: int | None) -> None:
        for each in self.accounts:
            if self.stop.is_set():
                return
            turn = AccountPoller(
                each,
                using=self.using,
                workers=self.workers,
                batch_size=self.batch_size,
                progress=self._show,
            )
            try:
                turn.run_due(
                    None if limit is None else limit - self.report.asked,
                    since=self.since,
                    stop=self.stop,
                    between=self._between,
                )
            finally:
                self.report += turn.report

    def _between(self) -> None:
        """Keep off what has become another gateway's; do what is due on the side."""
        refuse_others(self.accounts, self.using)
        self.maintenance.run()

    def _show(self, turn: PollReport) -> None:
        """Tell the caller of the turn under way and of those before."""
        if self.progress:
            whole = self.report + turn
            self.progress(whole.asked, whole.states)
