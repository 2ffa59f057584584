"""One account's share of a dispatcher: its workers, its pace, its permit."""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Sequence

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.gateway import get_gateway, make_ready
from negin_sms.models import Message
from negin_sms.querysets import DbNow, MessageQuerySet
from negin_sms.services import breaker
from negin_sms.services.accounts import account_state
from negin_sms.services.outbox import claims, gate, journal, server_watch
from negin_sms.services.outbox.engines import engine_for
from negin_sms.services.outbox.gate import rules
from negin_sms.services.outbox.jobs import SendJob, SendResult

from .exchange import exchange, record, set_out
from .worker_pool import NoThread, ResultQueue, WorkerPool

# Workers finish in bursts, and would wait for the dispatcher without a row in hand
# for each. With answers slower than this that wait does not show (it was a tenth of
# the time at 50 ms), and a few rows leave less behind after a kill.
_QUICK = 0.25
# Where an account's cap is used up, its whole queue is read for those that may leave.
_LOOK_AGAIN = 2.0  # seconds, where there was none


class Producer:
    """What the dispatcher keeps of one account while it runs.

    ``only`` are the rows to send, whether due or not, instead of all that is due.
    ``turned_back`` counts what the gate did not let go: "cancelled" and "put_off".
    """

    def __init__(
        self,
        account: conf.Account,
        results: ResultQueue[SendResult],
        *,
        using: str,
        workers: int | None = None,
        rate: float | None = None,
        lease: float | None = None,
        only: MessageQuerySet | None = None,
        may_wait: bool = True,
    ) -> None:
        self.account = account
        self.using = using
        self.workers = workers or account.workers
        self.lease = lease or account.lease
        conf.refuse_short_lease(account, self.lease)
        rules.refuse_unreadable_only_to(account)
        self.in_flight: dict[int, SendJob] = {}
        self.waits_for_rate = False
        self.turned_back: Counter[str] = Counter()
        self._rate = rate or account.rate
        self._only = self._chosen = only
        self._look_at = 0.0
        self._may_wait = may_wait
        self._tried: set[int] = set()
        self._lost_claims: list[str] = []
        self._width = self.workers
        self._seconds = 0.0
        self._tokens, self._filled_at = 1.0, time.monotonic()
        gateway = get_gateway(account.alias)
        self._pool: WorkerPool[SendJob, SendResult] = WorkerPool(
            self.workers, functools.partial(exchange, gateway), results
        )
        self._permit: breaker.Permit | None = None

    @property
    def pause(self) -> str | None:
        """Return why the account is paused, None when it is not."""
        if self._permit is None:  # a full cap, or DISPATCH, kept all back before it
            state = account_state(self.account.alias, self.using)
            return state.reason if state.is_paused else None
        return self._permit.state.reason if self._permit.refused else None

    def claim_more(self, most: int) -> int:
        """Claim what there is room for and hand it to the workers; return how many."""
        self.release_lost_claims()
        server_watch.hold_if_server_changed(self.using)
        allowance = self._allowance()
        self.waits_for_rate = allowance < 1
        room = min(self._room(), most, allowance)
        if self._probe_is_out() or not self.account.dispatch:
            return 0
        if room < self._worth_a_look(most):
            return 0
        room = self._choose(room)
        if room < 1:
            return 0
        # Before the claim: what is claimed has a thread that will send it.
        self._take_threads(room + len(self.in_flight))
        self.workers = self._pool.size
        self._width = min(self._width, self.workers)
        claim = journal.new_claim(self.account.state_dir, self.using)
        try:
            messages, jobs = self._take_on(claim, room)
        except BaseException:
            # The claim may have been committed all the same; nothing of it was
            # begun, so it goes back as soon as the database answers again.
            self._lost_claims.append(claim)
            raise
        self._hand_over(jobs)
        return len(messages)

    def _choose(self, most: int) -> int:
        """Choose what may be claimed, at least what ignores a full cap; count it."""
        self._chosen = self._only
        room = gate.room(self.account, most, self.using)
        if room or time.monotonic() < self._look_at:
            return room
        if self._only is None:
            rows = gate.due_overrides(self.account, self.using)
        else:
            rows = self._only.filter(gate.may_exceed(self.account, self.using))
            rows = rows.filter(status=Status.QUEUED).exclude(pk__in=self._tried)
        rows = rows.in_queue_order()
        # Read without a lock, which MariaDB and MySQL keep on all that they pass.
        keys = list(rows.values_list("pk", flat=True)[:most])
        self._look_at = 0.0 if keys else time.monotonic() + _LOOK_AGAIN
        self._chosen = Message.objects.using(self.using).filter(pk__in=keys)
        return len(keys)

    def _take_threads(self, wanted: int) -> None:
        """Take so many or fewer; raise NoThread where there is none to send with."""
        try:
            make_ready(self.account.alias)
        except OSError as error:
            raise NoThread(str(error)) from None
        self._pool.start(wanted)

    def take(self, results: Sequence[SendResult]) -> int:
        """Write this account's results down; return how many could not be written."""
        for result in results:
            self.in_flight.pop(result.job.pk, None)
            self._seconds = 0.8 * self._seconds + 0.2 * result.seconds
        if any(result.error is None for result in results):
            self._width = min(2 * self._width, self.workers)
        return record(results, self._permit, using=self.using) if results else 0

    def withdraw(self) -> list[SendJob]:
        """Take back the jobs that no worker has begun."""
        jobs = self._pool.withdraw()
        for job in jobs:
            self.in_flight.pop(job.pk, None)
        return jobs

    def unclaim(self, jobs: Sequence[SendJob]) -> None:
        """Queue the messages of withdrawn jobs again."""
        for claim in {job.claim for job in jobs}:
            claims.unclaim([j.pk for j in jobs if j.claim == claim], claim, self.using)
            breaker.release_probe(claim, using=self.using)

    def release_lost_claims(self) -> None:
        """Queue the messages again of claims that ended in an error."""
        while self._lost_claims:
            claims.unclaim_all(self._lost_claims[-1], self.using)
            breaker.release_probe(self._lost_claims[-1], using=self.using)
            self._lost_claims.pop()

    def close(self) -> None:
        """End the worker threads; one that hangs beyond its deadline is left behind."""
        self._pool.close(wait=not self.in_flight)

    def _take_on(self, claim: str, room: int) -> tuple[list[Message], list[SendJob]]:
        claimed_at = time.monotonic()
        messages = self._claim_if_healthy(claim, room)
        if not messages:
            claimed_at = time.monotonic()
            messages = self._claim_if_permitted(claim, room)
        if not messages:
            journal.taken(claim, ())
            return [], []
        # Before the gate, which would write down what becomes of them.
        server_watch.refuse_another_server(self.using)
        jobs, verdicts = set_out(
            messages,
            self.account,
            self.using,
            claimed_at=claimed_at,
            lease=self.lease,
            may_wait=self._may_wait,
        )
        for verdict in verdicts.values():
            self.turned_back["cancelled" if verdict.stops else "put_off"] += 1
        if not jobs:
            breaker.release_probe(claim, using=self.using)
        return messages, jobs

    def _hand_over(self, jobs: Sequence[SendJob]) -> None:
        for job in jobs:
            self.in_flight[job.pk] = job
            self._pool.submit(job)
        if self._rate is not None:
            self._tokens -= len(jobs)

    def _claim_if_healthy(self, claim: str, room: int) -> list[Message]:
        """Claim without asking how the account stands: the claim itself asks.

        Only while nothing was wrong with it when this run last looked.
        """
        known = self._permit is not None and self._permit.is_clean
        if (
            not known
            or self._chosen is not None
            or not engine_for(self.using).asks_health
        ):
            return []
        return self._claim_due(claim, room, if_healthy=True)

    def _claim_if_permitted(self, claim: str, room: int) -> list[Message]:
        permit = breaker.admit(self.account, claim, using=self.using)
        self._adapt(permit)
        if permit.refused:
            return []
        room = 1 if permit.probe else room
        if self._chosen is None:
            messages = self._claim_due(claim, room)
        else:
            messages = self._claim_chosen(self._chosen, claim, room)
        if not messages:
            breaker.release_probe(permit.probe, using=self.using)
        return messages

    def _claim_due(
        self, claim: str, room: int, *, if_healthy: bool = False
    ) -> list[Message]:
        return engine_for(self.using).claim_due(
            self.account,
            claim,
            room,
            priorities=gate.open_priorities(self.account, self.using),
            lease=self.lease,
            if_healthy=if_healthy,
        )

    def _claim_chosen(
        self, rows: MessageQuerySet, claim: str, room: int
    ) -> list[Message]:
        if self._only is None:
            rows = rows.due()  # it may have been moved since they were chosen
        else:
            rows = rows.filter(status=Status.QUEUED, expires_at__gt=DbNow())
            # Each once: what was not sent is queued again at once, and not due.
            rows = rows.exclude(pk__in=self._tried)
        messages = engine_for(self.using).claim_rows(
            rows.in_queue_order(), claim, room, account=self.account, lease=self.lease
        )
        if self._only is not None:
            self._tried.update(message.pk for message in messages)
        return messages

    def _probe_is_out(self) -> bool:
        """Return whether all waits for the answer to a probe."""
        probe = self._permit.probe if self._permit is not None else ""
        return bool(probe) and any(j.claim == probe for j in self.in_flight.values())

    def _adapt(self, permit: breaker.Permit) -> None:
        """Grow slowly again after a pause: 1, 2, 4 … requests in flight."""
        was_paused = self._permit is not None and not self._permit.allowed
        if was_paused or permit.probe:
            self._width = 1
        self._permit = permit

    def _room(self) -> int:
        return self._width + self._spare - len(self.in_flight)

    @property
    def _spare(self) -> int:
        """Return how many rows to have in hand beyond those in flight."""
        if self._width < self.workers:
            return 0  # there are threads enough to send those too
        return self._width if self._seconds < _QUICK else self._width // 4

    def _worth_a_look(self, most: int) -> int:
        """Return from how much room on it pays to ask the database.

        Claims come in batches, but not so late that workers wait for them: with half
        of what was in hand left to begin, a claim may take as long as that lasts.
        """
        if not self.in_flight or self._rate is not None:
            return 1
        return max(1, min(self._spare // 2, most))

    def _allowance(self) -> int:
        """Return how many messages RATE allows now (a bucket of one second)."""
        if self._rate is None:
            return 2 * self.workers
        now = time.monotonic()
        grown = self._tokens + (now - self._filled_at) * self._rate
        self._tokens, self._filled_at = min(grown, max(self._rate, 1.0)), now
        return int(self._tokens)
