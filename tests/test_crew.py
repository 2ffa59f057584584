from __future__ import annotations

import queue
import threading
import time

from negin_sms.services.crew import Crew, collect


def test_results_arrive_and_threads_end():
    results: queue.SimpleQueue[int] = queue.SimpleQueue()
    crew: Crew[int, int] = Crew(3, lambda job: job * 2, results, name="doubling")
    for job in range(10):
        crew.submit(job)
    assert sorted(collect(results, enough=10, patience=5)) == list(range(0, 20, 2))
    crew.close()
    assert not any(t.name.startswith("doubling") for t in threading.enumerate())


def test_what_no_thread_has_begun_is_taken_back():
    results: queue.SimpleQueue[int] = queue.SimpleQueue()
    go = threading.Event()

    def work(job: int) -> int:
        go.wait(5)
        return job

    crew: Crew[int, int] = Crew(1, work, results)
    for job in range(4):
        crew.submit(job)
    time.sleep(0.1)
    assert crew.withdraw() == [1, 2, 3]
    go.set()
    crew.close()
    assert collect(results, enough=1, patience=1) == [0]


def test_waiting_ends_with_its_patience():
    started = time.monotonic()
    assert collect(queue.SimpleQueue(), enough=2, patience=0.1) == []
    assert 0.1 <= time.monotonic() - started < 2


def test_more_than_enough_is_taken_along():
    results: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(5):
        results.put(number)
    assert collect(results, enough=1, patience=1) == [0, 1, 2, 3, 4]
