"""What the database must be able to do: E002 to E004, W003. Whose rows it has: W006."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import DatabaseError, connections, router

Found = list[checks.CheckMessage]

_OLDEST = {True: (10, 6), False: (8, 0, 1)}  # SKIP LOCKED: MariaDB, MySQL


@checks.register("negin_sms")
def check_time_zone(app_configs: Any, **kwargs: Any) -> Found:
    """E002: leases and due times are compared with the database's clock in UTC."""
    if settings.USE_TZ:
        return list(_shifting_zone())
    return [
        checks.Error(
            "django-negin-sms needs USE_TZ = True.",
            hint="Write USE_TZ = True in your settings.",
            id="negin_sms.E002",
        )
    ]


@checks.register("negin_sms")
def check_sqlite(app_configs: Any, **kwargs: Any) -> Found:
    """E003: on SQLite only an IMMEDIATE transaction keeps two claims apart."""
    from negin_sms.models import Message

    connection = connections[router.db_for_write(Message)]
    options = connection.settings_dict.get("OPTIONS", {})
    mode = str(options.get("transaction_mode", "")).upper()
    if connection.vendor != "sqlite" or mode in ("IMMEDIATE", "EXCLUSIVE"):
        return []
    return [
        checks.Error(
            "SQLite must begin its transactions as IMMEDIATE, or a send can fail "
            "after the gateway has accepted it.",
            hint=f'Write DATABASES["{connection.alias}"]["OPTIONS"] = '
            '{"transaction_mode": "IMMEDIATE", "timeout": 20, '
            '"init_command": "PRAGMA journal_mode=WAL"}',
            id="negin_sms.E003",
        )
    ]


@checks.register(checks.Tags.database)
def check_databases(
    app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any
) -> Found:
    """E004, W003: claims need SKIP LOCKED, and READ COMMITTED or below."""
    from negin_sms.models import Message

    alias = router.db_for_write(Message)
    connection = connections[alias]
    if alias not in (databases or ()):
        return []
    if connection.vendor == "postgresql":
        return list(_unseen_keys(connection))
    if connection.vendor != "mysql":
        return []
    return [*_too_old(connection), *_stale_reads(connection)]


@checks.register(checks.Tags.database)
def check_left_behind(
    app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any
) -> Found:
    """W006: no messages are in tables that the router leads past."""
    from negin_sms.models import Message

    ours = router.db_for_write(Message)
    return [
        checks.Warning(
            f'The database "{alias}" has messages that "{ours}" does not have: nobody '
            "sends what waits there, and its idempotency keys are not known any more.",
            hint="Stop what sends and queues, and take the rows along "
            '("A database of its own" in docs/howto/databases.rst).',
            id="negin_sms.W006",
        )
        for alias in databases or ()
        if alias != ours and _has_other_messages(alias, ours)
    ]


def _has_other_messages(alias: str, ours: str) -> bool:
    """Return whether a database has rows of its own: a replica has the same."""
    from negin_sms.models import Message

    def has_table(alias: str) -> bool:
        tables = connections[alias].introspection.table_names()
        return Message._meta.db_table in tables

    try:
        rows = Message.objects.using(alias).order_by("-pk").values("pk", "created_at")
        newest = rows.first() if has_table(alias) else None
        if newest is None:
            return False
        same = Message.objects.using(ours).filter(**newest)
        return not (has_table(ours) and same.exists())
    except DatabaseError:
        return False  # not to be read now: nothing that is known


def _shifting_zone() -> Iterable[checks.CheckMessage]:
    """Find a database whose columns hold a local time that jumps."""
    from negin_sms.models import Message

    connection = connections[router.db_for_write(Message)]
    zone = connection.timezone
    if connection.features.supports_timezones or zone is None:
        return
    year = datetime.now(zone).year
    if len({datetime(year, m, 1, tzinfo=zone).utcoffset() for m in range(1, 13)}) > 1:
        yield checks.Error(
            "The time zone of the SMS messages' database has summer time: an hour a "
            "year is there twice, and what is due then is sent an hour early or late.",
            hint=f'Leave "TIME_ZONE" out of DATABASES["{connection.alias}"], or give '
            "the app a database of its own (docs/howto/databases.rst).",
            id="negin_sms.E002",
        )


def _too_old(connection: Any) -> Iterable[checks.CheckMessage]:
    oldest = _OLDEST[connection.mysql_is_mariadb]
    if connection.mysql_version < oldest:
        name = "MariaDB" if connection.mysql_is_mariadb else "MySQL"
        yield checks.Error(
            f"{name} {'.'.join(map(str, oldest))} or newer is needed: older ones "
            "have no SKIP LOCKED.",
            hint="Upgrade the server, or use PostgreSQL.",
            id="negin_sms.E004",
        )


def _unseen_keys(connection: Any) -> Iterable[checks.CheckMessage]:
    # Psycopg's own numbers: 1 and 2 are READ UNCOMMITTED and READ COMMITTED.
    level = connection.settings_dict.get("OPTIONS", {}).get("isolation_level")
    # Any other value is Django's to refuse.
    if isinstance(level, int) and level > 2:
        yield checks.Warning(
            "Above READ COMMITTED a transaction does not see whose idempotency key it "
            "meets: an IntegrityError comes instead of the message that has it.",
            hint=f'Leave "isolation_level" out of DATABASES["{connection.alias}"]'
            '["OPTIONS"], or run such a transaction again.',
            id="negin_sms.W003",
        )


def _stale_reads(connection: Any) -> Iterable[checks.CheckMessage]:
    options = connection.settings_dict.get("OPTIONS", {})
    # None leaves it to the server, whose own default is REPEATABLE READ.
    level = str(options.get("isolation_level", "read committed")).lower()
    if level not in ("read committed", "read uncommitted"):
        yield checks.Error(
            "MariaDB and MySQL must run at READ COMMITTED: above it a claim reads "
            "rows as they were.",
            hint=f'Leave "isolation_level" out of DATABASES["{connection.alias}"]'
            '["OPTIONS"]: Django\'s default is "read committed".',
            id="negin_sms.E004",
        )
