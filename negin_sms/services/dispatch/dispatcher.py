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
from negin_sms.services.gateway_binding import refuse_others
from negin_sms.services.operations.maintenance import Maintenance
from negin_sms.services.outbox.results import retry_on_disconnect
from negin_sms.services.reports import DispatchReport

from .exchange import SendResult
from .producer import Producer
from .worker_pool import ResultQueue

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
    dispatcher = Dispatcher(
        [conf.get_account(alias) for alias in aliases],
        workers=workers,
        rate=rate,
        lease=lease,
        progress=progress,
    )
    dispatcher.run(
        limit=limit,
        idle_for=interval if forever else None,
        stop=stop or threading.Event(),
    )
    return dispatcher.report()


def send_rows(account: conf.Account, rows: MessageQuerySet) -> DispatchReport:
    """Send these queued rows of an account now, due or not; no others."""
    dispatcher = Dispatcher([account], only=rows)
    dispatcher.run(limit=None, idle_for=None, stop=threading.Event())
    return dispatcher.report()


class Dispatcher:
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
        self._results: ResultQueue[SendResult] = ResultQueue()
        self._producers = [
            Producer(
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
        self._maintenance = Maintenance(aliases, "dispatcher_seen_at", using=self.using)
        self._maintains = only is None
        self._progress = progress or (lambda count: None)
        self._counts: Counter[str] = Counter()

    def run(
        self, *, limit: int | None, idle_for: float | None, stop: threading.Event
    ) -> None:
        """Claim, send and record until nothing is due, or until stopped."""
        refuse_transaction(self.using)
        self._persist(
            lambda: refuse_others([p.account for p in self._producers], self.using)
        )
        left = math.inf if limit is None else limit
        try:
            while not stop.is_set():
                self._persist(self._maintain)
                left -= self._top_up(left)
                if self._in_flight():
                    self._collect()
                elif left > 0 and any(
                    producer.waits_for_rate for producer in self._producers
                ):
                    stop.wait(_PATIENCE)
                elif left > 0 and idle_for is not None:
                    stop.wait(idle_for)
                else:
                    break
        finally:
            self._wind_up()

    def report(self) -> DispatchReport:
        """Return the counts of the run."""
        pauses = {
            producer.account.alias: producer.pause for producer in self._producers
        }
        return DispatchReport(
            alerts=tuple(self._maintenance.alerts),
            paused={alias: why for alias, why in pauses.items() if why is not None},
            **self._counts,
        )

    def _top_up(self, left: float) -> int:
        taken = 0
        for producer in self._producers:
            most = int(min(left - taken, 2 * producer.workers))
            taken += self._persist(functools.partial(producer.top_up, most))
        return taken

    def _collect(self) -> None:
        busy = min(
            self._in_flight(), sum(producer.workers for producer in self._producers)
        )
        enough = max(1, busy // 2)
        results = self._results.collect(enough=enough, patience=_PATIENCE)
        for producer in self._producers:
            mine = [e for e in results if e.job.account is producer.account]
            self._counts["unwritten"] += producer.take(mine)
        for result in results:
            self._counts[_count_name(result)] += 1
        if results:
            self._progress(len(results))

    def _wind_up(self) -> None:
        """Write down what is in flight; give back what no worker has begun."""
        withdrawn = [producer.withdraw() for producer in self._producers]
        while self._in_flight():
            self._collect()
        for producer, jobs in zip(self._producers, withdrawn, strict=True):
            producer.close()
            self._persist(functools.partial(producer.release, jobs))

    def _maintain(self) -> None:
        if self._maintains:
            self._counts.update(self._maintenance.run())

    def _persist(self, action: Callable[[], T]) -> T:
        """Do database work in spite of a server that is away for a moment."""
        seconds = max(producer.account.result_retry for producer in self._producers)
        return retry_on_disconnect(action, using=self.using, seconds=seconds)

    def _in_flight(self) -> int:
        return sum(len(producer.in_flight) for producer in self._producers)


def _count_name(result: SendResult) -> str:
    return "not_sent" if result.status == Status.QUEUED else result.status.value
