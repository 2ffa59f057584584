"""Ids that the stand-in gateways give: no restart gives one again."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator


def new_ids() -> Iterator[str]:
    """Give ids that begin with the time in microseconds.

    No gateway takes less than a microsecond for a message, so a later start is beyond
    all that an earlier one gave; and all are beyond the codes that look like ids.
    """
    return map(str, itertools.count(time.time_ns() // 1000))
