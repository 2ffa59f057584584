"""What the engines that claim and accept in SQL of their own have in common.

Each statement commits by itself and carries its own guard, the compare-and-set on
status and claim. What is not the usual case (a lost claim, an id that several messages
share) is left to the steps of ``results``. SQL by hand is kept to this package; every
value travels as a parameter.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, ClassVar

from django.db import connections

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.models import AccountState, Message, OptOut
from negin_sms.querysets import clock_sql
from negin_sms.services.database import refuse_transaction
from negin_sms.services.outbox import transitions
from negin_sms.services.outbox.jobs import SendResult

from .orm import OrmEngine

# What a job and the gate are made of; what else somebody asks of a claimed message is
# read then.
_FLAGS = ("sensitive", "default_line", "default_line2", "ignores_caps")
_FIELDS = (
    *("id", "mobile", "text", "scenario", "line", "line2", "template", "priority"),
    *("attempts", *_FLAGS),
)
_COMMON = ("account", "status", "claim")
TABLE, STATES = Message._meta.db_table, AccountState._meta.db_table
_HAS_OPT_OUT = (
    f"EXISTS (SELECT 1 FROM {OptOut._meta.db_table} AS opted "
    f"WHERE opted.mobile = {TABLE}.mobile)"
)
WANTED = ", ".join(
    [*(f"{TABLE}.{name}" for name in (*_FIELDS, "due_at")), _HAS_OPT_OUT]
)
"""What is told of a claimed row: fields, due_at too, by which they are sorted; and
whether any opt-out has its number, which spares the gate a question."""
_TOLD = (*_FIELDS, "due_at", "has_opt_out")
_IN_ORDER = itemgetter(*map(_TOLD.index, ("priority", "due_at", "id")))
HEALTHY = (
    f"EXISTS (SELECT 1 FROM {STATES} WHERE account = %(alias)s "
    "AND paused_at IS NULL AND failures = 0)"
)
COLUMNS = (
    *("id", "claim", "gateway_id", "used_line", "code", "detail", "flag"),
    "poll_in",
)
"""What a statement is told of each acceptance."""
Row = tuple[Any, ...]


class SqlEngine(OrmEngine, ABC):
    """Claims and acceptances; a subclass makes its database's statements of them."""

    asks_health = True
    queue: ClassVar[str] = TABLE
    """The table as the queue is read."""
    queued: ClassVar[str] = f"'{Status.QUEUED.value}'"
    """The status of what waits, where its rows are looked for."""

    def __init__(self, using: str) -> None:
        super().__init__(using)
        connection = connections[using]
        self.now = clock_sql(connection.vendor, connection.timezone)
        self._statements: dict[tuple[Any, ...], str] = {}
        # In the order of the model's fields, as from_db wants them; it asks of each
        # field whether it is among them.
        names = (*_TOLD, *_COMMON)
        fields = [field.attname for field in Message._meta.concrete_fields]
        known = {*_FIELDS, *_COMMON}
        self._known = {name: names.index(name) for name in fields if name in known}
        self._pick = itemgetter(*self._known.values())

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
        rows = self.take(values, tuple(priorities), if_healthy)
        rows.sort(key=_IN_ORDER)
        common = (account.alias, Status.SENDING, claim)
        return [self._as_message(row, common) for row in rows]

    def accept(self, results: Sequence[SendResult]) -> tuple[set[int], list[int]]:
        """Write acceptances by one statement; of messages with one id, the first.

        A row is left alone when its claim is lost, and when a message of its account
        has the gateway's id already.
        """
        told: dict[tuple[str, str], SendResult] = {}
        for result in results:
            told.setdefault((result.job.account.alias, result.gateway_id), result)
        return self.write(list(told.values())), []

    @abstractmethod
    def take(
        self, values: dict[str, Any], priorities: tuple[int, ...], if_healthy: bool
    ) -> list[Row]:
        """Claim; return what is ``WANTED`` of the rows taken, in any order."""

    @abstractmethod
    def write(self, results: Sequence[SendResult]) -> set[int]:
        """Write these acceptances; return the keys of the rows that have them."""

    @abstractmethod
    def later(self, interval: str) -> str:
        """Return the database's time after an interval, given in SQL."""

    def interval(self, seconds: float) -> float | str:
        """Return a length of time as ``later`` takes it."""
        return seconds

    def told_interval(self) -> str:
        """Return the interval until the first poll of a row of ``told``."""
        return "told.poll_in"

    def due_sql(self, if_healthy: bool) -> str:
        """Return what selects due rows of a priority (``{}``), in the index's order."""
        return (
            f"SELECT id FROM {self.queue} WHERE status = {self.queued} "
            f"AND account = %(alias)s AND priority = {{}} AND due_at <= {self.now} "
            f"AND expires_at > {self.now} {f'AND {HEALTHY}' if if_healthy else ''} "
            "ORDER BY due_at, id LIMIT %(limit)s"
        )

    def claimed_sql(self) -> str:
        """Return what a claim sets."""
        return (
            f"status = '{Status.SENDING.value}', claim = %(claim)s, "
            f"claimed_until = {self.later('%(lease)s')}, attempts = attempts + 1, "
            "line = CASE WHEN default_line THEN %(line)s ELSE line END, "
            "line2 = CASE WHEN default_line2 THEN %(line2)s ELSE line2 END"
        )

    def accepted_sql(self, row: str = "") -> str:
        """Return what an acceptance sets; ``row`` goes before a column's name."""
        told = ", ".join(f"{row}{name} = told.{name}" for name in COLUMNS[2:-1])
        return (
            f"{row}status = '{Status.ACCEPTED.value}', {told}, "
            f"{row}claimed_until = NULL, {row}finished_at = {self.now}, "
            f"{row}poll_at = {self.later(self.told_interval())}"
        )

    def once(self, make: Callable[..., str], *how: Any) -> str:
        """Return a statement; it is put together when it is wanted first."""
        key = (make, *how)
        if key not in self._statements:
            self._statements[key] = make(*how)
        return self._statements[key]

    def fetch(self, sql: str, values: dict[str, Any]) -> list[Row]:
        """Return the rows that a statement gives."""
        with connections[self.using].cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())

    def _as_message(self, row: Row, common: Row) -> Message:
        message = Message.from_db(self.using, self._known, self._pick(row + common))
        for name in _FLAGS:  # SQLite, MariaDB and MySQL: 0 and 1
            setattr(message, name, bool(getattr(message, name)))
        message.may_have_opt_out = bool(row[-1])
        return message


def tell(results: Sequence[SendResult]) -> str:
    """Return acceptances as JSON: an array of arrays, each in the order of COLUMNS."""
    return json.dumps([_told(each) for each in results])


def _told(result: SendResult) -> tuple[Any, ...]:
    columns = transitions.acceptance(result)
    age = transitions.first_poll_age(result)
    return (result.job.pk, result.job.claim, *columns.values(), age)
