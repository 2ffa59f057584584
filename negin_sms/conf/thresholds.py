"""From where on something is a finding, by the finding's code.

A count of messages, a share of them (from 0 to 1) or seconds; None for never.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from .readers import Unfit

Pairs = tuple[tuple[str, float | None], ...]

MINUTE, DAY = 60.0, 86_400.0
THRESHOLDS: Mapping[str, float | None] = {
    "paused": 30.0,  # how long a pause lasts at least; throttling ends sooner
    "no_dispatcher": 5 * MINUTE,
    "dispatcher_late": 5 * MINUTE,
    "no_poller": 5 * MINUTE,
    "reports_late": 15 * MINUTE,
    "states_refused": 3.0,
    "other_gateway": 1.0,
    "no_journal": 1.0,
    "switched_off": 5 * MINUTE,
    "uncertain": 1.0,
    "held": 1.0,
    "server_changed": 1.0,
    "rejected": 0.2,  # of those of the last hour, and at least 5
    "expired": 0.2,
    "flagged": 1.0,
    "opt_outs": 50.0,  # within the last day
    "account_gone": 1.0,
    "long_lease": MINUTE,
    "drafts_forgotten": 7 * DAY,
    "database_clock": 10.0,
    "time_zone_data": 1.0,
}


SHARES = frozenset({"rejected", "expired"})


def is_threshold(code: str, number: float) -> bool:
    """Return whether a finding can have that limit."""
    return 0 <= number <= 1 if code in SHARES else 0 <= number < float("inf")


def thresholds(value: Any) -> Pairs:
    """Take thresholds by code; the others keep their defaults."""
    if not isinstance(value, dict) or not value.keys() <= THRESHOLDS.keys():
        raise Unfit(f"a dict with keys of: {', '.join(THRESHOLDS)}")
    plain = {code: _plain(number) for code, number in value.items()}
    for code, number in plain.items():
        is_number = isinstance(number, int | float) and not isinstance(number, bool)
        if number is not None and not (is_number and is_threshold(code, number)):
            raise Unfit(
                "a dict of numbers from 0 (or timedelta), of shares up to 1 "
                f"({', '.join(sorted(SHARES))}), or None for never"
            )
    return tuple({**THRESHOLDS, **plain}.items())


def _plain(number: Any) -> Any:
    return number.total_seconds() if isinstance(number, timedelta) else number
