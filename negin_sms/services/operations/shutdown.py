"""When to stop, as an event: take no more work, finish what is under way."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# What a task of a task queue may take before it lets others have their turn: with the
# requests in flight it ends within the 30 to 90 s that service managers wait.
_SHIFT = 20.0  # s


@contextlib.contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Give an event that is set by SIGTERM and Ctrl-C while the block runs.

    Handlers belong to the main thread; elsewhere the event is only an event.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(signum: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def stop_after(seconds: float | None = None) -> Iterator[threading.Event]:
    """Give an event that is set when the block has run for a shift (20 s)."""
    stop = threading.Event()
    timer = threading.Timer(_SHIFT if seconds is None else seconds, stop.set)
    timer.daemon = True
    timer.start()
    try:
        yield stop
    finally:
        timer.cancel()
