"""Retention: what is over goes, or loses its number and text; its counts stay.

Only messages that have ended, and that nobody asks the gateway about any more, are
touched. Each batch is a short transaction over primary keys, and is followed by a
rest as long as itself: a dispatcher works on meanwhile, on SQLite too, where a purge
that never lets go would leave it no turn. Before a day loses its first message its
counts are frozen, so the report of that day stays as it was.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Coalesce

from negin_sms.choices import Status
from negin_sms.exceptions import NeginSmsError
from negin_sms.models import Message
from negin_sms.querysets import DbNow, MessageQuerySet, by_no_index, database_now
from negin_sms.services.database import refuse_transaction, write_alias
from negin_sms.services.outbox.gate import caps, opt_outs
from negin_sms.services.statistics import daily_counts
from negin_sms.services.submission import batches

_BATCH = 500  # messages at the most
_FIRST_BATCH = 100
_LONG, _SHORT = 0.25, 0.1  # seconds of a batch, after which the next is smaller, larger
# By then its day has come to rest, and may be frozen.
_YOUNGEST = timedelta(days=3)
_REDACTED = Q(mobile="")
_IS_OVER = Q(status__in=(Status.REJECTED, Status.CANCELLED, Status.EXPIRED)) | Q(
    status=Status.ACCEPTED, poll_at__isnull=True
)

Place = tuple[datetime | None, int]
"""Where a message stands in the order of a purge: when it ended, and its key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeReport:
    """One purge: ``messages`` deleted or redacted, ``drafts`` deleted.

    Of the same age, and kept: ``uncertain`` ones, which wait for a person, and
    ``unsettled`` ones, which the poller still asks about. ``longest_seconds`` is the
    longest transaction; ``stopped`` tells that there is more to do.
    """

    messages: int = 0
    drafts: int = 0
    uncertain: int = 0
    unsettled: int = 0
    longest_seconds: float = 0.0
    stopped: bool = False


def purge_messages(
    older_than: timedelta,
    *,
    redact: bool = False,
    drafts: bool = False,
    dry_run: bool = False,
    stop: threading.Event | None = None,
    progress: Callable[[int], object] | None = None,
) -> PurgeReport:
    """Delete the messages whose sending ended so long ago; return what was done.

    With ``redact`` they keep their row, without number, text, group, source, detail;
    from three days on, without their idempotency key. Opt-outs that ended so long ago
    are deleted. ``drafts`` deletes drafts of that age as well. ``dry_run`` only counts.
    A set ``stop`` ends it after the batch under way, ``progress`` is called with the
    messages of each. Raise NeginSmsError inside a transaction, and for deleting what is
    younger than three days: the counts of such days are not final.
    """
    using = write_alias()
    if not redact:
        _refuse_young(older_than)
    purge = _Purge(
        border=database_now(using) - older_than,
        redact=redact,
        gives_keys_back=older_than >= _YOUNGEST,
        using=using,
        stop=stop or threading.Event(),
        progress=progress or (lambda _messages: None),
    )
    if dry_run:
        return purge.report(
            messages=purge.old.filter(purge.over).count(),
            drafts=batches.count_drafts(older_than) if drafts else 0,
        )
    refuse_transaction(using)
    purged = batches.purge_drafts(older_than) if drafts else 0
    purge.run()
    _forget_ended(purge.border, using)
    return purge.report(messages=purge.messages, drafts=purged)


def _refuse_young(age: timedelta) -> None:
    if age < _YOUNGEST:
        raise NeginSmsError(
            "Messages can be deleted after three days at the earliest, when the counts "
            "of their day are final. Give at least 3d, or redact them instead."
        )


