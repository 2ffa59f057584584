"""Bare loops that post the same messages: what the dispatcher is measured against."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import requests
import urllib3

SEND = "/wsSend.ashx"
ACCOUNT = {"username": "user", "password": "secret", "line": "9830003300"}
MOBILE, TEXT = "989395213300", "x" * 70

Post = Callable[[str, str], Any]


def run(post: Post, messages: int, workers: int) -> None:
    """Post so many messages from so many threads."""
    jobs: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(messages):
        jobs.put(number)

    def work() -> None:
        for _job in until_empty(jobs):
            post(MOBILE, TEXT)

    threads = [threading.Thread(target=work) for _ in range(workers)]
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


def form_of(mobile: str, text: str) -> dict[str, str]:
    return {**ACCOUNT, "mobile": mobile, "message": text}


def session_post(url: str, trust_env: bool) -> Post:
    """Return a function that posts one message by the session of its thread.

    With ``trust_env``, as a session has it unless told otherwise, each request looks
    for proxies in the environment and for a .netrc; the app never does.
    """
    own = threading.local()

    def post(mobile: str, text: str) -> Any:
        if not hasattr(own, "session"):
            own.session = requests.Session()
            own.session.trust_env = trust_env
        data = form_of(mobile, text)
        answer = own.session.post(url + SEND, data=data, timeout=(5, 20)).json()
        assert answer["status"] == -1
        return answer["data"]["message_id"]

    return post


def urllib3_post(url: str, workers: int) -> Post:
    pool = urllib3.PoolManager(maxsize=workers)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    def post(mobile: str, text: str) -> Any:
        body = urlencode(form_of(mobile, text))
        answer = pool.request("POST", url + SEND, body=body, headers=headers).json()
        assert answer["status"] == -1
        return answer["data"]["message_id"]

    return post


MEASURED = """
{code}
import os
print("ready", flush=True)
input()
before = sum(os.times()[:4])
{line}
print(sum(os.times()[:4]) - before, flush=True)
"""


class Processes:
    """Processes that run a line together, each ready before it is timed."""

    def __init__(self, code: str, line: str, count: int) -> None:
        self._all = [
            subprocess.Popen(
                [sys.executable, "-c", MEASURED.format(code=code, line=line)],
                env=dict(os.environ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(count)
        ]
        assert self._lines() == ["ready"] * count

    def go(self) -> float:
        """Let them go, and wait until all are through; their own ends take no time.

        Return the processor seconds that they, and what they started, have spent.
        """
        for process in self._all:
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.flush()
        return sum(map(float, self._lines()))

    def _lines(self) -> list[str]:
        """Read one line of each."""
        return [each.stdout.readline().strip() for each in self._all if each.stdout]
