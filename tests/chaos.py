"""The harness of the chaos tests: a database, a gateway as oracle, mortal processes.

The oracle journals every message before it answers, so it knows what was really
sent; ``verdict`` compares it with the rows. Used by tests/guarantees/test_chaos.py at
the size of CI and by benchmarks/chaos.py at any size.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.badgateway import BadGateway

ROOT = Path(__file__).resolve().parent.parent
ACCOUNT = {
    "USERNAME": "user",
    "PASSWORD": "secret",
    "LINE": "9830003300",
    "CONNECT_TIMEOUT": 1,
    "READ_TIMEOUT": 1,
    "DEADLINE": 1.5,
    "RESULT_RETRY": 1,
    "LEASE": 5,
    "WORKERS": 4,
}
# Where nobody dies and nothing may be uncertain: a busy machine is no fault.
PATIENT: dict[str, Any] = {"READ_TIMEOUT": 10, "DEADLINE": 15, "LEASE": 60}
PATIENCE = 120.0  # s until a test gives up; far beyond what a slow machine needs


def database_urls() -> list[str]:
    """Return the databases to run on: those of TEST_DATABASE_URLS, and SQLite."""
    named = os.environ.get("TEST_DATABASE_URLS", "").split()
    return ["sqlite", *named]


@contextmanager
def fresh_database(url: str, folder: Path) -> Iterator[str]:
    """Make an empty database beside the named one; give its URL."""
    if url == "sqlite":
        yield f"sqlite:///{folder}/{uuid.uuid4().hex}.sqlite3"
        return
    name = f"negin_chaos_{uuid.uuid4().hex[:12]}"
    base = url.rpartition("/")[0]
    _execute(url, f"CREATE DATABASE {name}")
    try:
        yield f"{base}/{name}"
    finally:
        force = " WITH (FORCE)" if url.startswith("postgres") else ""
        _execute(url, f"DROP DATABASE {name}{force}")


def _execute(url: str, sql: str) -> None:
    parts = urlsplit(url)
    place: dict[str, Any] = {
        "host": parts.hostname or "",
        "user": parts.username or "root",
    }
    if url.startswith("postgres"):
        import psycopg

        with psycopg.connect(
            **place, port=parts.port or 5432, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(sql)
        return
    import MySQLdb

    connection = MySQLdb.connect(**place, port=parts.port or 3306)
    try:
        connection.cursor().execute(sql)
    finally:
        connection.close()


_started: list[subprocess.Popen[str]] = []
_folders: list[str] = []


def reap() -> None:
    """End every process that a failed test has left behind; remove their journals."""
    while _started:
        process = _started.pop()
        kill_session(process)
        if process.stdout and not process.stdout.closed:
            process.communicate()
    while _folders:
        shutil.rmtree(_folders.pop(), ignore_errors=True)


def kill_session(process: subprocess.Popen[str]) -> None:
    """SIGKILL all that has come of a process that was spawned."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


