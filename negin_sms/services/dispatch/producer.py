"""One account's share of a dispatcher: its pool, its pace, its permit."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence

from django.db import InterfaceError, OperationalError

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.gateway import get_gateway
from negin_sms.models import Message
from negin_sms.querysets import DbNow, MessageQuerySet
from negin_sms.services import breaker
from negin_sms.services.outbox import claims, gate, statements
from negin_sms.services.outbox.results import record, retry_on_disconnect

from .exchange import Job, SendResult, exchange, make_job
from .worker_pool import ResultQueue, WorkerPool

# Workers finish in bursts, and would wait for the coordinator without a row in hand
# for each. With answers slower than this that wait does not show (it was a tenth of
# the time at 50 ms), and a few rows leave less behind after a kill.
_QUICK = 0.25


class Producer:
    """What the coordinator keeps of one account while it runs."""

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
    ) -> None:
        self.account = account
        self.using = using
        self.workers = workers or account.workers
        self.lease = lease or account.lease
        conf.refuse_short_lease(account, self.lease)
        gate.refuse_unreadable_only_to(account)
        self.in_flight: dict[int, Job] = {}
        self.waits_for_rate = False
        self._rate = rate or account.rate
        self._only = only
        self._tried: set[int] = set()
        self._lost: list[str] = []
        self._width = self.workers
        self._seconds = 0.0
        self._tokens, self._filled_at = 1.0, time.monotonic()
        self._gateway = get_gateway(account.alias)
        self._pool: WorkerPool[Job, SendResult] = WorkerPool(
            self.workers, lambda job: exchange(self._gateway, job), results
        )
        self._permit: breaker.Permit | None = None

    @property
    def pause(self) -> str | None:
        """Return why the account is paused, None when it is not."""
        if self._permit is None or not self._permit.refused:
            return None
        return self._permit.state.reason

    def top_up(self, most: int) -> int:
        """Claim what there is room for and hand it to the pool; return how many."""
        self._release_lost()
        room = min(self._room(), most, self._allowance())
        self.waits_for_rate = self._allowance() < 1
        if self._probe_is_out():
            return 0
        if room < self._worth_a_look(most) or not self.account.dispatch:
            return 0
        claim = claims.new_claim()
        try:
            return self._take_on(claim, room)
        except (OperationalError, InterfaceError):
            # The claim may have been committed all the same; nothing of it was
            # begun, so it goes back as soon as the database answers again.
            self._lost.append(claim)
            raise

    def take(self, results: Sequence[SendResult]) -> int:
        """Write this producer's results down; return how many could not be written."""
        for result in results:
            self.in_flight.pop(result.job.pk, None)
            self._seconds = 0.8 * self._seconds + 0.2 * result.seconds
        unwritten = record(results, using=self.using)
        self._note(results)
        if any(result.error is None for result in results):
            self._width = min(2 * self._width, self.workers)
        return unwritten

    def withdraw(self) -> list[Job]:
        """Take back the jobs that no worker has begun."""
        jobs = self._pool.withdraw()
        for job in jobs:
            self.in_flight.pop(job.pk, None)
        return jobs

    def release(self, jobs: Sequence[Job]) -> None:
        """Queue the messages of withdrawn jobs again."""
        for claim in {job.claim for job in jobs}:
            keys = [job.pk for job in jobs if job.claim == claim]
            claims.release(keys, claim, self.using)
            breaker.release_probe(claim, using=self.using)

    def close(self) -> None:
        """End the pool's threads."""
        self._pool.close()

    def _take_on(self, claim: str, room: int) -> int:
        claimed_at = time.monotonic()
        messages = self._claim_if_healthy(claim, room)
        if not messages:
            claimed_at = time.monotonic()
            messages = self._claim_if_admitted(claim, room)
        if not messages:
            return 0
        kept, _held = gate.withhold(messages, self.account, claim, self.using)
        if not kept:
            breaker.release_probe(claim, using=self.using)
        for message in kept:
            job = make_job(
                message, self.account, claimed_at=claimed_at, lease=self.lease
            )
            self.in_flight[job.pk] = job
            self._pool.submit(job)
        self._spend(len(kept))
        return len(messages)

    def _claim_if_healthy(self, claim: str, room: int) -> list[Message]:
        """Claim without asking how the account stands: the claim itself asks.

        Only while nothing was wrong with it when this run last looked.
        """
        known = self._permit is not None and self._permit.is_clean
        if not known or self._only is not None or not statements.are_known(self.using):
            return []
        return claims.claim_due(
            self.account,
            claim,
            room,
            lease=self.lease,
            using=self.using,
            if_healthy=True,
        )

    def _claim_if_admitted(self, claim: str, room: int) -> list[Message]:
        permit = breaker.admit(self.account, claim, using=self.using)
        self._adapt(permit)
        if permit.refused:
            return []
        messages = self._claim(claim, 1 if permit.probe else room)
        if not messages:
            breaker.release_probe(permit.probe, using=self.using)
        return messages

    def _probe_is_out(self) -> bool:
        """Return whether all waits for the answer to a probe."""
        probe = self._permit.probe if self._permit is not None else ""
        return bool(probe) and any(j.claim == probe for j in self.in_flight.values())

    def _note(self, results: Sequence[SendResult]) -> None:
        """Tell the breaker; a request from before the pause is not the probe."""
        permit = self._permit
        if permit is None:
            return
        probes = [e for e in results if permit.probe == e.job.claim]
        others = [e for e in results if permit.probe != e.job.claim]
        for told, some in ((permit.without_probe(), others), (permit, probes)):
            if some:
                effects = [(e.effect, e.error) for e in some]
                note = functools.partial(breaker.note, told, effects, using=self.using)
                retry_on_disconnect(
                    note, using=self.using, seconds=self.account.result_retry
                )

    def _release_lost(self) -> None:
        while self._lost:
            claims.release_all(self._lost[-1], self.using)
            breaker.release_probe(self._lost[-1], using=self.using)
            self._lost.pop()

    def _claim(self, claim: str, room: int) -> list[Message]:
        if self._only is not None:
            # Each once: what was not sent is queued again at once, and not due.
            rows = self._only.filter(status=Status.QUEUED, expires_at__gt=DbNow())
            rows = rows.exclude(pk__in=self._tried).in_queue_order()
            messages = claims.claim_rows(
                rows, claim, room, lease=self.lease, using=self.using
            )
            self._tried.update(message.pk for message in messages)
            return messages
        return claims.claim_due(
            self.account, claim, room, lease=self.lease, using=self.using
        )

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
            return 0  # the pool has threads enough to send those too
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

    def _spend(self, messages: int) -> None:
        if self._rate is not None:
            self._tokens -= messages
