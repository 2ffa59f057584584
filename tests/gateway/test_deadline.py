"""How far a request got, and the watchdog that ends it, on real sockets."""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from negin_sms.gateway import client
from negin_sms.gateway.deadline import Exchange, TooLate, Watchdog
from tests.badgateway import in_child, wait_until

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Return our end and the far end of a connection."""
    ours, far = socket.socketpair()
    ours.settimeout(5)
    with ours, far:
        yield ours, far


def exchange(seconds: float = 60.0, start_by: float = math.inf) -> Exchange:
    return Exchange(
        deadline=time.monotonic() + seconds, start_by=start_by, connect_within=5
    )


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))


class TestStartWriting:
    def test_notes_the_first_byte(self):
        ours = exchange()
        ours.start_writing()
        assert ours.wrote

    @pytest.mark.parametrize(
        "late",
        [exchange(-1), exchange(start_by=time.monotonic() - 1)],
        ids=["deadline", "start_by"],
    )
    def test_refuses_what_is_too_late(self, late: Exchange):
        with pytest.raises(TooLate):
            late.start_writing()
        assert not late.wrote

    def test_refuses_what_the_watchdog_has_ended(self):
        ours = exchange()
        ours.expire()
        with pytest.raises(TooLate):
            ours.start_writing()

    def test_later_bytes_are_never_refused(self):
        ours = exchange()
        ours.start_writing()
        ours.deadline = ours.start_by = 0
        ours.start_writing()
        assert ours.wrote


class TestHandle:
    def test_expiry_wakes_whoever_reads(self, pair: Pair):
        ours, _far = pair
        held = exchange()
        held.attach(ours)
        timer = threading.Timer(0.05, held.expire)
        timer.start()
        assert ours.recv(1) == b""
        timer.join()
        held.close()

    def test_expiry_reaches_a_socket_that_was_taken_over(self, pair: Pair):
        # As ssl does with it: the object attached is empty from then on.
        ours, far = pair
        held = exchange()
        held.attach(ours)
        with socket.socket(fileno=ours.detach()):
            held.expire()
            assert far.recv(1) == b""
        held.close()

    def test_socket_attached_after_expiry_is_shut_at_once(self, pair: Pair):
        ours, far = pair
        late = exchange()
        late.expire()
        late.attach(ours)
        assert far.recv(1) == b""
        late.close()

    def test_closed_handle_leaves_the_connection_alone(self, pair: Pair):
        ours, far = pair
        held = exchange()
        held.attach(ours)
        held.close()
        held.expire()
        ours.sendall(b"x")
        assert far.recv(1) == b"x"

    def test_no_descriptor_is_left_over(self, pair: Pair):
        before = descriptors()
        held = exchange()
        for sock in (*pair, *pair):
            held.attach(sock)
        assert descriptors() == before + 1
        held.close()
        assert descriptors() == before


class TestWatchdog:
    def test_ends_an_exchange_at_its_deadline(self, pair: Pair):
        ours, _far = pair
        held = exchange(0.1)
        held.attach(ours)
        Watchdog().watch(held)
        started = time.monotonic()
        assert ours.recv(1) == b""
        assert 0.05 < time.monotonic() - started < 1
        assert held.expired
        held.close()

    def test_an_earlier_deadline_that_comes_later_is_kept(self):
        watchdog = Watchdog()
        slow, quick = exchange(60), exchange(0.1)
        watchdog.watch(slow)
        time.sleep(0.05)  # the thread waits for the slow one by now
        watchdog.watch(quick)
        wait_until(lambda: quick.expired, 2)
        assert not slow.expired

    def test_many_deadlines_in_any_order(self):
        watchdog = Watchdog()
        held = [exchange(seconds / 100) for seconds in (9, 2, 7, 1, 12, 4)]
        for one in held:
            watchdog.watch(one)
        wait_until(lambda: all(one.expired for one in held), 2)

    def test_leaves_alone_what_was_released(self):
        watchdog = Watchdog()
        forgotten, held = exchange(0.05), exchange(0.1)
        watchdog.watch(forgotten)
        watchdog.watch(held)
        watchdog.forget(forgotten)
        wait_until(lambda: held.expired, 2)
        assert not forgotten.expired

    def test_one_thread_for_all(self):
        watchdog = Watchdog()
        before = threading.active_count()
        for _ in range(20):
            watchdog.watch(exchange())
        assert threading.active_count() == before + 1

    @pytest.mark.skipif(
        not hasattr(time, "pthread_getcpuclockid"), reason="no clock for a thread"
    )
    def test_thread_does_nothing_while_it_waits(self):
        watchdog = Watchdog()
        ended = exchange(0.02)
        watchdog.watch(ended)
        watchdog.watch(exchange(60))
        wait_until(lambda: ended.expired, 2)
        assert watchdog._thread is not None
        clock = time.pthread_getcpuclockid(watchdog._thread.ident or 0)
        before = time.clock_gettime(clock)
        time.sleep(0.2)
        assert time.clock_gettime(clock) - before < 0.02

    def test_without_a_thread_nothing_is_watched(self, monkeypatch):
        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        watchdog = Watchdog()
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(OSError, match="no thread"):
                watchdog.watch(exchange(60))
        held = exchange(0.02)
        watchdog.watch(held)
        wait_until(lambda: held.expired, 2)

    def test_child_process_gets_its_own(self):
        client.watchdog.watch(exchange())  # so that the parent's thread runs

        def child() -> str:
            assert client.watchdog._thread is None
            held = exchange(0.05)
            client.watchdog.watch(held)
            wait_until(lambda: held.expired, 2)
            return "expired"

        assert in_child(child) == "expired"

    def test_fork_while_its_lock_is_held(self):
        def child() -> str:
            held = exchange(0.05)
            client.watchdog.watch(held)
            wait_until(lambda: held.expired, 2)
            return "expired"

        with client.watchdog._changed:
            assert in_child(child) == "expired"
