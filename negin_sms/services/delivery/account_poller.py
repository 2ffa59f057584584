"""One account's turn with the poller: chunks out to HTTP workers, answers in.

The calling thread does all database work. A chunk that the gateway refuses is
halved until the bad id stands alone and is set aside; any other failure ends the
turn, and what was not answered for stays due.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.choices import ReportSource
from negin_sms.exceptions import Effect, GatewayError, OutcomeUnknown, Rejected
from negin_sms.gateway import Gateway, get_gateway
from negin_sms.querysets import database_now
from negin_sms.retries import POLL_RETRY
from negin_sms.services import breaker
from negin_sms.services.outbox import claims
from negin_sms.services.outbox.results import retry_on_disconnect
from negin_sms.services.receivers import announce_settled, announce_states
from negin_sms.services.reports import PollReport
from negin_sms.services.worker_pool import ResultQueue, WorkerPool

from .states import (
    PollTarget,
    end_turn,
    put_off,
    read_due,
    set_aside,
    take_turn,
    write_states,
)

logger = logging.getLogger("negin_sms")

T = TypeVar("T")
Progress = Callable[[int, "Counter[int]"], object]

_PATIENCE = 0.5
_READ_AT_ONCE = 5000
_WRITTEN_AT_ONCE = 1000


@dataclass(slots=True)
class Tally:
    """The counts of one run, over all its turns; ``errors`` by account."""

    counts: Counter[str] = field(default_factory=Counter)
    states: Counter[int] = field(default_factory=Counter)
    errors: dict[str, str] = field(default_factory=dict)

    def report(self, skipped: tuple[tuple[int, str], ...] = ()) -> PollReport:
        """Return the counts as the report that callers get."""
        return PollReport(
            **self.counts,
            states=Counter(self.states),
            errors=tuple(self.errors.values()),
            skipped=skipped,
        )


@dataclass(frozen=True, slots=True)
class PollResult:
    """What one request brought: states by gateway id, or an error."""

    asked: Sequence[PollTarget]
    states: dict[str, int] = field(default_factory=dict)
    error: GatewayError | None = None

    def own_states(self) -> Iterator[tuple[str, int]]:
        """Give what was reported of the ids that were asked for, nothing else."""
        for one in self.asked:
            if one.gateway_id in self.states:
                yield one.gateway_id, self.states[one.gateway_id]


class AccountPoller:
    """What the poller keeps of one account while it asks."""

    def __init__(
        self,
        account: conf.Account,
        tally: Tally,
        *,
        using: str,
        workers: int | None = None,
        batch_size: int | None = None,
        source: str = ReportSource.POLL,
        progress: Progress | None = None,
    ) -> None:
        self._account = account
        self._tally = tally
        self._using = using
        self._workers = workers or account.workers
        self._batch_size = batch_size or account.states_batch_size
        self._source = source
        self._progress = progress
        self._results: ResultQueue[PollResult] = ResultQueue()
        ask = functools.partial(_ask, get_gateway(account.alias))
        self._pool: WorkerPool[Sequence[PollTarget], PollResult] = WorkerPool(
            self._workers, ask, self._results, name="negin-sms-poller"
        )
        self._name = claims.new_claim()
        self._state = breaker.get_state(account.alias, using)
        self._waiting: deque[Sequence[PollTarget]] = deque()
        self._in_flight = 0
        self._failed = self._is_closing = False

    def run_due(
        self,
        limit: int | None,
        *,
        since: datetime | None,
        stop: threading.Event,
        between: Callable[[], object],
    ) -> None:
        """Ask about what is due now, unless another poller is at it.

        What falls due meanwhile is left to the next turn, so that this one ends.
        ``between`` is database work of the caller's, done before each write.
        """
        self._persist(between)
        now = self._persist(lambda: database_now(self._using))
        if self._is_blocked(now) or not self._take_turn():
            return
        left = float("inf") if limit is None else limit
        try:
            while left > 0 and (asked := self._read(left, by=now, since=since)):
                left -= len(asked)
                self.submit(asked)
                while self.is_under_way and not stop.is_set():
                    self._persist(between)
                    self.take(self.wait())
                    self._take_turn()
                if stop.is_set() or self._failed:
                    break
        finally:
            self.finish()
            self._persist(lambda: end_turn(self._name, self._using))

    def run(self, asked: Sequence[PollTarget]) -> None:
        """Ask about these messages."""
        try:
            self.submit(asked)
            while self.is_under_way:
                self.take(self.wait())
        finally:
            self.finish()

    @property
    def is_under_way(self) -> bool:
        """Return whether answers are to come."""
        return bool(self._in_flight or self._waiting) and not self._failed

    def submit(self, asked: Sequence[PollTarget]) -> None:
        """Ask about these messages, in chunks, a few at a time."""
        for start in range(0, len(asked), self._batch_size):
            self._waiting.append(asked[start : start + self._batch_size])
        self._feed()

    def wait(self) -> list[PollResult]:
        """Wait a moment for answers; touches no database."""
        enough = max(1, self._in_flight // 2)
        return self._results.collect(enough=enough, patience=_PATIENCE)

    def take(self, answers: Sequence[PollResult]) -> None:
        """Write the answers down; ask again for the halves of a refused chunk."""
        self._in_flight -= len(answers)
        self._feed()
        self._tally.counts["requests"] += len(answers)
        for together in _batches([a for a in answers if a.error is None]):
            self._write(together)
        for answer in answers:
            if isinstance(answer.error, Rejected):
                self._halve(answer.asked)
            elif answer.error is not None:
                self._fail(answer.asked, answer.error)

    def finish(self) -> None:
        """Let go of what was not begun, write what is under way, end the threads."""
        # What is not asked about now stays due.
        self._is_closing = True
        self._in_flight -= len(self._pool.withdraw())
        while self._in_flight:
            self.take(self.wait())
        self._pool.close()

    def _feed(self) -> None:
        """Keep twice the workers' number of chunks in flight."""
        while (
            self._waiting
            and not self._is_closing
            and self._in_flight < 2 * self._workers
        ):
            self._pool.submit(self._waiting.popleft())
            self._in_flight += 1

    def _is_blocked(self, now: datetime) -> bool:
        """Return whether the breaker has paused the account.

        A person's pause is about sending: what was sent is asked about.
        """
        until = self._state.paused_until
        return until is not None and until > now

    def _take_turn(self) -> bool:
        return self._persist(lambda: take_turn(self._account, self._name, self._using))

    def _read(
        self, left: float, *, by: datetime, since: datetime | None
    ) -> list[PollTarget]:
        """Read the next due messages; those read before are all answered for."""
        most = int(min(left, _READ_AT_ONCE))
        read = functools.partial(read_due, self._account, most, using=self._using)
        return self._persist(lambda: read(by=by, since=since))

    def _write(self, answers: Sequence[PollResult]) -> None:
        asked = [one for answer in answers for one in answer.asked]
        states = {k: code for answer in answers for k, code in answer.own_states()}
        write = functools.partial(write_states, source=self._source, using=self._using)
        written = self._persist(lambda: write(asked, states, self._account))
        self._tally.states.update(states.values())
        self._tally.counts.update(
            asked=len(asked),
            answered=len(states),
            changed=len(written.changed),
            settled=len(written.settled),
            no_report=written.no_report,
        )
        self._note(None)
        announce_states(written.changed, self._using)
        announce_settled(written.settled, self._using)
        self._show_progress()

    def _halve(self, asked: Sequence[PollTarget]) -> None:
        """Ask again for each half, down to the one id that is at fault."""
        if len(asked) == 1:
            self._set_aside(asked[0])
            return
        middle = len(asked) // 2
        self._waiting.extendleft((asked[:middle], asked[middle:]))
        self._feed()

    def _set_aside(self, one: PollTarget) -> None:
        is_settled = self._persist(lambda: set_aside(one, self._account, self._using))
        self._tally.counts.update(
            asked=1, settled=int(is_settled), no_report=int(is_settled)
        )
        if is_settled:
            announce_settled([one.pk], self._using)
        self._show_progress()

    def _fail(self, asked: Sequence[PollTarget], error: GatewayError) -> None:
        """Leave the account for the next run: nothing changed, nothing is lost."""
        self._failed = True
        self._put_off(asked)
        self._note(error)
        alias = self._account.alias
        self._tally.errors[alias] = f"{alias}: {error}"
        logger.warning("SMS account %r could not be asked for states: %s", alias, error)

    def _put_off(self, asked: Sequence[PollTarget]) -> None:
        self._tally.counts.update(put_off=len(asked))
        self._persist(lambda: put_off(asked, POLL_RETRY, self._using))

    def _note(self, error: GatewayError | None) -> None:
        permit = breaker.Permit(self._state, allowed=not self._state.is_paused)
        effect = Effect.SUCCESS if error is None else error.effect
        breaker.note(permit, [(effect, error)], using=self._using)

    def _show_progress(self) -> None:
        if self._progress:
            self._progress(self._tally.counts["asked"], self._tally.states)

    def _persist(self, action: Callable[[], T]) -> T:
        return retry_on_disconnect(
            action, using=self._using, seconds=self._account.result_retry
        )


def _batches(answers: Iterable[PollResult]) -> Iterator[list[PollResult]]:
    """Put answers together that are written in one go."""
    batch: list[PollResult] = []
    messages = 0
    for answer in answers:
        if batch and messages + len(answer.asked) > _WRITTEN_AT_ONCE:
            yield batch
            batch, messages = [], 0
        batch.append(answer)
        messages += len(answer.asked)
    if batch:
        yield batch


def _ask(gateway: Gateway, asked: Sequence[PollTarget]) -> PollResult:
    try:
        states = gateway.states([one.gateway_id for one in asked])
    except GatewayError as error:
        return PollResult(asked, error=error.with_traceback(None))
    except Exception as error:
        # A gateway class of somebody else's: the run ends, the rows stay due.
        kind = type(error).__name__
        reason = _("The program failed while asking for states.")
        return PollResult(asked, error=OutcomeUnknown(reason, detail=kind))
    return PollResult(asked, states)
