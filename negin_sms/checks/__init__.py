"""System checks. An error is for what cannot work; ids stay for life.

E001 settings, E002 time zones, E003 SQLite, E004 MariaDB and MySQL, E005 development
gateways in production, E006 wakers, E007 alerts, W001 the password travels in the
open, W002 a waker that leaves the work to the request, W003 transactions that see too
little, W004 no line, W005 no Celery app, W006 messages in another database, I001 the
brakes. E008 is contrib's.
"""

from __future__ import annotations

from . import accounts, databases

__all__ = ["accounts", "databases"]  # each registers its own
