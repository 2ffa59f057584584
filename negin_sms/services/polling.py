"""Asking what became of the messages: each gets its last word, or "no report".

Due messages are taken by moving their ``poll_at`` (two pollers never ask for the
same ones), asked about in chunks by HTTP workers, and written by the coordinator,
which is the calling thread. A states call is a read and may be repeated freely; a
chunk that the gateway refuses is halved until the bad id stands alone.
"""

from __future__ import annotations

import functools
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.choices import Flag, ReportSource, Status
from negin_sms.exceptions import Effect, GatewayError, OutcomeUnknown, Rejected
from negin_sms.gateway import Gateway, get_gateway
from negin_sms.models import Message
from negin_sms.querysets import database_now
from negin_sms.retries import POLL_RETRY

from . import breaker, claims, counting
from .crew import Crew, collect
from .reports import PollReport
from .results import insist
from .states import Asked, due_rows, put_off, set_aside, take_due, write_states
from .transactions import refuse_transaction, write_alias
from .wishes import find_account

T = TypeVar("T")
Progress = Callable[[int, "Counter[int]"], None]

_PATIENCE = 0.5


@dataclass(frozen=True, slots=True)
class _Answer:
    asked: Sequence[Asked]
    states: dict[str, int] | None = None
    error: GatewayError | None = None


def poll_states(
    *,
    account: str | None = None,
    limit: int | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    since: datetime | None = None,
    dry_run: bool = False,
    stop: threading.Event | None = None,
    progress: Progress | None = None,
) -> PollReport:
    """Ask for the states of all messages that are due, once; return how it went.

    ``limit`` is the most messages to ask about, ``since`` leaves out those that
    were accepted before. ``dry_run`` counts what is due and asks nothing. A set
    ``stop`` ends it after the requests in flight. ``progress`` is called with the
    number of messages asked about and the counts of states so far. An account
    whose gateway cannot be reached, or refuses it, is left for the next run; its
    messages stay due and ``errors`` says why.
    """
    using = write_alias()
    aliases = [account] if account else [a.alias for a in conf.get_accounts()]
    accounts = [conf.get_account(alias) for alias in aliases]
    due = sum(due_rows(a, since=since, using=using).count() for a in accounts)
    tally = Tally(due)
    if dry_run:
        return tally.report()
    refuse_transaction(using)
    claims.rescue()
    stop = stop or threading.Event()
    for each in accounts:
        breaker.note_life(each.alias, "poller_seen_at", using=using)
        pass_ = _Pass(
            each,
            tally,
            using=using,
            workers=workers or each.workers,
            batch_size=batch_size or each.states_batch_size,
            progress=progress,
        )
        left = None if limit is None else limit - tally.counts["asked"]
        pass_.run_due(left, since=since, stop=stop)
    if not stop.is_set():
        counting.fold_closed_days(using=using)
    return tally.report()


def refresh_states(messages: Iterable[Message]) -> PollReport:
    """Ask for the states of these messages now, due or not, settled or not.

    Those without a gateway id, or with one that is not theirs alone, are skipped
    with the reason.
    """
    using = write_alias()
    refuse_transaction(using)
    keys = [message.pk for message in messages]
    rows = Message.objects.using(using).filter(pk__in=keys).order_by("pk")
    asked: dict[str, list[Asked]] = {}
    skipped = {key: _("There is no such message any more.") for key in keys}
    for row in rows.defer("text"):
        reason = _why_not_asked(row)
        skipped[row.pk] = reason
        if not reason:
            one = Asked(row.pk, row.gateway_id, row.finished_at or row.created_at)
            asked.setdefault(row.account, []).append(one)
    tally = Tally(sum(map(len, asked.values())))
    for alias, ours in asked.items():
        each = find_account(alias)
        pass_ = _Pass(
            each,
            tally,
            using=using,
            workers=each.workers,
            batch_size=each.states_batch_size,
            source=ReportSource.REFRESH,
        )
        pass_.run(ours)
    return tally.report(tuple((key, why) for key, why in skipped.items() if why))


class Tally:
    """The counts of one run, over all its accounts."""

    def __init__(self, due: int) -> None:
        self.counts: Counter[str] = Counter(due=due)
        self.states: Counter[int] = Counter()
        self.errors: list[str] = []

    def report(self, skipped: tuple[tuple[int, str], ...] = ()) -> PollReport:
        """Return the counts as the report that callers get."""
        return PollReport(
            **self.counts,
            states=Counter(self.states),
            errors=tuple(self.errors),
            skipped=skipped,
        )


