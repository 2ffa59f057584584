from __future__ import annotations

from typing import Any

OURS = "negin_sms"


class StrictRouter:
    """Let no table of the app into the site's database, and no other into its own."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "sms" if model._meta.app_label == OURS else "default"

    db_for_write = db_for_read

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        return self.db_for_read(one) == self.db_for_read(other)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return (db == "sms") == (app_label == OURS)
