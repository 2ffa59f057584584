"""HTTP worker threads. They get plain jobs, give plain results, see no database."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

J = TypeVar("J")
R = TypeVar("R")


class Crew(Generic[J, R]):
    """Some threads that do one kind of work.

    Results arrive in ``results`` in the order in which they are ready; several
    crews may share that queue. ``work`` must not raise.
    """

    def __init__(
        self,
        size: int,
        work: Callable[[J], R],
        results: queue.SimpleQueue[R],
        *,
        name: str = "negin-sms-worker",
    ) -> None:
        self.size = size
        self._work = work
        self._results = results
        self._jobs: queue.SimpleQueue[J | None] = queue.SimpleQueue()
        self._name = name
        self._threads: list[threading.Thread] = []

    def submit(self, job: J) -> None:
        """Hand a job over; threads are started as they are needed."""
        self._jobs.put(job)
        if len(self._threads) < self.size:
            thread = threading.Thread(
                target=self._run, name=f"{self._name}-{len(self._threads)}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def withdraw(self) -> list[J]:
        """Take back the jobs that no thread has begun."""
        withdrawn: list[J] = []
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return withdrawn
            if job is not None:
                withdrawn.append(job)

    def close(self) -> None:
        """End the threads once they have done what they hold."""
        for _thread in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._results.put(self._work(job))


def collect(results: queue.SimpleQueue[R], *, enough: int, patience: float) -> list[R]:
    """Wait for results: until there are enough, or ``patience`` seconds are over.

    Waits for the first one as long as that too; returns what there is.
    """
    give_up_at = time.monotonic() + patience
    found: list[R] = []
    while len(found) < enough:
        try:
            found.append(results.get(timeout=max(0.0, give_up_at - time.monotonic())))
        except queue.Empty:
            break
    while len(found) < 1000:
        try:
            found.append(results.get_nowait())
        except queue.Empty:
            break
    return found
