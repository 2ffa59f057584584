"""The poller against a bare loop that only fetches and parses the same answers.

python -m benchmarks.poll sqlite
python -m benchmarks.poll postgres://postgres@127.0.0.1:5432/x --messages 100000
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import local
from typing import Any

import requests

from benchmarks.gateway import serving
from benchmarks.project import peak_megabytes, project


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("database", help="a server's URL, or: sqlite")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    given = parser.parse_args()
    with (
        serving(given.latency) as url,
        project(given.database, url, WORKERS=given.workers),
    ):
        ids = fill(given.messages)
        bare = fetch_and_parse(url, ids, given.workers)
        took, grown, report = poll()
    rate, bare_rate = given.messages / took, given.messages / bare
    print(f"{given.database.partition(':')[0]}: {given.messages} messages due")
    print(f"asked {report.asked}, settled {report.settled}, changed {report.changed}")
    print(
        f"{rate:,.0f} states/s; bare loop {bare_rate:,.0f}; ratio {rate / bare_rate:.2f}"
    )
    print(f"memory grew by {grown:.0f} MB")


def fill(count: int) -> list[str]:
    from django.utils import timezone

    from negin_sms.models import Message

    now = timezone.now()
    names = ("created_at", "begins_at", "due_at", "finished_at", "poll_at")
    times = dict.fromkeys(names, now)
    times["expires_at"] = now + timedelta(days=1)
    wish = {"mobile": "+989395213300", "text": "x" * 70, "line": "9830003300"}
    ids = [str(800_000_000 + number) for number in range(count)]
    for start in range(0, count, 1000):
        Message.objects.bulk_create(
            Message(**wish, **times, status="accepted", gateway_id=one)
            for one in ids[start : start + 1000]
        )
    return ids


def fetch_and_parse(url: str, ids: list[str], workers: int) -> float:
    """Ask for the same ids in as many threads; return the seconds."""
    chunks = [ids[start : start + 100] for start in range(0, len(ids), 100)]
    own = local()

    def fetch(chunk: list[str]) -> dict[str, int]:
        if not hasattr(own, "session"):
            own.session = requests.Session()
        form = {"username": "user", "password": "secret"}
        answer = own.session.post(
            url + "/wsStates.ashx", data={**form, "message_ids": ",".join(chunk)}
        )
        data = answer.json()["data"]
        pairs = zip(data["msgIds"].split(","), data["states"].split(","), strict=True)
        return {key: int(code) for key, code in pairs}

    started = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        known = sum(map(len, pool.map(fetch, chunks)))
    assert known == len(ids)
    return time.perf_counter() - started


def poll() -> tuple[float, float, Any]:
    """Poll everything; return seconds, growth of memory in MB, and the report."""
    from negin_sms import services

    before = peak_megabytes()
    started = time.perf_counter()
    report = services.poll_states()
    return time.perf_counter() - started, peak_megabytes() - before, report


if __name__ == "__main__":
    main()
