"""From the outbox to the gateway: one dispatcher, many HTTP workers.

The dispatcher is the calling thread and does all database work; the workers do
HTTP and see no database. No transaction is open while a request is in flight. At
most twice as many rows as there are workers are claimed at any moment, which is
what a kill -9 can leave uncertain. Any number of dispatchers share one database.
"""

from __future__ import annotations

import functools
import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.error_reports import private
from negin_sms.exceptions import NotSent
from negin_sms.querysets import MessageQuerySet
from negin_sms.services.database import (
    LastMoment,
    over_by,
    refuse_transaction,
    retry_on_disconnect,
    write_alias,
)
from negin_sms.services.operations.maintenance import Maintenance
from negin_sms.services.outbox.gateway_binding import refuse_others
from negin_sms.services.outbox.jobs import SendJob, SendResult
from negin_sms.services.outbox.results import log_unwritten
from negin_sms.services.reports import DispatchReport

from .producer import Producer
from .worker_pool import NoThread, ResultQueue

logger = logging.getLogger("negin_sms")

T = TypeVar("T")

# Wake when half of the workers have finished, or after so many seconds.
_PATIENCE = 0.1
_GRACE = 5.0  # seconds that a worker may take beyond the deadline

Progress = Callable[[int], object]


@private
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
    number of messages each time some have ended. Raise InvalidConfiguration for an
    account that is bound to another gateway (``adopt_account``).
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


def send_rows(
    account: conf.Account, rows: MessageQuerySet, *, most: int, may_wait: bool = True
) -> DispatchReport:
    """Send these queued rows of an account now, due or not; no others.

    ``most`` is how many there are. Without ``may_wait`` what is over a cap is stopped.
    """
    dispatcher = Dispatcher(
        [account],
        only=rows,
        workers=max(1, min(most, account.workers)),
        may_wait=may_wait,
    )
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
        may_wait: bool = True,
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
                may_wait=may_wait,
            )
            for account in accounts
        ]
        aliases = [account.alias for account in accounts]
        self._maintenance = Maintenance(aliases, "dispatcher_seen_at", using=self.using)
        self._maintains = only is None
        self._progress = progress or (lambda count: None)
        self._counts: Counter[str] = Counter()
        self._failure: Exception | None = None

    def run(
        self, *, limit: int | None, idle_for: float | None, stop: threading.Event
    ) -> None:
        """Claim, send and record until nothing is due, or until stopped.

        Once stopped it is over within DEADLINE and RESULT_RETRY.
        """
        refuse_transaction(self.using)
        longest = max(p.account.deadline for p in self._producers)
        self._last_moment = LastMoment(stop, longest + self._patience)
        with over_by(self._last_moment):
            self._run(limit=limit, idle_for=idle_for, stop=stop)

    def _run(
        self, *, limit: int | None, idle_for: float | None, stop: threading.Event
    ) -> None:
        accounts = [producer.account for producer in self._producers]
        refuse_others_again = functools.partial(refuse_others, accounts, self.using)
        left = math.inf if limit is None else limit
        try:
            while not stop.is_set() and self._failure is None:
                self._persist(refuse_others_again)
                self._persist(self._maintain)
                claimed = self._claim_more(left)
                left -= claimed
                if self._in_flight():
                    self._collect()
                elif claimed:
                    continue  # the gate let none of these go; there may be more
                elif left > 0 and any(p.waits_for_rate for p in self._producers):
                    stop.wait(_PATIENCE)
                elif left > 0 and idle_for is not None:
                    stop.wait(idle_for)
                else:
                    break
        finally:
            self._wind_up()
        if self._failure is not None:
            raise self._failure

    def report(self) -> DispatchReport:
        """Return the counts of the run."""
        pauses = {each.account.alias: each.pause for each in self._producers}
        counts = sum((each.turned_back for each in self._producers), self._counts)
        return DispatchReport(
            alerts=tuple(self._maintenance.alerts),
            paused={alias: why for alias, why in pauses.items() if why is not None},
            **counts,
        )

    def _claim_more(self, left: float) -> int:
        taken = 0
        for producer in self._producers:
            most = int(min(left - taken, 2 * producer.workers))
            claim = functools.partial(producer.claim_more, most)
            try:
                taken += self._persist(claim)
            except NoThread:
                if self._in_flight():
                    continue  # another account has them all, until it is through
                for each in self._producers:
                    each.close()
                taken += self._persist(claim)
        return taken

    def _collect(self) -> bool:
        """Write down the results that have come; return whether there were any."""
        busy = min(self._in_flight(), sum(p.workers for p in self._producers))
        enough = max(1, busy // 2)
        results = self._results.collect(enough=enough, patience=_PATIENCE)
        for producer in self._producers:
            mine = [r for r in results if r.job.account is producer.account]
            self._alone(functools.partial(self._take, producer, mine))
        for result in results:
            self._counts[_count_name(result)] += 1
        if results:
            self._alone(functools.partial(self._progress, len(results)))
        return bool(results)

    def _take(self, producer: Producer, results: Sequence[SendResult]) -> None:
        self._counts["unwritten"] += producer.take(results)

    def _wind_up(self) -> None:
        """Write down what is in flight; queue again what no worker has begun.

        Every step stands alone: whatever one raises, the others are done.
        """
        self._last_moment.approach()
        withdrawn = [producer.withdraw() for producer in self._producers]
        self._alone(self._await_results)
        for producer, jobs in zip(self._producers, withdrawn, strict=True):
            self._alone(producer.close)
            self._alone(functools.partial(self._put_back, producer, jobs))
            lost = functools.partial(self._persist, producer.release_lost_claims)
            self._alone(lost)

    def _put_back(self, producer: Producer, jobs: Sequence[SendJob]) -> None:
        """Queue again what no worker has begun; else log from what it can be."""
        try:
            self._persist(functools.partial(producer.unclaim, jobs))
        except Exception:
            log_unwritten(SendResult(job, error=NotSent("")) for job in jobs)
            raise

    def _await_results(self) -> None:
        """Collect what is in flight, for as long as an exchange can take."""
        longest = max(producer.account.deadline for producer in self._producers)
        give_up_at = time.monotonic() + longest + _GRACE
        while self._in_flight() and time.monotonic() < min(
            give_up_at, self._last_moment.at
        ):
            if self._collect():
                give_up_at = time.monotonic() + longest + _GRACE

    def _alone(self, step: Callable[[], object]) -> None:
        """Do a step, and go on whatever it raises; the first failure ends the run."""
        try:
            step()
        except Exception as error:
            # Its text may hold a row's values, so only its kind is told.
            logger.error("A step of the SMS dispatcher met %s", type(error).__name__)
            self._failure = self._failure or error

    def _maintain(self) -> None:
        if self._maintains:
            self._counts.update(self._maintenance.run())

    def _persist(self, action: Callable[[], T]) -> T:
        """Do database work in spite of a server that is away for a moment."""
        return retry_on_disconnect(action, using=self.using, seconds=self._patience)

    @property
    def _patience(self) -> float:
        return max(producer.account.result_retry for producer in self._producers)

    def _in_flight(self) -> int:
        return sum(len(producer.in_flight) for producer in self._producers)


def _count_name(result: SendResult) -> str:
    return "not_sent" if result.status == Status.QUEUED else result.status.value
