"""How far a batch has come, and why some of it did not arrive.

A group may have a million messages: only its newest are counted, which the index
(group, id) finds.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Count, Max, Min, Q

from negin_sms.choices import FINAL_STATES, State, Status, state_label
from negin_sms.gateway.codes import code_meaning
from negin_sms.querysets import MessageQuerySet

MOST_COUNTED = 20_000
_LISTED = 20
_LISTED_GROUPS = 50

_ACCEPTED = Q(status=Status.ACCEPTED)
_LAST_WORD = Q(state__in=FINAL_STATES, state__isnull=False)
# Where a message of a batch stands; each is in one of them.
STANDINGS: dict[str, Q] = {
    **{
        status.value: Q(status=status) for status in Status if status != Status.ACCEPTED
    },
    "on_its_way": _ACCEPTED & ~_LAST_WORD & Q(settled_at__isnull=True),
    "no_report": _ACCEPTED & ~_LAST_WORD & Q(settled_at__isnull=False),
    "delivered": _ACCEPTED & Q(state=State.DELIVERED),
    "undelivered": _ACCEPTED & Q(state=State.UNDELIVERED),
    "refused": _ACCEPTED & Q(state=State.REFUSED),
}
WAITING = (Status.DRAFT, Status.QUEUED, Status.HELD)
# Nobody wanted these to fail, and nobody has to look into the panel first.
_NOT_DELIVERED = {State.UNDELIVERED: "undelivered", State.REFUSED: "refused"}
_FAILED = (
    Q(status__in=(Status.REJECTED, Status.EXPIRED))
    | STANDINGS["undelivered"]
    | STANDINGS["refused"]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why so many messages did not arrive, or may not have: a standing and a reason."""

    standing: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress:
    """How many messages of a batch stand where, by the names of ``STANDINGS``.

    ``failures`` are the most frequent ones, ``to_resend`` those that failed and were
    not sent again yet; ``is_capped`` where a batch has more messages than are counted.
    """

    total: int
    is_capped: bool
    standings: dict[str, int]
    failures: tuple[Failure, ...]
    to_resend: int
    waiting: int

    @property
    def over(self) -> int:
        """Return how many messages have their last word, or will never leave.

        An uncertain one waits for a person.
        """
        going = ("on_its_way", Status.SENDING, Status.UNCERTAIN)
        return self.total - self.waiting - sum(self.standings[name] for name in going)


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestBatch:
    """A group that the newest messages belong to.

    ``is_capped`` where it has older ones, which were not counted.
    """

    group: str
    recipients: int
    created_at: datetime
    is_capped: bool = False


def rows_of_batch(rows: MessageQuerySet, group: str) -> MessageQuerySet:
    """Return a group's messages among these, none for no group."""
    # PostgreSQL makes an error of NUL, which may come in an address.
    is_one = group and "\0" not in group
    return rows.filter(group=group) if is_one else rows.none()


def batch_progress(batch: MessageQuerySet) -> BatchProgress:
    """Count a batch's messages, the newest MOST_COUNTED of them."""
    newest, is_capped = _newest(batch)
    counted = newest.order_by().aggregate(
        **{
            f"n_{name}": Count("pk", filter=condition)
            for name, condition in STANDINGS.items()
        }
    )
    standings = {name: counted[f"n_{name}"] for name in STANDINGS}
    return BatchProgress(
        total=sum(standings.values()),
        is_capped=is_capped,
        standings=standings,
        failures=_failures(newest),
        to_resend=failed_of(newest).count(),
        waiting=sum(standings[status] for status in WAITING),
    )


def failed_of(batch: MessageQuerySet) -> MessageQuerySet:
    """Return what failed and was not sent again yet, the oldest first.

    Neither what somebody cancelled, nor what is uncertain: a person looks at those.
    """
    failed = batch.not_resent().filter(_FAILED, redacted_at__isnull=True)
    return failed.order_by("pk")


def waiting_of(batch: MessageQuerySet) -> MessageQuerySet:
    """Return what has not left, the oldest first."""
    return batch.filter(status__in=WAITING).order_by("pk")


def latest_batches(rows: MessageQuerySet) -> tuple[LatestBatch, ...]:
    """Return the groups of the newest messages, the newest group first."""
    newest, is_capped = _newest(rows)
    groups = newest.exclude(group="").order_by().values("group")
    found = groups.annotate(
        recipients=Count("pk"),
        first=Min("created_at"),
        oldest=Min("pk"),
        last=Max("pk"),
    )
    named = found.order_by("-last").values_list(
        "oldest", "group", "recipients", "first"
    )
    batches = {
        oldest: LatestBatch(group=group, recipients=recipients, created_at=first)
        for oldest, group, recipients, first in named[:_LISTED_GROUPS]
    }
    if is_capped:
        return tuple(_whole(batch, oldest, rows) for oldest, batch in batches.items())
    return tuple(batches.values())


def _whole(batch: LatestBatch, oldest: int, rows: MessageQuerySet) -> LatestBatch:
    """Return a batch with when it was written, if some of it was not counted."""
    messages = rows_of_batch(rows, batch.group).order_by("pk")
    pk, created_at = messages.values_list("pk", "created_at")[0]
    if pk >= oldest:
        return batch
    return replace(batch, created_at=created_at, is_capped=True)


def _newest(rows: MessageQuerySet) -> tuple[MessageQuerySet, bool]:
    """Return the newest rows, as a range of keys, and whether there are more."""
    keys = rows.order_by("-pk").values_list("pk", flat=True)
    border = keys[MOST_COUNTED : MOST_COUNTED + 1].first()
    return (rows, False) if border is None else (rows.filter(pk__gt=border), True)


def _failures(batch: MessageQuerySet) -> tuple[Failure, ...]:
    looked_at = (Status.CANCELLED, Status.UNCERTAIN)
    rows = batch.filter(_FAILED | Q(status__in=looked_at)).order_by()
    reasons = rows.values_list("status", "state", "code", "detail")
    counted: Counter[tuple[str, str]] = Counter()
    for status, state, code, detail, count in reasons.annotate(count=Count("pk")):
        if status == Status.ACCEPTED:
            counted[_NOT_DELIVERED[state], state_label(state)] += count
        elif status == Status.CANCELLED:  # whatever an earlier try was answered
            counted[status, detail or code_meaning(code)] += count
        else:
            counted[status, code_meaning(code) or detail] += count
    return tuple(
        Failure(standing=standing, reason=reason, count=count)
        for (standing, reason), count in counted.most_common(_LISTED)
    )
