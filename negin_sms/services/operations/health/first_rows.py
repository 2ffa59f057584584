"""What becomes of the first rows of a query, counted inside a LIMIT."""

from __future__ import annotations

from typing import Any

from django.db.models import DateTimeField, IntegerField, Subquery

from negin_sms.choices import Status

from .findings import CAP


class _Few(Subquery):
    """What becomes of the first CAP + 1 rows of a query, in the order of an index."""

    template = "(SELECT {} FROM (%(subquery)s LIMIT {}) counted)"
    what: str
    limit = f"{CAP + 1}"

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> Any:  # type: ignore[override]
        """Limit here: a queryset's limit is always a number."""
        template = self.template.format(self.what, self.limit)
        return super().as_sql(compiler, connection, template=template, **extra)

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        """Do not let the planner see the limit.

        Where it expects fewer rows than that it would read all there are and sort
        them, and it expects few of a long queue whose priority is rare elsewhere.
        """
        template = self.template.format(self.what, f"(SELECT {self.limit})")
        return super().as_sql(compiler, connection, template=template)


class Count(_Few):
    """How many rows there are, CAP + 1 where there are more."""

    what = "COUNT(*)"
    output_field = IntegerField()


class CountEnded(_Few):
    """How many of them ended with a status; each row has it as ``ended``."""

    output_field = IntegerField()

    def __init__(self, rows: Any, status: Status) -> None:
        """Take the rows, and the status that is counted."""
        super().__init__(rows)
        self.what = f"COUNT(CASE WHEN ended = '{status.value}' THEN 1 END)"


class Earliest(_Few):
    """The earliest ``moment`` among them."""

    what = "MIN(moment)"
    output_field = DateTimeField()
