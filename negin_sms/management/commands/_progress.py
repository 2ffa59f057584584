"""A bar on a terminal, silence in cron."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm


@contextlib.contextmanager
def bar(*, total: int | None, unit: str, hidden: bool) -> Iterator[tqdm[Any]]:
    """Give a tqdm bar on standard error; it draws nothing where that is a pipe."""
    from tqdm import tqdm

    drawn: tqdm[Any] = tqdm(
        total=total,
        unit=unit,
        unit_scale=False,
        file=sys.stderr,
        disable=True if hidden else None,
        leave=False,
        dynamic_ncols=True,
    )
    with drawn:
        yield drawn
