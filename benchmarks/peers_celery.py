"""One Celery task a message: real workers, Redis, a row read and written by each.

The workers are warm and idle when the time begins: the tasks lie in a queue of their
own, which they are told to consume then. Threads (``-P threads``), as the others have,
since a process a request would not fit the machine; acknowledged when taken, results
ignored, connections to the database kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable

import redis
from celery import Celery

from benchmarks import bare

BROKER = os.environ.get("PEERS_BROKER", "redis://127.0.0.1:6379")
NAME = os.environ.setdefault("PEERS_QUEUE", f"bench-{uuid.uuid4().hex[:8]}")
IDLE = f"{NAME}.idle"

app = Celery("benchmarks", broker=BROKER)
app.conf.update(
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"global_keyprefix": f"{NAME}."},
    task_default_queue=NAME,
)
_posts: dict[str, bare.Post] = {}


@app.task
def send(key: int, url: str) -> None:
    from negin_sms.models import Message

    post = _posts.get(url) or _posts.setdefault(url, bare.session_post(url, False))
    row = Message.objects.filter(pk=key)
    mobile, text = row.values_list("mobile", "text").get()
    gateway_id = post(mobile.removeprefix("+"), text)
    row.update(status="accepted", gateway_id=gateway_id)


class Workers:
    """Worker processes that wait for their queue; ``with Workers(...) as workers``."""

    def __init__(self, workers: int, processes: int) -> None:
        self._commands = [
            [
                *(
                    sys.executable,
                    "-W",
                    "ignore",
                    "-m",
                    "celery",
                    "-A",
                    "benchmarks.peers_celery",
                ),
                *("worker", "-P", "threads", "-c", str(workers), "-Q", IDLE),
                *("-n", f"{NAME}-{number}@%h", "-l", "ERROR", "--without-gossip"),
                "--without-mingle",
            ]
            for number in range(processes)
        ]

    def __enter__(self) -> Workers:
        self._all = [
            subprocess.Popen(command, stdout=subprocess.DEVNULL)
            for command in self._commands
        ]
        until(lambda: len(app.control.ping(timeout=0.5)) == len(self._all))
        return self

    def __exit__(self, *exc: object) -> None:
        for process in self._all:
            process.terminate()
        for process in self._all:
            process.wait()
        broker = redis.Redis.from_url(BROKER)
        for key in broker.scan_iter(match=f"{NAME}.*"):
            broker.delete(key)

    def send(self, count: int) -> None:
        """Let them consume what ``fill`` has put into the queue."""
        from negin_sms.models import Message

        accepted = Message.objects.filter(status="accepted")
        app.control.add_consumer(NAME, reply=True, limit=len(self._all), timeout=5)
        until(lambda: accepted.count() == count)
        app.control.cancel_consumer(NAME, reply=True, limit=len(self._all), timeout=5)


def fill(url: str) -> None:
    """Put a task for each queued message into the queue."""
    from negin_sms.models import Message

    with app.producer_pool.acquire(block=True) as producer:
        for key in Message.objects.order_by("pk").values_list("pk", flat=True):
            send.apply_async((key, url), producer=producer)


def until(done: Callable[[], bool], patience: float = 120.0) -> None:
    end = time.monotonic() + patience
    while not done():
        assert time.monotonic() < end
        time.sleep(0.02)
