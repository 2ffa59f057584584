from __future__ import annotations

import threading
import time

from negin_sms.services.dispatch.worker_pool import ResultQueue, WorkerPool


def test_results_arrive_and_threads_end():
    others = {*threading.enumerate()}
    results: ResultQueue[int] = ResultQueue()
    pool: WorkerPool[int, int] = WorkerPool(3, lambda job: job * 2, results)
    for wanted, there in ((2, 2), (9, 3)):
        pool.start(wanted)
        assert len({*threading.enumerate()} - others) == there
    for job in range(10):
        pool.submit(job)
    assert sorted(results.collect(enough=10, patience=5)) == list(range(0, 20, 2))
    pool.close()
    assert not {*threading.enumerate()} - others


def test_what_no_thread_has_begun_is_taken_back():
    results: ResultQueue[int] = ResultQueue()
    go = threading.Event()

    def work(job: int) -> int:
        go.wait(5)
        return job

    pool: WorkerPool[int, int] = WorkerPool(1, work, results)
    pool.start(1)
    for job in range(4):
        pool.submit(job)
    time.sleep(0.1)
    assert pool.withdraw() == [1, 2, 3]
    go.set()
    pool.close()
    assert results.collect(enough=1, patience=1) == [0]


def test_thread_that_hangs_is_not_waited_for():
    go = threading.Event()
    pool: WorkerPool[int, bool] = WorkerPool(1, go.wait, ResultQueue())
    pool.start(1)
    pool.submit(60)
    pool.close(wait=False)
    go.set()


def test_waiting_ends_with_its_patience():
    started = time.monotonic()
    results: ResultQueue[int] = ResultQueue()
    assert results.collect(enough=2, patience=0.1) == []
    assert 0.1 <= time.monotonic() - started < 2


def test_more_than_enough_is_taken_along():
    results: ResultQueue[int] = ResultQueue()
    for number in range(5):
        results.put(number)
    assert results.collect(enough=1, patience=1) == [0, 1, 2, 3, 4]


def test_collector_is_woken_once_there_are_enough():
    results: ResultQueue[int] = ResultQueue()
    threads = [threading.Timer(0.05 * n, results.put, [n]) for n in range(1, 4)]
    for thread in threads:
        thread.start()
    assert results.collect(enough=3, patience=5) == [1, 2, 3]
