"""One account's turn with the poller: chunks out to HTTP threads, answers in.

The calling thread does all database work. A chunk that the gateway refuses is halved
until the bad id stands alone and is set aside (see ``bad_ids``); any other failure
ends the turn, and what was not answered for stays due.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime
from typing import TypeVar

from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.choices import ReportSource
from negin_sms.exceptions import (
    Effect,
    GatewayError,
    NotSent,
    OutcomeUnknown,
    Rejected,
)
from negin_sms.gateway import get_gateway, make_ready
from negin_sms.querysets import database_now
from negin_sms.retries import POLL_RETRY
from negin_sms.services.accounts import account_state
from negin_sms.services.announcements import announce_settled, announce_states
from negin_sms.services.database import retry_on_disconnect
from negin_sms.services.delivery import poller_backoff, poller_lock
from negin_sms.services.outbox import journal
from negin_sms.services.reports import PollReport

from .bad_ids import ChunkQueue
from .poll_request import PollResult, ask, batches
from .states import PollTarget, put_off, read_due, set_aside, write_states

logger = logging.getLogger("negin_sms")

T = TypeVar("T")
Progress = Callable[[PollReport], object]

_PATIENCE = 0.5
_READ_AT_ONCE = 5000


class AccountPoller:
    """What the poller keeps of one account while it asks; ``report`` is how it goes."""

    def __init__(
        self,
        account: conf.Account,
        *,
        using: str,
        workers: int | None = None,
        batch_size: int | None = None,
        source: str = ReportSource.POLL,
        progress: Progress | None = None,
    ) -> None:
        self.report = PollReport()
        self._account = account
        self._using = using
        self._workers = workers or account.workers
        self._source = source
        self._progress = progress
        self._gateway = get_gateway(account.alias)
        self._pool = ThreadPoolExecutor(
            self._workers, thread_name_prefix="negin-sms-poller"
        )
        self._name = journal.worker_name()
        self._state = self._persist(lambda: account_state(account.alias, using))
        self._chunks = ChunkQueue(batch_size or account.states_batch_size)
        self._in_flight: set[Future[PollResult]] = set()
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
        with contextlib.suppress(OSError):  # each request says so
            make_ready(self._account.alias)
        if self._must_wait(now) or not self._lock():
            return
        left = float("inf") if limit is None else limit
        try:
            while left > 0 and (asked := self._read(left, by=now, since=since)):
                left -= len(asked)
                self.hand_out(asked)
                while self.is_under_way and not stop.is_set():
                    self._persist(between)
                    self.take(self.wait())
                    self._lock()
                if stop.is_set() or self._failed:
                    break
        finally:
            self.finish()
            self._persist(lambda: poller_lock.release(self._name, self._using))

    def run(self, asked: Sequence[PollTarget]) -> None:
        """Ask about these messages."""
        try:
            self.hand_out(asked)
            while self.is_under_way:
                self.take(self.wait())
        finally:
            self.finish()

    @property
    def is_under_way(self) -> bool:
        """Return whether answers are to come."""
        return bool(self._in_flight or self._chunks) and not self._failed

    def hand_out(self, asked: Sequence[PollTarget]) -> None:
        """Ask about these messages, in chunks, a few at a time."""
        self._chunks.add(asked)
        self._feed()

    def wait(self) -> list[PollResult]:
        """Wait a moment for answers; touches no database."""
        done, self._in_flight = wait(self._in_flight, _PATIENCE, FIRST_COMPLETED)
        return [future.result() for future in done]

    def take(self, results: Sequence[PollResult]) -> None:
        """Write the answers down; ask again for the halves of a refused chunk."""
        self._count(requests=len(results))
        bad = self._look_for_bad_ids(results)
        failed = [
            (result.asked, result.error)
            for result in results
            if result.error and not isinstance(result.error, Rejected)
        ]
        if not failed:
            self._feed()
        for together in batches(results):
            self._write(together)
        for one in bad:
            self._set_aside(one)
        for asked, error in failed:
            self._fail(asked, error)
        if not self._in_flight:
            self._judge()

    def finish(self) -> None:
        """Let go of what was not begun, write what is under way, end the threads."""
        # What is not asked about now stays due.
        self._is_closing = True
        self._in_flight = {one for one in self._in_flight if not one.cancel()}
        while self._in_flight:
            self.take(self.wait())
        self._pool.shutdown(cancel_futures=True)

    def _feed(self) -> None:
        """Keep twice the threads' number of chunks in flight."""
        most = 0 if self._is_closing or self._failed else 2 * self._workers
        while len(self._in_flight) < most:
            chunk = self._chunks.pop(len(self._in_flight))
            if chunk is None:
                return
            try:
                future = self._pool.submit(ask, self._gateway, chunk)
            except RuntimeError:  # no thread is to be had
                reason = _("This machine has no thread left to ask with.")
                self._fail(chunk, NotSent(reason, effect=Effect.IGNORED))
            else:
                self._in_flight.add(future)

    def _look_for_bad_ids(self, results: Sequence[PollResult]) -> list[PollTarget]:
        bad: list[PollTarget] = []
        for result in results:
            if result.error is None:
                bad += self._chunks.note_answer()
            elif isinstance(result.error, Rejected):
                bad += self._chunks.note_refusal(result.asked)
        return bad

    def _judge(self) -> None:
        """Decide about refusals when there was no answer to compare them with."""
        if self._chunks.blames_gateway:
            asked = [one for chunk in self._chunks.take_refused() for one in chunk]
            reason = _("The gateway refuses every id, so the fault is its own.")
            self._fail(asked, OutcomeUnknown(reason))
        elif self._chunks and not self._failed and not self._is_closing:
            # Too few to tell: left alone, as if the gateway had said nothing of them.
            for chunk in self._chunks.take_refused():
                self._write([PollResult(chunk)])

    def _must_wait(self, now: datetime) -> bool:
        why = poller_backoff.reason_to_wait(self._state, now)
        if why:
            self._count(errors=(f"{self._account.alias}: {why}",))
        return bool(why)

    def _lock(self) -> bool:
        acquire = functools.partial(poller_lock.acquire, self._account)
        return self._persist(lambda: acquire(self._name, self._using))

    def _read(
        self, left: float, *, by: datetime, since: datetime | None
    ) -> list[PollTarget]:
        """Read the next due messages; those read before are all answered for."""
        most = int(min(left, _READ_AT_ONCE))
        read = functools.partial(read_due, self._account, most, using=self._using)
        return self._persist(lambda: read(by=by, since=since))

    def _write(self, results: Sequence[PollResult]) -> None:
        asked = [one for result in results for one in result.asked]
        states = {k: code for result in results for k, code in result.own_states()}
        write = functools.partial(write_states, source=self._source, using=self._using)
        written = self._persist(lambda: write(asked, states, self._account))
        self._count(
            asked=len(asked),
            answered=len(states),
            changed=len(written.changed),
            settled=len(written.settled),
            no_report=written.no_report,
            states=Counter(states.values()),
        )
        if not self._failed:
            self._persist(lambda: poller_backoff.note_answer(self._state, self._using))
        announce_states(written.changed, self._using)
        announce_settled(written.settled, self._using)
        self._show_progress()

    def _set_aside(self, one: PollTarget) -> None:
        is_settled = self._persist(lambda: set_aside(one, self._account, self._using))
        self._count(asked=1, settled=int(is_settled), no_report=int(is_settled))
        if is_settled:
            announce_settled([one.pk], self._using)
        self._show_progress()

    def _fail(self, asked: Sequence[PollTarget], error: GatewayError) -> None:
        """Leave the account for the next run: nothing changed, nothing is lost."""
        self._count(put_off=len(asked))
        self._persist(lambda: put_off(asked, POLL_RETRY, self._using))
        if self._failed:
            return
        self._failed = True
        self._persist(
            lambda: poller_backoff.note_failure(self._state, error, self._using)
        )
        alias = self._account.alias
        self._count(errors=(f"{alias}: {error}",))
        logger.warning("SMS account %r could not be asked for states: %s", alias, error)

    def _count(self, **counts: object) -> None:
        self.report += PollReport(**counts)  # type: ignore[arg-type]

    def _show_progress(self) -> None:
        if self._progress:
            self._progress(self.report)

    def _persist(self, action: Callable[[], T]) -> T:
        return retry_on_disconnect(
            action, using=self._using, seconds=self._account.result_retry
        )
