"""What benchmarks.scale does in processes of its own: fill a database, measure it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.core.management import call_command
from django.db import connection
from django.db.models import Max
from django.utils import timezone

from negin_sms import services
from negin_sms.models import Message
from negin_sms.services.statistics.daily_counts import rollup_closed_days

SEED = 1000
DAY = timedelta(days=1)
MADE = ("created_at", "begins_at", "due_at")
TIMES = (*MADE, "send_at", "expires_at")
ENDS = ("finished_at", "state_at", "poll_at", "settled_at")
GROUP = "measured"


class Kind(NamedTuple):
    """Rows of one kind: how many of ten, what they have, and their moments."""

    share: int
    status: str
    moments: Callable[[datetime, float], dict[str, datetime]]


def tomorrow(now: datetime, part: float) -> dict[str, datetime]:
    at = now + DAY + part * timedelta(hours=10)
    moments = dict.fromkeys(("begins_at", "due_at", "send_at"), at)
    return {"created_at": now, **moments, "expires_at": at + DAY}


def long_ago(now: datetime, part: float) -> dict[str, datetime]:
    at = now - 2 * DAY - (1 - part) * 90 * DAY
    return {
        **dict.fromkeys(MADE, at),
        **dict.fromkeys(("finished_at", "state_at", "settled_at"), at),
        "expires_at": at + DAY,
    }


def redacted(now: datetime, part: float) -> dict[str, datetime]:
    moments = long_ago(now, part)
    return {**moments, "redacted_at": moments["finished_at"]}


def today(now: datetime, part: float) -> dict[str, datetime]:
    at = now - (1 - part) * timedelta(hours=10)
    asked = {"finished_at": at, "poll_at": now + timedelta(hours=1 + part)}
    return {**dict.fromkeys(MADE, at), **asked, "expires_at": now}


KINDS = (
    Kind(3, "queued", tomorrow),
    Kind(3, "accepted", long_ago),  # and settled
    Kind(3, "accepted", redacted),  # one-time passwords
    Kind(1, "accepted", today),  # to be asked about in an hour
)


def fill(count: int) -> int:
    """Fill the tables, and return how many rows there are.

    A thousand are made here, and copied by the database, in the order in which a
    queue would have got them, with times and gateway ids of their own.
    """
    call_command("migrate", verbosity=0)
    now = timezone.now()
    spans = [seed(kind, now) for kind in KINDS]
    for number in range(1, count // SEED):
        for kind, span in zip(KINDS, spans, strict=True):
            copy(span, number, kind.moments(now, number * SEED / count))
    while rollup_closed_days(using="default"):
        pass  # as pollers have done it by now
    with connection.cursor() as cursor:
        table = "TABLE " if connection.vendor == "mysql" else ""
        cursor.execute(f"ANALYZE {table}{Message._meta.db_table}")
    return Message.objects.count()


def seed(kind: Kind, now: datetime) -> tuple[int, int]:
    """Make the first rows of a kind; return the key before them, and their last."""
    before = Message.objects.aggregate(last=Max("pk"))["last"] or 0
    wish = {"text": "x" * 70, "line": "9830003300", **kind.moments(now, 0)}
    sent = kind.status == "accepted"
    Message.objects.bulk_create(
        Message(
            **wish,
            mobile=f"+98912{n:07}",
            status=kind.status,
            gateway_id=f"1{n:04}" if sent else "",
            state=1 if "settled_at" in wish else None,
            sensitive="redacted_at" in wish,
        )
        for n in range(SEED * kind.share // 10)
    )
    return before, Message.objects.aggregate(last=Max("pk"))["last"]


def copy(span: tuple[int, int], number: int, moments: dict[str, datetime]) -> None:
    """Copy the rows between two keys with other moments and ids."""
    table = Message._meta.db_table
    columns = [field.column for field in Message._meta.fields if field.column != "id"]
    quoted = {name: connection.ops.quote_name(name) for name in columns}
    values = {**quoted, **dict.fromkeys(moments, "%s")}
    joined = (
        "CONCAT(%s, gateway_id)"
        if connection.vendor == "mysql"
        else ("%s || gateway_id")
    )
    values["gateway_id"] = f"CASE gateway_id WHEN '' THEN '' ELSE {joined} END"
    adapt = connection.ops.adapt_datetimefield_value
    given = {name: adapt(at) for name, at in moments.items()}
    given["gateway_id"] = str(number)
    parameters = [given[name] for name in columns if name in given]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(quoted.values())}) "
            f"SELECT {', '.join(values.values())} FROM {table} "
            f"WHERE id > {span[0]} AND id <= {span[1]}",
            parameters,
        )


def measure(count: int) -> dict[str, float]:
    """Dispatch and poll so many messages; return milliseconds, and leave no row."""
    services.dispatch_queue()  # whatever is done once is done now
    services.poll_states()
    wish = {"mobile": "09395213300", "text": "x" * 70}
    services.queue_many([wish] * count, group=GROUP)
    ours = Message.objects.filter(group=GROUP)
    figures = {"dispatch, ms a message": timed(services.dispatch_queue) / count}
    assert ours.filter(status="accepted").count() == count
    ours.update(poll_at=timezone.now())
    figures["poll, ms a message"] = timed(services.poll_states) / count
    assert ours.filter(state__isnull=False).count() > 0.8 * count
    figures["dispatch of nothing, ms"] = timed(services.dispatch_queue)
    figures["poll of nothing, ms"] = timed(services.poll_states)
    ours.delete()
    return figures


def timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)
