"""MariaDB's and MySQL's words."""

from __future__ import annotations

from django.db import connections

from .orm import OrmEngine


class MysqlEngine(OrmEngine):
    """Knows the server apart."""

    def server_identity(self) -> str:
        """Return the server's own id; of a Galera cluster the cluster's."""
        found: dict[str, str] = {}
        with connections[self.using].cursor() as cursor:
            cursor.execute("SHOW STATUS LIKE 'wsrep_cluster_state_uuid'")
            found |= dict(cursor.fetchall())
            # MariaDB has the first, MySQL the second.
            cursor.execute(
                "SHOW VARIABLES WHERE Variable_name IN ('server_uid', 'server_uuid')"
            )
            found |= dict(cursor.fetchall())
        return next((value for value in found.values() if value), "")