class Chaos:
    """One database and one gateway, and the processes between them."""

    def __init__(
        self,
        database: str,
        gateway: BadGateway,
        env: dict[str, str] | None = None,
        **account: Any,
    ) -> None:
        self.database, self.gateway = database, gateway
        # The journals of these processes are no other test's.
        self.state_dir = tempfile.mkdtemp(prefix="negin-sms-chaos-")
        _folders.append(self.state_dir)
        self.account = {**ACCOUNT, "STATE_DIR": self.state_dir, **account}
        self.kills = 0
        self.env = env or {}
        self.do("migrate")

    def start(
        self, command: str, *, env: dict[str, str] | None = None, **arguments: Any
    ) -> subprocess.Popen[str]:
        """Start a process that does one thing."""
        return self.spawn("tests.chaos_worker", command, json.dumps(arguments), env=env)

    def spawn(
        self, *module: str, env: dict[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Run a module on our database and gateway, in a session of its own.

        What it forks is killed with it: see ``kill``.
        """
        account = {**self.account, "BASE_URL": self.gateway.url}
        process = subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=ROOT,
            start_new_session=True,
            env={
                **{
                    k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"
                },
                "CHAOS_DATABASE_URL": self.database,
                "CHAOS_ACCOUNT": json.dumps(account),
                **self.env,
                **(env or {}),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        _started.append(process)
        return process

    def do(
        self, command: str, *, env: dict[str, str] | None = None, **arguments: Any
    ) -> Any:
        """Do one thing in a process of its own and return what it says."""
        out, err = self.start(command, env=env, **arguments).communicate(
            timeout=PATIENCE
        )
        assert out, err
        return json.loads(out)

    def storm(
        self,
        *,
        queued: int,
        processes: int,
        workers: int,
        kills: int,
        mutant: str = "",
        patience: float = 600.0,
    ) -> None:
        """Dispatch until the queue is empty while processes are killed.

        A kill comes whenever another share of the messages has reached the gateway,
        and takes a process that has had the time to be at work.
        """
        env = {"CHAOS_MUTANT": mutant}
        goals = [queued * n // (kills + 2) for n in range(1, kills + 1)]
        give_up_at = time.monotonic() + patience
        running = {
            self.start("dispatch", env=env, workers=workers): time.monotonic()
            for _ in range(processes)
        }
        while running:
            assert time.monotonic() < give_up_at, "the storm does not end"
            for process in [p for p in running if p.poll() is not None]:
                process.communicate()
                del running[process]
            if running and goals and len(self.gateway.journal) >= goals[0]:
                del goals[0]
                victims = sorted(running, key=lambda p: running[p])
                victim = random.choice(victims[: max(1, len(victims) // 2)])
                del running[victim]
                self.kill(victim)
                again = self.start("dispatch", env=env, workers=workers)
                running[again] = time.monotonic()
            time.sleep(0.002)

    def kill(self, process: subprocess.Popen[str]) -> None:
        """SIGKILL a process and its children, unless it has ended by itself."""
        if process.poll() is None:
            self.kills += 1
        kill_session(process)
        process.communicate()

    def settle(self, *, mutant: str = "") -> list[dict[str, Any]]:
        """Let every lease run out, send what came back; give the rows."""
        time.sleep(self.account["LEASE"] + 0.2)
        self.do("dispatch", env={"CHAOS_MUTANT": mutant})  # expires claims first
        rows: list[dict[str, Any]] = self.do("dump")
        return rows

    def sent(self) -> dict[str, list[str]]:
        """Return the texts that the gateway took, each with the ids it gave."""
        taken: dict[str, list[str]] = {}
        for entry in list(self.gateway.journal):
            if entry.gateway_id:
                taken.setdefault(entry.form["message"], []).append(entry.gateway_id)
        return taken

    def verdict(
        self, rows: list[dict[str, Any]], *, queued: int, uncertain_at_most: int
    ) -> list[str]:
        """Return what was broken of the promise, in words; nothing when it held."""
        sent, broken = self.sent(), []
        duplicates = {text: ids for text, ids in sent.items() if len(ids) > 1}
        if duplicates:
            broken.append(f"{len(duplicates)} messages were sent more than once")
        if len(rows) != queued:
            broken.append(f"{queued - len(rows)} rows were lost")
        statuses = Counter(row["status"] for row in rows)
        if open_ones := set(statuses) - {"accepted", "uncertain"}:
            broken.append(f"rows were left as {sorted(open_ones)}")
        if statuses["uncertain"] > uncertain_at_most:
            broken.append(
                f"{statuses['uncertain']} rows are uncertain, {uncertain_at_most} allowed"
            )
        for row in rows:
            if row["status"] == "accepted" and [row["gateway_id"]] != sent.get(
                row["text"]
            ):
                broken.append(
                    f"row {row['pk']} has an id that the gateway did not give"
                )
        return broken
