"""MariaDB's and MySQL's words for claim and accept; neither returns updated rows.

A claim is a look, a statement that takes and a read; where nothing is due the look is
all. Acceptances are one statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections

from negin_sms.choices import Status
from negin_sms.services.database import retry_deadlocks
from negin_sms.services.outbox.jobs import SendResult

from .sql import COLUMNS, TABLE, WANTED, Row, SqlEngine, tell

_TYPES = {"id": "BIGINT", "code": "INT", "poll_in": "DOUBLE"}
_TOLD = "JSON_TABLE(%(told)s, '$[*]' COLUMNS ({})) AS told".format(
    ", ".join(
        f"{name} {_TYPES.get(name, 'VARCHAR(500)')} PATH '$[{place}]'"
        for place, name in enumerate(COLUMNS)
    )
)


class MysqlEngine(SqlEngine):
    """Locks with SKIP LOCKED, reads JSON, asks once more for what it wrote."""

    # The planner's statistics lag behind a queue. By any other index it would sort
    # all that is queued, and lock all that it reads.
    queue = f"{TABLE} FORCE INDEX (negin_sms_queue)"

    def can_serve(self, connection: Any) -> bool:
        """Return whether the server knows SKIP LOCKED and JSON_TABLE."""
        oldest = (10, 6) if connection.mysql_is_mariadb else (8, 0, 4)
        return bool(connection.mysql_version >= oldest)

    def server_identity(self) -> str:
        """Return the server's own ids; of a Galera cluster the cluster's.

        MariaDB's ``server_uid`` is of the network card and the port, which a replica on
        this machine may take over; replicas have a ``server_id`` of their own.
        """
        found: dict[str, str] = {}
        with connections[self.using].cursor() as cursor:
            cursor.execute("SHOW STATUS LIKE 'wsrep_cluster_state_uuid'")
            found |= dict(cursor.fetchall())
            # MariaDB has the first, MySQL the second.
            cursor.execute(
                "SHOW VARIABLES WHERE Variable_name IN "
                "('server_uid', 'server_uuid', 'server_id')"
            )
            found |= dict(cursor.fetchall())
        if cluster := found.get("wsrep_cluster_state_uuid"):
            return cluster
        own = found.get("server_uid") or found.get("server_uuid")
        return f"{own}:{found.get('server_id')}" if own else ""

    def is_pooled(self) -> bool:
        """Return whether another thread serves than the connection was told."""
        connection: Any = connections[self.using]
        told = getattr(connection.connection, "thread_id", None)
        if told is None:  # another driver: to ask once more does no harm
            return True
        return self.ask("SELECT CONNECTION_ID()") != str(told())

    def take(
        self, values: dict[str, Any], priorities: tuple[int, ...], if_healthy: bool
    ) -> list[Row]:
        """Take of each priority that has something due, and read what was taken.

        Of all in one statement the later priorities would be locked although those
        before them fill the limit.
        """
        look = self.once(self.ready_sql, priorities, if_healthy)
        ready = {priority for (priority,) in self.fetch(look, values)}
        left = values["limit"]
        for priority in priorities:
            if priority in ready and left:
                sql = self.once(self.take_sql, priority)
                left -= self._change(sql, {**values, "limit": left})
        if left == values["limit"]:
            return []
        return self.fetch(self.once(self.taken_sql), values)

    def write(self, results: Sequence[SendResult]) -> set[int]:
        """Write by one statement; look which rows have it unless all do."""
        told = {each.job.pk: (each.job.claim, each.gateway_id) for each in results}
        values = {"told": tell(results), "ids": [each.gateway_id for each in results]}
        if self._change(self.once(self.accept_sql), values) == len(told):
            return set(told)
        rows = self.rows.filter(pk__in=told, status=Status.ACCEPTED)
        found = rows.values_list("pk", "claim", "gateway_id")
        return {pk for pk, *its in found if told[pk] == tuple(its)}

    def later(self, interval: str) -> str:
        """Return the time after so many microseconds."""
        return f"{self.now} + INTERVAL {interval} MICROSECOND"

    def interval(self, seconds: float) -> int:
        """Return a length of time in microseconds."""
        return round(seconds * 1_000_000)

    def told_interval(self) -> str:
        """Return the interval in microseconds."""
        return "told.poll_in * 1000000"

    def ready_sql(self, priorities: Sequence[int], if_healthy: bool) -> str:
        """Return which of these priorities have something due; it locks nothing.

        So it is what asks how the account stands: the statement that takes would wait
        for whoever has that row.
        """
        due = self.due_sql(if_healthy)
        return " UNION ALL ".join(
            f"SELECT {each} AS priority FROM DUAL WHERE EXISTS ({due.format(each)})"
            for each in priorities
        )

    def take_sql(self, priority: int) -> str:
        """Return the claim of due rows of a priority that nobody has locked."""
        due = self.due_sql(if_healthy=False).format(priority)
        return (
            f"UPDATE ({due} FOR UPDATE SKIP LOCKED) AS taken {self.by_key('taken')} "
            f"SET {self.claimed_sql()} WHERE {TABLE}.status = '{Status.QUEUED.value}'"
        )

    def taken_sql(self) -> str:
        """Return what reads the rows of a claim."""
        return (
            f"SELECT {WANTED} FROM {self.queue} "
            f"WHERE status = '{Status.SENDING.value}' AND account = %(alias)s "
            "AND claim = %(claim)s"
        )

    def accept_sql(self) -> str:
        """Return the acceptance of what was told, each row found by its key."""
        # What JSON gives has the connection's collation, the columns may have any: so
        # they are compared as bytes. DISTINCT, or MySQL would see the table that it
        # updates being read.
        return (
            f"UPDATE {_TOLD} {self.by_key('told')} "
            f"LEFT JOIN (SELECT DISTINCT account, gateway_id FROM {TABLE} "
            f"WHERE gateway_id IN %(ids)s) AS other ON other.account = {TABLE}.account "
            f"AND {_same('other.gateway_id', 'told.gateway_id')} "
            f"SET {self.accepted_sql(f'{TABLE}.')} "
            f"WHERE {_same(f'{TABLE}.claim', 'told.claim')} "
            f"AND {TABLE}.status = '{Status.SENDING.value}' "
            "AND other.gateway_id IS NULL"
        )

    def by_key(self, ids: str) -> str:
        """Return the join of rows to their ids.

        Of a small table the planner would read all, and wait where a row is locked.
        """
        key = "FORCE INDEX (PRIMARY)"
        return f"STRAIGHT_JOIN {TABLE} {key} ON {TABLE}.id = {ids}.id"

    def _change(self, sql: str, values: dict[str, Any]) -> int:
        """Run a statement that commits by itself; return how many rows it found."""

        def change() -> int:
            with connections[self.using].cursor() as cursor:
                cursor.execute(sql, values)
                return int(cursor.rowcount)

        return retry_deadlocks(change, using=self.using)


def _same(one: str, other: str) -> str:
    return f"CAST({one} AS BINARY) = CAST({other} AS BINARY)"
