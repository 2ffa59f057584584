"""The queue's busiest moves in the words of each database: claim, and accept.

A dispatcher shares the interpreter with its workers and waits for its turn after every
round trip, so where a database can take rows in one statement, and write what became
of them in one, its engine does. The ORM's engine serves every other one, and is what
they are compared with: one set of tests runs against each. To add a database, write
its SqlEngine and name its vendor here; nobody else asks which database it is.
"""

from __future__ import annotations

from django.db import connections

from .mysql import MysqlEngine
from .orm import OrmEngine
from .postgresql import PostgresqlEngine
from .sqlite import SqliteEngine

_ENGINES: dict[str, type[OrmEngine]] = {
    "mysql": MysqlEngine,
    "postgresql": PostgresqlEngine,
    "sqlite": SqliteEngine,
}


def engine_for(using: str) -> OrmEngine:
    """Return the engine of a database, given by its alias."""
    connection = connections[using]
    engine = _ENGINES.get(connection.vendor, OrmEngine)(using)
    # SQLite before 3.35 returns no rows from an UPDATE.
    return engine if engine.can_serve(connection) else OrmEngine(using)