@dataclass(slots=True, kw_only=True)
class _Purge:
    """One walk through the old messages, in the order in which they ended."""

    border: datetime
    redact: bool
    gives_keys_back: bool
    using: str
    stop: threading.Event
    progress: Callable[[int], object]
    size: int = field(default_factory=lambda: min(_FIRST_BATCH, _BATCH))
    messages: int = 0
    longest: float = 0.0
    waited: float = 0.0
    stopped: bool = False
    frozen: set[date] = field(default_factory=set)

    @property
    def over(self) -> Q:
        if not self.redact:
            return _IS_OVER
        done = _REDACTED
        if self.gives_keys_back:
            # What was redacted while it was young has kept its key until now.
            done &= Q(idempotency_key__isnull=True)
        return _IS_OVER & ~done

    @property
    def rows(self) -> MessageQuerySet:
        return Message.objects.using(self.using)

    @property
    def old(self) -> MessageQuerySet:
        return self.rows.filter(finished_at__lt=self.border)

    def run(self) -> None:
        for keys in self._pages():
            if self.stop.is_set():
                self.stopped = True
                break
            started, self.waited = time.monotonic(), 0.0
            self._work_on(keys)
            # Others had their turn while this waited for its own.
            took = time.monotonic() - started - self.waited
            self._adapt(took)
            self.stop.wait(took)

    def report(self, *, messages: int, drafts: int) -> PurgeReport:
        is_old = Q(finished_at__lt=self.border)
        uncertain = self.rows.filter(by_no_index(is_old), status=Status.UNCERTAIN)
        unsettled = self.rows.unsettled().filter(
            by_no_index(is_old & Q(status=Status.ACCEPTED))
        )
        return PurgeReport(
            messages=messages,
            drafts=drafts,
            uncertain=uncertain.count(),
            unsettled=unsettled.count(),
            longest_seconds=self.longest,
            stopped=self.stopped,
        )

    def _pages(self) -> Iterator[list[int]]:
        """Yield the keys of all old messages, a page at a time.

        Not of those only that will be purged: a page that has to look for them
        among a million others would take as long as it likes.
        """
        last: Place | None = None
        while page := self._page_after(last):
            last = page[-1]
            yield [pk for _at, pk in page]

    def _page_after(self, last: Place | None) -> list[Place]:
        rows = self.old.order_by("finished_at", "pk").values_list("finished_at", "pk")
        page: list[Place] = []
        if last is not None:
            # Apart, as no database finds "this moment and a later key, or a later
            # moment" by its index; one UPDATE may end any number at one moment.
            page += rows.filter(finished_at=last[0], pk__gt=last[1])[: self.size]
            rows = rows.filter(finished_at__gt=last[0])
        return page + list(rows[: self.size - len(page)])

    def _adapt(self, took: float) -> None:
        """Keep transactions short, however slow the disk and busy the machine."""
        if took > _LONG:
            self.size = max(1, self.size // 2)
        elif took < _SHORT:
            self.size = min(_BATCH, 2 * self.size)

    def _work_on(self, keys: list[int]) -> None:
        over = self.rows.filter(by_no_index(self.over), pk__in=keys).order_by("pk")
        ended = list(over.values_list("finished_at", flat=True))
        if not ended:
            return
        if not self.redact:
            self._freeze({daily_counts.day_of(at) for at in ended if at})
        with self._transaction():
            # Locked, and looked at again: what was read may have moved on.
            still = list(over.select_for_update().values_list("pk", flat=True))
            rows = self.rows.filter(pk__in=still)
            if self.redact:
                _redact(rows, self.gives_keys_back)
            else:
                rows.only("pk").delete()
        self.messages += len(still)
        self.progress(len(still))

    def _freeze(self, days: set[date]) -> None:
        for day in days - self.frozen:
            with self._transaction():
                daily_counts.rollup_day(day, using=self.using, freeze=True)
            self.frozen.add(day)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        asked = time.monotonic()
        with transaction.atomic(using=self.using):
            # SQLite has waited for its turn by now, and keeps others waiting from here.
            started = time.monotonic()
            self.waited += started - asked
            yield
        self.longest = max(self.longest, time.monotonic() - started)


def _redact(rows: MessageQuerySet, gives_keys_back: bool) -> None:
    """Redact all that may hold a number or a text; an empty number is masked, too.

    Who tries again finds his key as long as he would if the row were to be deleted.
    """
    columns = ("mobile", "text", "source", "group", "detail")
    rows.update(
        **dict.fromkeys(columns, ""),
        **({"idempotency_key": None} if gives_keys_back else {}),
        redacted_at=Coalesce("redacted_at", DbNow()),
    )


def _forget_ended(border: datetime, using: str) -> None:
    """Delete the numbers of periods that are over, and of opt-outs that ended."""
    # A dispatcher does so as it works.
    while caps.forget_old(using):
        pass
    # What lasts stays, however old its messages are.
    opt_outs.forget_ended(border, using)
