"""The queue's busiest moves in the words of each database: claim, and accept.

A dispatcher shares the interpreter with its workers and waits for its turn after every
round trip, so where a database can take rows in one statement, and write what became
of them in one, its engine does. The ORM's engine serves every other one, and is what
they are compared with: one set of tests runs against each. To add a database, write
its SqlEngine and name its vendor here; nobody else asks which database it is.
"""

from __future__ import annotations

from datetime import tzinfo

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


# A dispatcher asks for its engine with every handful of results.
_made: dict[tuple[type[OrmEngine], str, tzinfo | None], OrmEngine] = {}


def engine_for(using: str) -> OrmEngine:
    """Return the engine of a database, given by its alias."""
    connection = connections[using]
    kind = _ENGINES.get(connection.vendor, OrmEngine)
    key = (kind, using, connection.timezone)
    if key not in _made:
        engine = kind(using)
        # SQLite before 3.35 returns no rows from an UPDATE.
        can = engine.can_serve(connection)
        _made[key] = engine if can else OrmEngine(using)
    return _made[key]
