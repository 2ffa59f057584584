"""Claim and accept as one statement each, for databases that return updated rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from django.db import connections

from negin_sms.choices import Status
from negin_sms.services.outbox.jobs import SendResult

from .sql import TABLE, WANTED, Row, SqlEngine, tell


class ReturningEngine(SqlEngine):
    """The two statements; a subclass has its database's words for their parts."""

    told: ClassVar[str]
    """A SELECT of the results from the parameter ``told``: JSON arrays in an array."""
    found: ClassVar[str] = ""
    """What else helps the planner to find the rows of ``told``."""

    def can_serve(self, connection: Any) -> bool:
        """Return whether an UPDATE returns its rows."""
        return bool(connection.features.can_return_rows_from_bulk_insert)

    def take(
        self, values: dict[str, Any], priorities: tuple[int, ...], if_healthy: bool
    ) -> list[Row]:
        """Claim by one statement."""
        return self.fetch(self.once(self.claim_sql, priorities, if_healthy), values)

    def write(self, results: Sequence[SendResult]) -> set[int]:
        """Write by one statement; return the keys of the rows it wrote."""
        with connections[self.using].cursor() as cursor:
            cursor.execute(self.once(self.accept_sql), self.accept_values(results))
            return {pk for (pk,) in cursor.fetchall()}

    def accept_values(self, results: Sequence[SendResult]) -> dict[str, Any]:
        """Return the parameters of ``accept_sql``."""
        return {"told": tell(results)}

    @abstractmethod
    def taken_sql(self, due: str, priorities: Sequence[int]) -> str:
        """Return what selects the ids to take; ``due`` wants a priority for ``{}``."""

    def claim_sql(self, priorities: Sequence[int], if_healthy: bool) -> str:
        """Return the claim: one priority after the other, each in its index's order."""
        return (
            f"WITH taken AS {self.taken_sql(self.due_sql(if_healthy), priorities)} "
            f"UPDATE {TABLE} SET {self.claimed_sql()} FROM taken "
            f"WHERE {TABLE}.id = taken.id "
            f"AND COALESCE({TABLE}.status, '') = '{Status.QUEUED.value}' "
            f"RETURNING {WANTED}"
        )

    def accept_sql(self) -> str:
        """Return the acceptance of what was told."""
        # The status is compared, not looked up: of what an index holds of "sending",
        # most is long over.
        return (
            f"UPDATE {TABLE} SET {self.accepted_sql()} FROM ({self.told}) AS told "
            f"WHERE {self.found} {TABLE}.id = told.id AND {TABLE}.claim = told.claim "
            f"AND COALESCE({TABLE}.status, '') = '{Status.SENDING.value}' "
            f"AND NOT EXISTS (SELECT 1 FROM {TABLE} AS other "
            "WHERE other.gateway_id = told.gateway_id "
            f"AND other.account = {TABLE}.account) RETURNING {TABLE}.id"
        )
