"""From the outbox to the gateway: one coordinator, many HTTP workers.

The coordinator is the calling thread and does all database work; the workers do
HTTP and see no database. No transaction is open while a request is in flight. At
most twice as many rows as there are workers are claimed at any moment, which is
what a kill -9 can leave uncertain. Any number of dispatchers share one database.
"""

from __future__ import annotations

import functools
import math
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.querysets import MessageQuerySet
from negin_sms.services.database import refuse_transaction, write_alias
from negin_sms.services.operations.maintenance import Housekeeping
from negin_sms.services.outbox.results import insist
from negin_sms.services.reports import DispatchReport
from negin_sms.services.worker_pool import Inbox

from .exchange import Ending
from .producer import Lane

T = TypeVar("T")

# Wake when half of the workers have finished, or after so many seconds.
_PATIENCE = 0.1

Progress = Callable[[int], object]


def dispatch_queue(
    *,
    account: str | None = None,
    workers: int | None = None,
    limit: int | None = None,
    forever: bool = False,
    interval: float = 1.0,
    rate: float | None = None,
    lease: float | None = None,
    stop: threading.Event | None = None,
    progress: Progress | None = None,
) -> DispatchReport:
    """Send what is due, of one account or of all; return how it went.

    Ends when nothing is due, or goes on ``forever`` and looks again every
    ``interval`` seconds. ``workers``, ``rate`` (messages a second) and ``lease``
    (seconds) stand in for the accounts' settings; ``limit`` is the most messages
    to take. A set ``stop`` ends it: requests in flight are finished, what was
    claimed and not begun goes back to the queue. ``progress`` is called with the
    number of messages each time some have ended.
    """
    aliases = [account] if account else [a.alias for a in conf.get_accounts()]
    coordinator = Coordinator(
        [conf.get_account(alias) for alias in aliases],
        workers=workers,
        rate=rate,
        lease=lease,
        progress=progress,
    )
    coordinator.run(
        limit=limit,
        idle_for=interval if forever else None,
        stop=stop or threading.Event(),
    )
    return coordinator.report()


def send_rows(account: conf.Account, rows: MessageQuerySet) -> DispatchReport:
    """Send these queued rows of an account now, due or not; no others."""
    coordinator = Coordinator([account], only=rows)
    coordinator.run(limit=None, idle_for=None, stop=threading.Event())
    return coordinator.report()


class Coordinator:
    """The thread that owns the database, for one run over some accounts."""

    def __init__(
        self,
        accounts: Sequence[conf.Account],
        *,
        workers: int | None = None,
        rate: float | None = None,
        lease: float | None = None,
        only: MessageQuerySet | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.using = write_alias()
        self._results: Inbox[Ending] = Inbox()
        self._lanes = [
            Lane(
                account,
                self._results,
                using=self.using,
                workers=workers,
                rate=rate,
                lease=lease,
                only=only,
            )
            for account in accounts
        ]
        aliases = [account.alias for account in accounts]
        self._house = Housekeeping(aliases, "dispatcher_seen_at", using=self.using)
        self._keeps_house = only is None
        self._progress = progress or (lambda count: None)
        self._counts: Counter[str] = Counter()

    def run(
        self, *, limit: int | None, idle_for: float | None, stop: threading.Event
    ) -> None:
        """Claim, send and record until nothing is due, or until stopped."""
        refuse_transaction(self.using)
        left = math.inf if limit is None else limit
        try:
            while not stop.is_set():
                self._persist(self._keep_house)
                left -= self._top_up(left)
                if self._in_flight():
                    self._collect()
                elif left > 0 and any(lane.waits_for_rate for lane in self._lanes):
                    stop.wait(_PATIENCE)
                elif left > 0 and idle_for is not None:
                    stop.wait(idle_for)
                else:
                    break
        finally:
            self._wind_up()

    def report(self) -> DispatchReport:
        """Return the counts of the run."""
        pauses = {lane.account.alias: lane.pause for lane in self._lanes}
        return DispatchReport(
            paused={alias: why for alias, why in pauses.items() if why is not None},
            **self._counts,
        )

    def _top_up(self, left: float) -> int:
        taken = 0
        for lane in self._lanes:
            most = int(min(left - taken, 2 * lane.workers))
            taken += self._persist(functools.partial(lane.top_up, most))
        return taken

    def _collect(self) -> None:
        busy = min(self._in_flight(), sum(lane.workers for lane in self._lanes))
        enough = max(1, busy // 2)
        endings = self._results.collect(enough=enough, patience=_PATIENCE)
        for lane in self._lanes:
            mine = [e for e in endings if e.job.account is lane.account]
            self._counts["unwritten"] += lane.take(mine)
        for ending in endings:
            self._counts[_count_name(ending)] += 1
        if endings:
            self._progress(len(endings))

    def _wind_up(self) -> None:
        """Write down what is in flight; give back what no worker has begun."""
        withdrawn = [lane.withdraw() for lane in self._lanes]
        while self._in_flight():
            self._collect()
        for lane, jobs in zip(self._lanes, withdrawn, strict=True):
            lane.close()
            self._persist(functools.partial(lane.give_back, jobs))

    def _keep_house(self) -> None:
        if self._keeps_house:
            self._counts.update(self._house.keep())

    def _persist(self, action: Callable[[], T]) -> T:
        """Do database work in spite of a server that is away for a moment."""
        seconds = max(lane.account.result_retry for lane in self._lanes)
        return insist(action, using=self.using, seconds=seconds)

    def _in_flight(self) -> int:
        return sum(len(lane.in_flight) for lane in self._lanes)


def _count_name(ending: Ending) -> str:
    return "not_sent" if ending.status == Status.QUEUED else ending.status.value
