"""Claim and accept as one statement each, for databases that return updated rows.

Each statement commits by itself and carries its own guard, the compare-and-set on
status and claim. What is not the usual case (a lost claim, an id that several messages
share) is left to the steps of ``results``. SQL by hand is kept to this package; every
value travels as a parameter.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from django.db import connections

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.models import AccountState, Message
from negin_sms.querysets import clock_sql
from negin_sms.services.database import refuse_transaction
from negin_sms.services.outbox import transitions
from negin_sms.services.outbox.jobs import SendResult

from .orm import OrmEngine

# What a job and the gate are made of; what else somebody asks of a claimed message is
# read then.
_FLAGS = ("sensitive", "default_line", "default_line2", "ignores_caps")
_WANTED = (
    *("id", "mobile", "text", "scenario", "line", "line2", "template", "priority"),
    *("attempts", *_FLAGS),
)
_KNOWN = {"account", "status", "claim", *_WANTED}
TABLE, STATES = Message._meta.db_table, AccountState._meta.db_table


class SqlEngine(OrmEngine, ABC):
    """The two statements; a subclass has its database's words for their parts."""

    asks_health = True
    told: ClassVar[str]
    """A SELECT of the results from the parameter ``told``: JSON arrays in an array."""
    found: ClassVar[str] = ""
    """What else helps the planner to find the rows of ``told``."""

    def __init__(self, using: str) -> None:
        super().__init__(using)
        connection = connections[using]
        self.now = clock_sql(connection.vendor, connection.timezone)

    def can_serve(self, connection: Any) -> bool:
        """Return whether an UPDATE returns its rows."""
        return bool(connection.features.can_return_rows_from_bulk_insert)

    def claim_due(
        self,
        account: conf.Account,
        claim: str,
        limit: int,
        *,
        priorities: Sequence[int],
        lease: float,
        if_healthy: bool = False,
    ) -> list[Message]:
        """Claim up to ``limit`` due messages, in the queue's order.

        With ``if_healthy`` none is claimed while the account is paused or has failures
        to its name, which spares the question how it stands.
        """
        refuse_transaction(self.using)
        values = {
            "alias": account.alias,
            "claim": claim,
            "lease": self.interval(lease),
            "limit": limit,
            "line": account.line,
            "line2": account.line2,
        }
        sql = self.claim_sql(tuple(priorities), if_healthy)
        with connections[self.using].cursor() as cursor:
            cursor.execute(sql, values)
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        rows.sort(key=lambda row: (row["priority"], row["due_at"], row["id"]))
        common = {"account": account.alias, "status": Status.SENDING, "claim": claim}
        return [self._as_message({**row, **common}) for row in rows]

    def accept(self, results: Sequence[SendResult]) -> tuple[set[int], list[int]]:
        """Write acceptances by one statement; of messages with one id, the first.

        A row is left alone when its claim is lost, and when a message of its account
        has the gateway's id already.
        """
        told: dict[tuple[str, str], SendResult] = {}
        for result in results:
            told.setdefault((result.job.account.alias, result.gateway_id), result)
        values = self.accept_values([_told(each) for each in told.values()])
        with connections[self.using].cursor() as cursor:
            cursor.execute(self.accept_sql(), values)
            return {pk for (pk,) in cursor.fetchall()}, []

    def accept_values(self, told: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """Return the parameters of ``accept_sql``."""
        return {"told": json.dumps(told)}

    def interval(self, seconds: float) -> float | str:
        """Return a length of time as ``later`` takes it."""
        return seconds

    @abstractmethod
    def later(self, interval: str) -> str:
        """Return the database's time after an interval, given in SQL."""

    def told_interval(self) -> str:
        """Return the interval until the first poll of a row of ``told``."""
        return "told.poll_in"

    @abstractmethod
    def taken_sql(self, due: str, priorities: Sequence[int]) -> str:
        """Return what selects the ids to take; ``due`` wants a priority for ``{}``."""

    def claim_sql(self, priorities: Sequence[int], if_healthy: bool) -> str:
        """Return the claim: one priority after the other, each in its index's order."""
        healthy = (
            f"AND EXISTS (SELECT 1 FROM {STATES} WHERE account = %(alias)s "
            "AND paused_at IS NULL AND failures = 0)"
        )
        due = (
            f"SELECT id FROM {TABLE} WHERE status = '{Status.QUEUED.value}' "
            f"AND account = %(alias)s AND priority = {{}} AND due_at <= {self.now} "
            f"AND expires_at > {self.now} {healthy if if_healthy else ''} "
            "ORDER BY due_at, id LIMIT %(limit)s"
        )
        wanted = ", ".join(f"{TABLE}.{name}" for name in (*_WANTED, "due_at"))
        return (
            f"WITH taken AS {self.taken_sql(due, priorities)} "
            f"UPDATE {TABLE} SET status = '{Status.SENDING.value}', claim = %(claim)s, "
            f"claimed_until = {self.later('%(lease)s')}, attempts = attempts + 1, "
            "line = CASE WHEN default_line THEN %(line)s ELSE line END, "
            "line2 = CASE WHEN default_line2 THEN %(line2)s ELSE line2 END FROM taken "
            f"WHERE {TABLE}.id = taken.id AND status = '{Status.QUEUED.value}' "
            f"RETURNING {wanted}"
        )

    def accept_sql(self) -> str:
        """Return the acceptance of what was told."""
        # The status is compared, not looked up: of what an index holds of "sending",
        # most is long over.
        return (
            f"UPDATE {TABLE} SET status = '{Status.ACCEPTED.value}', "
            "gateway_id = told.gateway_id, used_line = told.used_line, "
            "code = told.code, detail = told.detail, flag = told.flag, "
            f"claimed_until = NULL, finished_at = {self.now}, poll_at = {self.later(self.told_interval())} "
            f"FROM ({self.told}) AS told "
            f"WHERE {self.found} {TABLE}.id = told.id AND {TABLE}.claim = told.claim "
            f"AND COALESCE({TABLE}.status, '') = '{Status.SENDING.value}' "
            f"AND NOT EXISTS (SELECT 1 FROM {TABLE} AS other "
            "WHERE other.gateway_id = told.gateway_id "
            f"AND other.account = {TABLE}.account) RETURNING {TABLE}.id"
        )

    def _as_message(self, values: dict[str, Any]) -> Message:
        values |= {name: bool(values[name]) for name in _FLAGS}  # SQLite: 0 and 1
        # In the order of the model's fields, as from_db wants them.
        names = [
            f.attname for f in Message._meta.concrete_fields if f.attname in _KNOWN
        ]
        return Message.from_db(self.using, names, [values[name] for name in names])


def _told(result: SendResult) -> tuple[Any, ...]:
    """Return what the statement is told of one acceptance, in the order of COLUMNS."""
    columns = transitions.acceptance(result)
    age = transitions.first_poll_age(result)
    return (result.job.pk, result.job.claim, *columns.values(), age)


COLUMNS = (
    *("id", "claim", "gateway_id", "used_line", "code", "detail", "flag"),
    "poll_in",
)
