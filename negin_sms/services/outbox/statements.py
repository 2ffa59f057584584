"""The queue's two moves, each as one statement, where a database can do that.

A coordinator shares the interpreter with its workers and waits for its turn after
every round trip, so on PostgreSQL and SQLite taking rows costs one, and so does
writing what became of them. Each statement commits by itself and carries its own
guard, the compare-and-set on status and claim. MariaDB and MySQL return no rows from
an UPDATE: there, and for whatever is not the usual case, ``claims`` and ``results``
do the same in the ORM's steps.

SQL by hand is kept to this module. Every value travels as a parameter.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

from django.db import connections

from negin_sms.choices import Status
from negin_sms.models import AccountState, Message
from negin_sms.querysets import clock_sql

# What a job is made of; what else somebody asks of a claimed message is read then.
_WANTED = ("id", "mobile", "text", "scenario", "line", "line2", "template", "attempts")
_KNOWN = frozenset({*_WANTED, "account", "status", "claim"})


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What the row of an accepted message is told; ``poll_in`` is in seconds."""

    id: int
    claim: str
    gateway_id: str
    used_line: str
    code: int
    detail: str
    flag: str
    poll_in: float


def are_known(using: str) -> bool:
    """Return whether the database has both statements."""
    connection = connections[using]
    if connection.vendor not in ("postgresql", "sqlite"):
        return False
    if connection.vendor == "sqlite" and connection.settings_dict["TIME_ZONE"]:
        return False  # they write UTC, and its columns hold local time
    # SQLite before 3.35 returns no rows either.
    return bool(connection.features.can_return_rows_from_bulk_insert)


