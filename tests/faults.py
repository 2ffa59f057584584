"""What goes wrong inside a process of the chaos tests, by name: CHAOS_FAULT.

Patched in from here, as the mutants are, so that the product holds no hook for it.
"""
# mypy: disable-error-code="attr-defined, assignment, method-assign"

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any


def write_raises() -> None:
    """Let no result of one account be written; the others' can."""
    from negin_sms.services.outbox import results

    record = results.record

    def fail(ended: Sequence[Any], *, using: str) -> int:
        if any(each.job.account.alias == "default" for each in ended):
            raise RuntimeError("a result cannot be written")
        return record(ended, using=using)

    results.record = fail  # the journal's reader has its own name for it


def threads_up_to(most: int) -> Callable[[], None]:
    def limit() -> None:
        start = threading.Thread.start
        running: list[threading.Thread] = []

        def start_if_there_is_room(thread: threading.Thread) -> None:
            running[:] = [each for each in running if each.is_alive()]
            if len(running) >= most:
                raise RuntimeError("can't start new thread")
            start(thread)
            running.append(thread)

        threading.Thread.start = start_if_there_is_room

    return limit


def gateway_hangs() -> None:
    """Never come back from looking up the gateway's name, whatever the deadline."""
    from negin_sms.gateway.client import NeginGateway

    def hang(self: Any, *args: Any, **kwargs: Any) -> None:
        time.sleep(10_000)

    NeginGateway._open = hang


FAULTS: dict[str, Callable[[], None]] = {
    "write_raises": write_raises,
    "no_thread": threads_up_to(0),
    "one_thread": threads_up_to(1),
    "three_threads": threads_up_to(3),
    "gateway_hangs": gateway_hangs,
}