class _Pass:
    """One account's turn: its crew, its chunks in flight."""

    def __init__(
        self,
        account: conf.Account,
        tally: Tally,
        *,
        using: str,
        workers: int,
        batch_size: int,
        source: str = ReportSource.POLL,
        progress: Progress | None = None,
    ) -> None:
        self._account = account
        self._tally = tally
        self._using = using
        self._workers = workers
        self._batch_size = batch_size
        self._source = source
        self._progress = progress
        self._results: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
        ask = functools.partial(_ask, get_gateway(account.alias))
        self._crew: Crew[Sequence[Asked], _Answer] = Crew(
            workers, ask, self._results, name="negin-sms-poller"
        )
        self._state = breaker.get_state(account.alias, using)
        self._in_flight = 0
        self._failed = False

    def run_due(
        self, limit: int | None, *, since: datetime | None, stop: threading.Event
    ) -> None:
        """Take what is due, a few chunks at a time, and ask about it."""
        if self._is_blocked():
            return
        left = float("inf") if limit is None else limit
        try:
            while not (stop.is_set() or self._failed) and left > 0:
                room = self._batch_size * (2 * self._workers - self._in_flight)
                take = functools.partial(
                    take_due,
                    self._account,
                    int(min(left, max(room, 0))),
                    since=since,
                    using=self._using,
                )
                asked = self._persist(take) if room > 0 else []
                left -= len(asked)
                self._submit(asked)
                if not self._in_flight:
                    break
                self._take_answers()
        finally:
            self._finish()

    def run(self, asked: Sequence[Asked]) -> None:
        """Ask about these messages."""
        try:
            self._submit(asked)
            while self._in_flight and not self._failed:
                self._take_answers()
        finally:
            self._finish()

    def _is_blocked(self) -> bool:
        """Return whether the breaker has paused the account.

        A person's pause is about sending: what was sent is asked about.
        """
        until = self._state.paused_until
        return until is not None and until > database_now(self._using)

    def _submit(self, asked: Sequence[Asked]) -> None:
        for start in range(0, len(asked), self._batch_size):
            self._in_flight += 1
            self._crew.submit(asked[start : start + self._batch_size])

    def _take_answers(self) -> None:
        for answer in collect(self._results, enough=1, patience=_PATIENCE):
            self._in_flight -= 1
            self._tally.counts["requests"] += 1
            if answer.error is None:
                self._write(answer)
            elif isinstance(answer.error, Rejected):
                self._halve(answer)
            else:
                self._fail(answer)

    def _write(self, answer: _Answer) -> None:
        states = answer.states or {}
        written = self._persist(
            functools.partial(
                write_states,
                answer.asked,
                states,
                self._account,
                source=self._source,
                using=self._using,
            )
        )
        wanted = {one.gateway_id for one in answer.asked}
        known = {key: code for key, code in states.items() if key in wanted}
        self._tally.states.update(known.values())
        self._tally.counts.update(
            asked=len(answer.asked),
            answered=len(known),
            changed=written.changed,
            settled=written.settled,
            no_report=written.no_report,
        )
        self._note(None)
        if self._progress:
            self._progress(self._tally.counts["asked"], self._tally.states)

    def _halve(self, answer: _Answer) -> None:
        """Ask again for each half, down to the one id that is at fault."""
        asked, middle = answer.asked, len(answer.asked) // 2
        if len(asked) == 1:
            self._persist(
                functools.partial(set_aside, asked[0], self._account, self._using)
            )
            self._tally.counts.update(asked=1)
            return
        for half in (asked[:middle], asked[middle:]):
            self._in_flight += 1
            self._crew.submit(half)

    def _fail(self, answer: _Answer) -> None:
        """Leave the account for the next run: nothing changed, nothing is lost."""
        self._failed = True
        self._put_off(answer.asked)
        self._note(answer.error)
        sentence = f"{self._account.alias}: {answer.error}"
        if sentence not in self._tally.errors:
            self._tally.errors.append(sentence)

    def _finish(self) -> None:
        for asked in self._crew.withdraw():
            self._in_flight -= 1
            self._put_off(asked)
        while self._in_flight:
            self._take_answers()
        self._crew.close()

    def _put_off(self, asked: Sequence[Asked]) -> None:
        self._tally.counts.update(put_off=len(asked))
        self._persist(functools.partial(put_off, asked, POLL_RETRY, self._using))

    def _note(self, error: GatewayError | None) -> None:
        admission = breaker.Admission(self._state, is_open=not self._state.is_paused)
        effect = Effect.HEALS if error is None else error.effect
        breaker.note(admission, [(effect, error)], using=self._using)

    def _persist(self, action: Callable[[], T]) -> T:
        return insist(action, using=self._using, seconds=self._account.result_retry)


def _ask(gateway: Gateway, asked: Sequence[Asked]) -> _Answer:
    try:
        states = gateway.states([one.gateway_id for one in asked])
    except GatewayError as error:
        return _Answer(asked, error=error.with_traceback(None))
    except Exception as error:
        # A gateway class of somebody else's: the run ends, the rows stay due.
        kind = type(error).__name__
        reason = _("The program failed while asking for states.")
        return _Answer(asked, error=OutcomeUnknown(reason, detail=kind))
    return _Answer(asked, states)


def _why_not_asked(row: Any) -> str:
    if row.status != Status.ACCEPTED or not row.gateway_id:
        return _("The gateway has not accepted it (%(status)s).") % {
            "status": row.get_status_display()
        }
    if row.flag == Flag.SHARED_ID:
        return str(Flag.SHARED_ID.label)
    return ""