def claim_due(
    alias: str,
    claim: str,
    limit: int,
    *,
    priorities: Sequence[int],
    lease: float,
    if_healthy: bool,
    using: str,
) -> list[Message]:
    """Step up to ``limit`` due messages to sending; return those that were taken.

    With ``if_healthy`` none is taken while the account is paused or has failures to
    its name, which spares the question how it stands. ``lease`` is in seconds.
    """
    connection = connections[using]
    sql = _claim_sql(connection.vendor, tuple(priorities), if_healthy)
    values = {
        "alias": alias,
        "claim": claim,
        "lease": _interval(connection.vendor, lease),
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows = cursor.fetchall()
    rows.sort(key=lambda row: row[-2:] + row[:1])
    return [_claimed(row, alias, claim, using) for row in rows]


def accept(acceptances: Sequence[Acceptance], *, using: str) -> set[int]:
    """Write what the gateway accepted; return the keys of the rows that were written.

    A row is left alone when its claim is no longer held, and when a message of its
    account has the gateway's id already: these take more than one statement.
    """
    connection = connections[using]
    values: dict[str, Any] = {
        "told": json.dumps([astuple(acceptance) for acceptance in acceptances]),
        "keys": [acceptance.id for acceptance in acceptances],
    }
    if connection.vendor == "sqlite":  # which refuses what it has no place for
        del values["keys"]
    with connection.cursor() as cursor:
        cursor.execute(_accept_sql(connection.vendor), values)
        return {pk for (pk,) in cursor.fetchall()}


def _claimed(row: Sequence[Any], alias: str, claim: str, using: str) -> Message:
    pk, mobile, text, scenario, line, line2, template, attempts, *_order = row
    status = Status.SENDING.value
    # In the order of the model's fields, as from_db wants them.
    values = (pk, alias, mobile, text, scenario, line, line2, template)
    return Message.from_db(using, _KNOWN, (*values, status, claim, attempts))


_NOW = {vendor: clock_sql(vendor) for vendor in ("postgresql", "sqlite")}
_AFTER = {
    "postgresql": _NOW["postgresql"] + " + {} * INTERVAL '1 second'",
    # A moment and what to add to it are arguments of one function there.
    "sqlite": _NOW["sqlite"].replace("'NOW'", "'NOW', {}"),
}


def _interval(vendor: str, seconds: float) -> float | str:
    return f"{seconds:+.3f} seconds" if vendor == "sqlite" else seconds


@functools.cache
def _claim_sql(vendor: str, priorities: tuple[int, ...], if_healthy: bool) -> str:
    """Return the claim: one priority after the other, each in its index's order."""
    table, states = Message._meta.db_table, AccountState._meta.db_table
    now, until = _NOW[vendor], _AFTER[vendor].format("%(lease)s")
    healthy = (
        f"AND EXISTS (SELECT 1 FROM {states} WHERE account = %(alias)s "
        "AND paused_at IS NULL AND failures = 0)"
    )
    due = (
        f"SELECT id FROM {table} WHERE status = '{Status.QUEUED.value}' "
        f"AND account = %(alias)s AND priority = {{}} AND due_at <= {now} "
        f"AND expires_at > {now} {healthy if if_healthy else ''} "
        "ORDER BY due_at, id LIMIT %(limit)s"
    )
    taken = _TAKEN[vendor](due, priorities)
    wanted = ", ".join(f"{table}.{name}" for name in (*_WANTED, "priority", "due_at"))
    return (
        f"WITH taken AS {taken} "
        f"UPDATE {table} SET status = '{Status.SENDING.value}', claim = %(claim)s, "
        f"claimed_until = {until}, attempts = attempts + 1 FROM taken "
        f"WHERE {table}.id = taken.id AND status = '{Status.QUEUED.value}' "
        f"RETURNING {wanted}"
    )


def _taken_on_postgresql(due: str, priorities: Sequence[int]) -> str:
    # Materialized: an UPDATE over a LIMITed subquery with SKIP LOCKED was seen to
    # claim all rows of a fresh table. Lateral: a priority is read, and its rows are
    # locked, only when those before it did not fill the limit.
    those = ", ".join(f"({priority})" for priority in priorities)
    each = due.format("its.priority") + " FOR UPDATE SKIP LOCKED"
    return (
        f"MATERIALIZED (SELECT queued.id FROM (VALUES {those}) AS its (priority) "
        f"CROSS JOIN LATERAL ({each}) AS queued LIMIT %(limit)s)"
    )


def _taken_on_sqlite(due: str, priorities: Sequence[int]) -> str:
    arms = (f"SELECT id FROM ({due.format(priority)})" for priority in priorities)
    return f"({' UNION ALL '.join(arms)} LIMIT %(limit)s)"


_TAKEN = {"postgresql": _taken_on_postgresql, "sqlite": _taken_on_sqlite}


@functools.cache
def _accept_sql(vendor: str) -> str:
    # The status is compared, not looked up: of what an index holds of "sending", most
    # is long over.
    table = Message._meta.db_table
    return (
        f"UPDATE {table} SET status = '{Status.ACCEPTED.value}', "
        "gateway_id = told.gateway_id, used_line = told.used_line, code = told.code, "
        "detail = told.detail, flag = told.flag, claimed_until = NULL, "
        f"finished_at = {_NOW[vendor]}, poll_at = {_POLL_AT[vendor]} "
        f"FROM ({_TOLD[vendor]}) AS told "
        f"WHERE {_FOUND[vendor]} {table}.id = told.id AND {table}.claim = told.claim "
        f"AND COALESCE({table}.status, '') = '{Status.SENDING.value}' "
        f"AND NOT EXISTS (SELECT 1 FROM {table} AS other "
        f"WHERE other.gateway_id = told.gateway_id AND other.account = {table}.account) "
        f"RETURNING {table}.id"
    )


_TOLD = {
    "postgresql": (
        "SELECT (one->>0)::bigint AS id, one->>1 AS claim, one->>2 AS gateway_id, "
        "one->>3 AS used_line, (one->>4)::int AS code, one->>5 AS detail, "
        "one->>6 AS flag, (one->>7)::float8 AS poll_in "
        "FROM json_array_elements(%(told)s::json) AS one"
    ),
    "sqlite": "SELECT {} FROM json_each(%(told)s)".format(
        ", ".join(
            f"json_extract(value, '$[{place}]') AS {field.name}"
            for place, field in enumerate(fields(Acceptance))
        )
    ),
}
_FOUND = {
    # How many there are the planner sees only here, and reads no whole table.
    "postgresql": f"{Message._meta.db_table}.id = ANY (%(keys)s::bigint[]) AND",
    "sqlite": "",
}
_POLL_AT = {
    "postgresql": _AFTER["postgresql"].format("told.poll_in"),
    "sqlite": _AFTER["sqlite"].format("told.poll_in || ' seconds'"),
}
