"""A batch: composed for many recipients, looked at, then confirmed or discarded.

The drafts of a batch share a ``group`` that belongs to them alone. Nothing is
queued here: ``outbox.confirming`` does, when somebody confirms.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Count, DurationField, ExpressionWrapper, F, Min, Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from negin_sms.choices import Status
from negin_sms.error_reports import private
from negin_sms.models import Message
from negin_sms.querysets import MessageQuerySet, from_now
from negin_sms.segments import needs_unicode
from negin_sms.services.database import write_alias

from .recipients.tables import DAMAGED
from .seen import digest

_CHUNK = 500
_SAMPLES = 5
LISTED = 100
# What stands for lost letters, for what an export of ours hides, and what a spreadsheet
# shows where it found or could calculate nothing.
_LOST = (
    *("???", DAMAGED, "•••", "####", "#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!"),
    *("#NUM!", "#NULL!", "#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!", "#CONNECT!"),
)
_COUNTED = ("parts", "text", "account", "line", "default_line")
_ALIKE = (
    *("account", "scenario", "line", "line2", "template"),
    *("send_at", "priority", "sensitive"),
)


class Line(NamedTuple):
    """What a message is charged for: "" and ``is_default`` for the account's own."""

    account: str
    line: str
    is_default: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The drafts of a group: how many, how many parts, and the first few of them.

    ``parts_by_line`` has the parts in Unicode and the others, of each account and line;
    ``seen`` is what a confirmation is good for (``seen.digest``), and ``doubtful`` how
    many texts hold what stands for something lost, such as ``???`` or ``#N/A``.
    """

    group: str
    recipients: int
    total_parts: int
    parts_by_line: Mapping[Line, tuple[int, int]]
    fewest_parts: int
    most_parts: int
    samples: tuple[Message, ...]
    seen: str
    doubtful: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconfirmed:
    """A batch that nobody confirmed or discarded yet."""

    group: str
    recipients: int
    created_at: datetime


@sensitive_variables()
def look_at(group: str) -> Batch | None:
    """Return what a group's drafts come to, None where it has none."""
    drafts = drafts_of(group)
    # First: what is shown may be newer than the digest, and is shown again then.
    seen = digest(drafts)
    found = list(drafts.order_by().values_list(*_COUNTED))
    if not found:
        return None
    parts = [each for each, *_others in found]
    return Batch(
        group=group,
        recipients=len(parts),
        total_parts=sum(parts),
        parts_by_line=_parts_by_line(found),
        fewest_parts=min(parts),
        most_parts=max(parts),
        samples=tuple(drafts.order_by("pk")[:_SAMPLES]),
        seen=seen,
        doubtful=sum(any(mark in text for mark in _LOST) for _, text, *_line in found),
    )


@sensitive_variables()
def _parts_by_line(found: Iterable[Any]) -> dict[Line, tuple[int, int]]:
    counts: Counter[tuple[bool, Line]] = Counter()
    for parts, text, *line in found:
        counts[needs_unicode(text), Line(*line)] += parts
    lines = {line for _alphabet, line in counts}
    return {line: (counts[True, line], counts[False, line]) for line in lines}


def drafts_of(group: str) -> MessageQuerySet:
    """Return a batch's drafts, none for an empty group."""
    rows = Message.objects.using(write_alias())
    # Without this the empty group would be every single draft of everybody; and of
    # NUL, which may come in an address, PostgreSQL makes an error.
    is_one = group and "\0" not in group
    return rows.filter(status=Status.DRAFT, group=group) if is_one else rows.none()


def differing(drafts: MessageQuerySet) -> tuple[str, ...]:
    """Return the fields, but for number and text, that drafts of a batch differ in.

    They are written alike; each may be changed on a page of its own.
    """
    lifetime = ExpressionWrapper(
        F("expires_at") - F("begins_at"), output_field=DurationField()
    )
    kinds = drafts.order_by().values_list(*_ALIKE, lifetime).distinct()[:LISTED]
    names = (*_ALIKE, "expires_at")
    columns = zip(names, zip(*kinds, strict=True), strict=False)
    return tuple(name for name, values in columns if len(set(values)) > 1)


def leaves_at(group: str) -> datetime | None:
    """Return when the first of a batch leaves; None where any of it does not wait."""
    drafts = drafts_of(group).order_by()
    asked = drafts.aggregate(
        first=Min("send_at"), at_once=Count("pk") - Count("send_at")
    )
    waits = asked["first"] and not asked["at_once"] and asked["first"] > timezone.now()
    return asked["first"] if waits else None


def unconfirmed() -> tuple[Unconfirmed, ...]:
    """Return the batches that wait for a person, the newest first, 100 at the most."""
    drafts = Message.objects.using(write_alias()).filter(status=Status.DRAFT)
    # Of an expression, or SQLite reads all groups there are, as its index has them.
    groups = drafts.exclude(group="").values(of=Coalesce("group", Value("")))
    found = groups.annotate(recipients=Count("pk"), begun=Min("created_at"))
    listed = found.order_by("-begun").values_list("of", "recipients", "begun")
    return tuple(
        Unconfirmed(group=group, recipients=recipients, created_at=begun)
        for group, recipients, begun in listed[:LISTED]
    )


@private
def discard(group: str) -> int:
    """Delete a group's drafts; return how many these were."""
    return delete_drafts(drafts_of(group))


def purge_drafts(older_than: timedelta) -> int:
    """Delete the drafts that nobody confirmed in so long; return how many."""
    return delete_drafts(_abandoned(older_than))


def count_drafts(older_than: timedelta) -> int:
    """Return how many drafts ``purge_drafts`` would delete."""
    return _abandoned(older_than).count()


def _abandoned(older_than: timedelta) -> MessageQuerySet:
    drafts = Message.objects.using(write_alias()).filter(status=Status.DRAFT)
    return drafts.filter(created_at__lt=from_now(-older_than.total_seconds()))


def delete_drafts(drafts: MessageQuerySet) -> int:
    """Delete in chunks, so that no table stays locked for long."""
    total = 0
    while keys := list(drafts.values_list("pk", flat=True)[:_CHUNK]):
        with transaction.atomic(using=drafts.db):
            # Locked, and looked at again: one that was queued meanwhile must stay.
            locked = drafts.filter(pk__in=keys).select_for_update()
            still = list(locked.values_list("pk", flat=True))
            rows = Message.objects.using(drafts.db).filter(pk__in=still)
            _all, counts = rows.delete()
        total += counts.get(Message._meta.label, 0)
    return total
