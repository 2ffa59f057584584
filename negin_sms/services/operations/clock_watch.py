"""A clock that jumped is said before anything expires by it.

What has expired is never sent, so a database whose clock is days ahead for one run
would end the whole queue. The last heartbeat tells when such a run was last: when that
is long ago, either nothing ran, or the clock is wrong. Nobody can tell which, so it is
said, and expiring waits for a while.
"""

from __future__ import annotations

import logging
import time

from django.db.models import Max

from negin_sms.models import AccountState
from negin_sms.querysets import database_now
from negin_sms.services.heartbeat import Heartbeat

logger = logging.getLogger("negin_sms")

_JUMP = 3600.0  # s
_WAIT = 600.0  # s


class ClockWatch:
    """Doubts the database's clock, for one run that leaves a heartbeat."""

    def __init__(self, sign: Heartbeat, using: str) -> None:
        self._sign = sign
        self._using = using
        self._doubted_until = 0.0

    def is_doubtful(self) -> bool:
        """Return whether the clock may have jumped; say so once."""
        if time.monotonic() < self._doubted_until:
            return True
        rows = AccountState.objects.using(self._using)
        seen_at = rows.aggregate(last=Max(self._sign))["last"]
        now = database_now(self._using)
        if seen_at is None or (now - seen_at).total_seconds() < _JUMP:
            return False
        logger.error(
            "The database's clock says %s UTC, and the last run was at %s UTC. If the "
            "clock is wrong, stop the dispatchers now: in %d minutes SMS expire by it",
            f"{now:%Y-%m-%d %H:%M:%S}",
            f"{seen_at:%Y-%m-%d %H:%M:%S}",
            _WAIT / 60,
        )
        self._doubted_until = time.monotonic() + _WAIT
        return True
