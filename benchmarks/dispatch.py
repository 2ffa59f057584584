"""The dispatcher against bare loops that post the same messages.

    python -m benchmarks.dispatch sqlite --workers 16
    python -m benchmarks.dispatch postgres://postgres@127.0.0.1:5432/x --latency 0.05

Prints messages a second, side by side: a loop of requests.Session().post in as many
threads, urllib3 alone, and ours; best of several rounds, in turns. ``--processes``
runs ours in so many processes as well.
"""

from __future__ import annotations

import argparse
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import requests
import urllib3

from benchmarks.gateway import serving
from benchmarks.project import project

FORM = {
    "username": "user",
    "password": "secret",
    "mobile": "989395213300",
    "line": "9830003300",
    "message": "x" * 70,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("database", help="a server's URL, or: sqlite")
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with (
        serving(given.latency) as url,
        project(given.database, url, WORKERS=given.workers),
    ):
        ways: dict[str, Callable[[], None]] = {
            "requests.Session": lambda: loop(session_post(url), given),
            "urllib3": lambda: loop(urllib3_post(url, given.workers), given),
            "dispatch_queue": lambda: dispatch(given.messages),
        }
        if given.processes > 1:
            ways[f"dispatch_queue, {given.processes} processes"] = lambda: together(
                given.processes
            )
        best = dict.fromkeys(ways, 0.0)
        for _round in range(given.rounds):
            for name, way in ways.items():
                best[name] = max(best[name], rate(name, way, given.messages))
    bare = best["requests.Session"]
    print(
        f"{given.database.partition(':')[0]}, {given.messages} messages, "
        f"{given.workers} workers, {given.latency * 1000:g} ms"
    )
    for name, each in best.items():
        print(f"  {name:32} {each:8,.0f}/s  {each / bare:.2f}")


def rate(name: str, way: Callable[[], None], messages: int) -> float:
    if name.startswith("dispatch"):
        fill(messages)
    started = time.perf_counter()
    way()
    return messages / (time.perf_counter() - started)


def fill(count: int) -> None:
    from negin_sms import services
    from negin_sms.models import Message

    Message.objects.all().delete()
    services.queue_many([{"mobile": "09395213300", "text": "x" * 70}] * count)


def dispatch(count: int) -> None:
    from negin_sms import services

    report = services.dispatch_queue()
    assert report.accepted == count, report


def together(processes: int) -> None:
    """Dispatch in several processes, each with the settings of this one."""
    code = (
        "import django; django.setup(); from negin_sms import services; "
        "services.dispatch_queue()"
    )
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(processes)]
    assert all(process.wait() == 0 for process in running)


def loop(post: Callable[[], None], given: argparse.Namespace) -> None:
    """Post so many messages from so many threads."""
    jobs: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(given.messages):
        jobs.put(number)

    def work() -> None:
        for _job in until_empty(jobs):
            post()

    threads = [threading.Thread(target=work) for _ in range(given.workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def until_empty(jobs: queue.SimpleQueue[int]) -> Iterator[int]:
    while True:
        try:
            yield jobs.get_nowait()
        except queue.Empty:
            return


def session_post(url: str) -> Callable[[], None]:
    own = threading.local()

    def post() -> None:
        if not hasattr(own, "session"):
            own.session = requests.Session()
        answer = own.session.post(f"{url}/wsSend.ashx", data=FORM, timeout=(5, 20))
        assert answer.json()["status"] == -1

    return post


def urllib3_post(url: str, workers: int) -> Callable[[], None]:
    pool = urllib3.PoolManager(maxsize=workers)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    def post() -> None:
        answer = pool.request(
            "POST", f"{url}/wsSend.ashx", body=urlencode(FORM), headers=headers
        )
        assert answer.json()["status"] == -1

    return post


if __name__ == "__main__":
    main()
