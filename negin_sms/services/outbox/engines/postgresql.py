"""PostgreSQL's words for claim and accept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import (
    NotSupportedError,
    ProgrammingError,
    connections,
    transaction,
)

from negin_sms.choices import Status
from negin_sms.services.outbox.jobs import SendResult

from .returning import ReturningEngine
from .sql import TABLE


class PostgresqlEngine(ReturningEngine):
    """Locks with SKIP LOCKED, reads JSON."""

    told = (
        "SELECT (one->>0)::bigint AS id, one->>1 AS claim, one->>2 AS gateway_id, "
        "one->>3 AS used_line, (one->>4)::int AS code, one->>5 AS detail, "
        "one->>6 AS flag, (one->>7)::float8 AS poll_in "
        "FROM json_array_elements(%(told)s::json) AS one"
    )
    # A value that the planner does not see: where its statistics knew of no queue, it
    # expects one row, and would read and sort all that is queued.
    queued = f"(SELECT '{Status.QUEUED.value}')"
    # How many there are the planner sees only here, and reads no whole table.
    found = f"{TABLE}.id = ANY (%(keys)s::bigint[]) AND"

    def server_identity(self) -> str:
        """Return the cluster's identifier and its timeline; a promotion begins one."""
        # A replica that serves no writes has no position to write at; some hosted
        # servers have none at all.
        sql = (
            "SELECT (SELECT system_identifier FROM pg_control_system())::text || ':' "
            "|| substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"
        )
        try:
            with transaction.atomic(using=self.using):
                return self.ask(sql)
        except (ProgrammingError, NotSupportedError):
            return ""

    def is_pooled(self) -> bool:
        """Return whether another process serves than the connection was told."""
        connection: Any = connections[self.using]
        told = connection.connection.info.backend_pid
        return self.ask("SELECT pg_backend_pid()") != str(told)

    def accept_values(self, results: Sequence[SendResult]) -> dict[str, Any]:
        """Add the keys."""
        keys = [result.job.pk for result in results]
        return super().accept_values(results) | {"keys": keys}

    def later(self, interval: str) -> str:
        """Return the time after so many seconds."""
        return f"{self.now} + {interval} * INTERVAL '1 second'"

    def taken_sql(self, due: str, priorities: Sequence[int]) -> str:
        """Select with locks that others skip.

        Materialized: an UPDATE over a LIMITed subquery with SKIP LOCKED was seen to
        claim all rows of a fresh table. Lateral: a priority is read, and its rows are
        locked, only when those before it did not fill the limit.
        """
        those = ", ".join(f"({priority})" for priority in priorities)
        each = due.format("its.priority") + " FOR UPDATE SKIP LOCKED"
        return (
            f"MATERIALIZED (SELECT queued.id FROM (VALUES {those}) AS its (priority) "
            f"CROSS JOIN LATERAL ({each}) AS queued LIMIT %(limit)s)"
        )
