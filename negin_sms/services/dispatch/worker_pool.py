"""HTTP worker threads. They get plain jobs, give plain results, see no database."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

J = TypeVar("J")
R = TypeVar("R")


class NoThread(RuntimeError):
    """This machine has no thread left to work with."""


class ResultQueue(Generic[R]):
    """Where workers leave results for one thread that collects them.

    It is woken when there are enough, not for each: every waking is a turn in which
    no worker works.
    """

    def __init__(self) -> None:
        self._results: deque[R] = deque()
        self._enough = 1
        self._are_enough = threading.Event()

    def put(self, result: R) -> None:
        """Leave a result."""
        self._results.append(result)
        if len(self._results) >= self._enough and not self._are_enough.is_set():
            self._are_enough.set()

    def collect(self, *, enough: int, patience: float) -> list[R]:
        """Wait until there are enough, or ``patience`` seconds are over; take all."""
        self._are_enough.clear()
        self._enough = enough
        # Looked at after the order is out: what came before it wakes nobody.
        if len(self._results) < enough:
            self._are_enough.wait(patience)
        return [self._results.popleft() for _ in range(len(self._results))]


class WorkerPool(Generic[J, R]):
    """Some threads that do one kind of work.

    Results arrive in ``results`` in the order in which they are ready; several
    pools may share that queue. ``work`` must not raise.
    """

    def __init__(
        self, size: int, work: Callable[[J], R], results: ResultQueue[R]
    ) -> None:
        self.size = size
        self._work = work
        self._results = results
        self._jobs: queue.SimpleQueue[J | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def start(self, wanted: int) -> None:
        """See to it that so many threads run, ``size`` at most.

        Call it before anything is claimed for them: a machine may have no more
        threads to give. Fewer do the work then; raise NoThread where there is none at
        all.
        """
        while len(self._threads) < min(wanted, self.size):
            name = f"negin-sms-worker-{len(self._threads)}"
            thread = threading.Thread(target=self._run, name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                if not self._threads:
                    raise NoThread(str(error)) from None
                self.size = len(self._threads)
            else:
                self._threads.append(thread)

    def submit(self, job: J) -> None:
        """Hand a job over to the threads that were started."""
        self._jobs.put(job)

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

    def close(self, *, wait: bool = True) -> None:
        """End the threads once they have done what they hold.

        Without ``wait`` they are left to it; a process that ends does not wait either.
        """
        for _thread in self._threads:
            self._jobs.put(None)
        for thread in self._threads if wait else ():
            thread.join()
        self._threads = []

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._results.put(self._work(job))
