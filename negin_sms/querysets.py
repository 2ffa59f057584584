"""The queue's adjectives, on the database's own clock.

An adjective is chainable and has no side effect. Everything about time that two
machines have to agree on compares with DbNow, never with a machine's clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from django.db import connections, models
from django.db.models import (
    Case,
    Exists,
    Expression,
    ExpressionWrapper,
    Func,
    OuterRef,
    Q,
    Value,
    When,
)
from django.db.models.lookups import Exact

from .choices import Status

if TYPE_CHECKING:
    from .models import Message  # noqa: F401 - named in a base class

Moment = datetime | Expression | Func

_CLOCKS = {
    # CURRENT_TIMESTAMP is the transaction's start.
    "postgresql": "STATEMENT_TIMESTAMP()",
    # Local time unless asked for UTC; Django's Now() is 3:30 off on a server that
    # runs on Tehran's time.
    "mysql": "UTC_TIMESTAMP(6)",
    # Text, and compared as text: with as many digits as Django writes, or a moment
    # would be later than itself.
    "sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f000', 'NOW')",
}


def clock_sql(vendor: str, zone: tzinfo | None = None) -> str:
    """Return the database's time as SQL, for a statement that has parameters.

    ``zone`` is the one that DATABASES["…"]["TIME_ZONE"] names: such columns hold local
    time where the database knows no time zones.
    """
    clock = _CLOCKS[vendor]
    ahead = (zone and datetime.now(zone).utcoffset()) or timedelta(0)
    seconds = round(ahead.total_seconds())
    if vendor == "postgresql" or not seconds:
        return clock
    if vendor == "sqlite":
        return clock.replace("'NOW'", f"'NOW', '{seconds:+d} seconds'")
    return f"({clock} + INTERVAL {seconds} SECOND)"


class DbNow(Func):
    """The current time, as the database server sees it."""

    arity = 0
    output_field = models.DateTimeField()

    def as_sql(  # type: ignore[override]
        self, compiler: Any, connection: Any, **extra: Any
    ) -> Any:
        """Choose the server's own clock."""
        clock = clock_sql(connection.vendor, connection.timezone)
        template = clock.replace("%", "%%")
        return super().as_sql(compiler, connection, template=template, **extra)


def from_now(seconds: float) -> Expression:
    """Return the database's time in so many seconds, as an expression."""
    delta = Value(timedelta(seconds=seconds), output_field=models.DurationField())
    return ExpressionWrapper(DbNow() + delta, output_field=models.DateTimeField())


def by_no_index(condition: Q) -> Exact:
    """Return a condition that no planner takes for a way to find rows by an index.

    Otherwise SQLite reads all accepted messages, rather than some by their keys, and
    the wide index of statuses is preferred to that of what is to be redacted.
    """
    return Exact(Case(When(condition, then=True), default=False), True)


def database_now(using: str) -> datetime:
    """Ask the database for its time: aware, in UTC."""
    connection = connections[using]
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + clock_sql(connection.vendor), [])
        moment: datetime | str = cursor.fetchone()[0]
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


class MessageQuerySet(models.QuerySet["Message"]):
    """Messages by where they stand."""

    def due(self, now: Moment | None = None) -> MessageQuerySet:
        """Queued, their time has come, and not over yet."""
        moment = DbNow() if now is None else now
        return self.filter(
            status=Status.QUEUED, due_at__lte=moment, expires_at__gt=moment
        )

    def overdue(self, now: Moment | None = None) -> MessageQuerySet:
        """Still waiting although they may not be sent any more."""
        moment = DbNow() if now is None else now
        return self.filter(
            status__in=(Status.QUEUED, Status.HELD), expires_at__lte=moment
        )

    def held(self) -> MessageQuerySet:
        """Kept from leaving until a person releases them."""
        return self.filter(status=Status.HELD)

    def resends_of(self, keys: Iterable[int]) -> MessageQuerySet:
        """Repeat one of these messages; see ``deletion`` for the range."""
        return self.filter(resend_of__gt=0, resend_of__in=list(keys))

    def not_resent(self) -> MessageQuerySet:
        """Not sent again: by none of the rows is it repeated.

        Asked of the index, row by row: a join SQLite begins with a copy of all keys,
        once its statistics say that most rows have the same one, none.
        """
        again = self.model._base_manager.using(self.db)
        again = again.filter(resend_of__gt=0, resend_of=OuterRef("pk"))
        return self.filter(~Exists(again))

    def stale(self, now: Moment | None = None) -> MessageQuerySet:
        """Claimed by somebody whose lease has run out."""
        moment = DbNow() if now is None else now
        return self.filter(status=Status.SENDING, claimed_until__lte=moment)

    def claimed_by(self, claim: str) -> MessageQuerySet:
        """Claimed under this name and not finished."""
        return self.filter(status=Status.SENDING, claim=claim)

    def unsettled(self) -> MessageQuerySet:
        """With a gateway id, and still asked about."""
        return self.filter(poll_at__isnull=False)

    def due_for_poll(self, now: Moment | None = None) -> MessageQuerySet:
        """Whose state is to be asked now."""
        return self.filter(poll_at__lte=DbNow() if now is None else now)

    def in_queue_order(self) -> MessageQuerySet:
        """By priority, then due time, then id: the columns of the queue's index."""
        return self.order_by("priority", "due_at", "id")
