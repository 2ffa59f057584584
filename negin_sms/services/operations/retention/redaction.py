"""Sensitive texts are redacted once they have served.

A one-time password is worth nothing after its message has ended, and something to
a thief of the database. So its text goes when the message has ended or settled,
and after REDACT_AFTER at the latest; the row stays. What may still be sent keeps it,
but for drafts of that age, which go: nobody confirmed them while they were of use.
"""

from __future__ import annotations

from django.db import connections
from django.db.models import Q, Value

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.models import Message
from negin_sms.querysets import DbNow, MessageQuerySet, by_no_index, from_now
from negin_sms.services.database import write_alias
from negin_sms.services.submission.batches import delete_drafts

_BATCH = 500
_BATCHES = 20  # at a time: the dispatcher has other work, too
_OVER = (Status.REJECTED, Status.CANCELLED, Status.EXPIRED)
_OPEN = (Status.ACCEPTED, Status.UNCERTAIN)


def redact_sensitive_texts() -> int:
    """Redact sensitive texts that have served; return how many, with deleted drafts.

    Rejected, cancelled and expired messages lose theirs at once, accepted ones
    when they settle; those, and uncertain ones, at the latest REDACT_AFTER seconds
    after their sending ended. Drafts are deleted that much after they were written.
    Works through 10,000 rows at the most.
    """
    using = write_alias()
    rows = _rows_to_redact(using)
    redacted, last = delete_drafts(_old_drafts(using)), 0
    for _batch in range(_BATCHES):
        found = rows.filter(pk__gt=last).values_list("pk", flat=True)
        keys = list(found[:_BATCH])
        if keys:
            # Asked again: what was read may have moved on.
            redacted += rows.filter(pk__in=keys).update(text="", redacted_at=DbNow())
            last = keys[-1]
        if len(keys) < _BATCH:
            break
    return redacted


def _rows_to_redact(using: str) -> MessageQuerySet:
    """Return the messages whose sensitive text has served."""
    return _sensitive(using).filter(by_no_index(_has_served()))


def _old_drafts(using: str) -> MessageQuerySet:
    over = Q(_is_old("created_at"), status=Status.DRAFT)
    return _sensitive(using).filter(by_no_index(over), pk__gt=0)


def _sensitive(using: str) -> MessageQuerySet:
    rows = Message.objects.using(using).filter(
        sensitive=Value(True),  # written as an equation, which SQLite finds by index
        redacted_at__isnull=True,
    )
    if connections[using].vendor == "sqlite":
        # Its statistics (ANALYZE) hold a value's average, no rare one's frequency: it
        # would read all of the table by its keys. This the index answers by itself.
        rows = rows.filter(pk__in=rows.values("pk"))
    # In the order of the index, which is that of the keys. By the keys alone PostgreSQL
    # would read all of the table: where most that is sensitive has long been redacted,
    # it takes what is left for a good part of it.
    return rows.order_by("redacted_at", "pk")


def _has_served() -> Q:
    settled = Q(status=Status.ACCEPTED, settled_at__isnull=False)
    return Q(status__in=_OVER) | settled | Q(_is_old("finished_at"), status__in=_OPEN)


def _is_old(since: str) -> Q:
    """Return whose time is over; accounts that are gone keep texts the longest."""
    ages = {account.alias: account.redact_after for account in conf.get_accounts()}
    longest = max(ages.values(), default=conf.Account(alias="").redact_after)
    before = f"{since}__lte"
    condition = Q(**{before: from_now(-longest)}) & ~Q(account__in=list(ages))
    for alias, age in ages.items():
        condition |= Q(account=alias, **{before: from_now(-age)})
    return condition
