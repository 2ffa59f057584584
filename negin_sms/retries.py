"""When to try or ask again. Pure numbers, so that waiting is tested without it."""

from __future__ import annotations

import random
from collections.abc import Sequence

_FIRST_RETRY = 2.0
_LONGEST_RETRY = 300.0
_THROTTLE = 5.0
_LONGEST_THROTTLE = 300.0
# The last poll stays under 24 h, when the gateway forgets its ids.
_LONGEST_SPREAD = 900.0

# Pauses after five requests in a row without a valid answer, and after a refusal
# of the account itself (credit, password): first and longest, in seconds.
_OUTAGE_PAUSE = (30.0, 900.0)
_ACCOUNT_PAUSE = (900.0, 3600.0)

POLL_RETRY = 5.0
_LONGEST_POLL_RETRY = 900.0


def retry_delay(attempt: int, *, chance: float | None = None) -> float:
    """Return the seconds until a message that was surely not sent is tried again.

    2 s, doubling to 5 min, spread by a quarter either way so that a queue that
    failed together does not come back together.
    """
    delay = _doubled(_FIRST_RETRY, _LONGEST_RETRY, attempt - 1)
    return delay * (0.75 + 0.5 * _draw(chance))


def throttle_delay(retry_after: float | None, *, chance: float | None = None) -> float:
    """Return the seconds to leave a gateway alone that asked for patience.

    5 s, or what Retry-After says up to 5 min; never earlier than that.
    """
    delay = min(max(retry_after or 0.0, _THROTTLE), _LONGEST_THROTTLE)
    return delay * (1 + 0.2 * _draw(chance))


def outage_pause(level: int) -> float:
    """Return the seconds of the pause after the level-th broken streak (from 0)."""
    return _doubled(*_OUTAGE_PAUSE, level)


def account_pause(level: int) -> float:
    """Return the seconds of the pause after the level-th account refusal."""
    return _doubled(*_ACCOUNT_PAUSE, level)


def poll_backoff(failures: int) -> float:
    """Return the seconds until states are asked for again after failed turns in a row.

    5 s, doubling to 15 min.
    """
    return _doubled(POLL_RETRY, _LONGEST_POLL_RETRY, failures - 1)


def next_poll_age(
    age: float, schedule: Sequence[float], *, chance: float | None = None
) -> float | None:
    """Return the age at which to ask next, all in seconds since acceptance.

    The next entry of the schedule above the message's age, made later by up to a
    tenth of the step (15 min at the most) so that a batch spreads; None when the
    schedule is over.
    """
    previous = 0.0
    for step in schedule:
        if step > age:
            spread = min(0.1 * (step - previous), _LONGEST_SPREAD)
            return step + spread * _draw(chance)
        previous = step
    return None


def _doubled(first: float, longest: float, times: int) -> float:
    return min(first * 2.0 ** min(max(times, 0), 32), longest)


def _draw(chance: float | None) -> float:
    return random.random() if chance is None else chance  # noqa: S311 - no secret
