"""What every dispatcher and every poller does for all, beside its own work."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable

from negin_sms.services.heartbeat import Heartbeat, heartbeat
from negin_sms.services.operations import alerts
from negin_sms.services.operations.retention import redaction
from negin_sms.services.outbox import claims
from negin_sms.services.outbox.gate import caps

from .clock_watch import ClockWatch

_SWEEP_EVERY = 5.0
_HEARTBEAT_EVERY = 30.0
_ALERT_EVERY = 60.0


class Maintenance:
    """Expires the claims of crashed workers and overdue messages; notes a heartbeat.

    Made for one run; ``run`` may be called as often as the work allows.
    """

    def __init__(
        self, aliases: Iterable[str], column: Heartbeat, *, using: str
    ) -> None:
        self._aliases = tuple(aliases)
        self._column = column
        self._using = using
        self._clock = ClockWatch(column, using)
        self._swept_at = self._seen_at = self._alerted_at = -math.inf
        self.alerts: list[str] = []  # what this run was the first to tell

    def run(self) -> Counter[str]:
        """Do what is due of it; return the ``expired_claims`` and the ``expired``."""
        done: Counter[str] = Counter()
        now = time.monotonic()
        if now - self._swept_at >= _SWEEP_EVERY:
            self._swept_at = now
            done["expired_claims"] = claims.expire_claims()
            if not self._clock.is_doubtful():
                done["expired"] = claims.expire_overdue(using=self._using)
            caps.forget_old(self._using)
        if now - self._seen_at >= _HEARTBEAT_EVERY:
            self._seen_at = now
            redaction.redact_sensitive_texts()
            for alias in self._aliases:
                heartbeat(alias, self._column, using=self._using)
        if now - self._alerted_at >= _ALERT_EVERY:
            self._alerted_at = now
            self.alerts += alerts.alert(using=self._using)
        return done
