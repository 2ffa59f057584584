"""System checks. An error is for what cannot work; ids stay for life.

E001 settings, E002 time zones, E003 SQLite, E004 MariaDB and MySQL, E005 development
gateways in production, E006 wakers, E007 alerts, W001 the password travels in the
open, W002 a waker that leaves the work to the request, W003 transactions that see too
little, W004 no line, W005 no Celery app, W006 messages in another database, I001 the
brakes. E008 is contrib's.
"""

from __future__ import annotations

from django.core import checks

from .accounts import (
    check_alerts,
    check_brakes,
    check_celery_app,
    check_console,
    check_deployment,
    check_encryption,
    check_lines,
    check_settings,
    check_task_backend,
    check_wakers,
)
from .databases import (
    check_databases,
    check_left_behind,
    check_sqlite,
    check_time_zone,
)

__all__ = [
    "check_alerts",
    "check_brakes",
    "check_celery_app",
    "check_console",
    "check_databases",
    "check_deployment",
    "check_encryption",
    "check_left_behind",
    "check_lines",
    "check_settings",
    "check_sqlite",
    "check_task_backend",
    "check_time_zone",
    "check_wakers",
    "register_all",
]


def register_all() -> None:
    """Register every check of this package."""
    checks.register(check_settings, "negin_sms")
    checks.register(check_time_zone, "negin_sms")
    checks.register(check_encryption, checks.Tags.security, "negin_sms")
    checks.register(check_databases, checks.Tags.database)
    checks.register(check_left_behind, checks.Tags.database)
    checks.register(check_sqlite, "negin_sms")
    checks.register(check_wakers, "negin_sms")
    checks.register(check_celery_app, "negin_sms")
    checks.register(check_console, checks.Tags.security, "negin_sms")
    checks.register(check_alerts, "negin_sms")
    checks.register(check_deployment, "negin_sms", deploy=True)
    checks.register(check_brakes, "negin_sms", deploy=True)
    checks.register(check_lines, "negin_sms", deploy=True)
    checks.register(check_task_backend, "negin_sms", deploy=True)
