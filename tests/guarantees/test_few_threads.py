"""A machine that gives few threads, or none: pids.max, TasksMax, RLIMIT_NPROC.

An ordinary user with a limit of its own, which does not hold for root. Started again
and again, as systemd does, the dispatcher sends what it can and burns nothing.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.badgateway import BadGateway
from tests.chaos import PATIENT, Chaos, reap

pytestmark = [
    pytest.mark.chaos(seconds=30),
    pytest.mark.skipif(
        not hasattr(os, "geteuid") or os.geteuid() != 0,
        reason="only root can become a user whom nobody else is",
    ),
]

USERS = range(20_000, 60_000)  # neither people nor those of systemd
STARTS = 10
EACH = 15  # messages, in each of two accounts


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's: those are closed to everybody but their owner.
    made = Path(tempfile.mkdtemp(prefix="negin-sms-"))
    yield made
    reap()
    shutil.rmtree(made)


@pytest.mark.parametrize("threads", [0, 1, 2, 3, 5, 12])
def test_dispatcher_sends_what_it_can_and_burns_nothing(folder, threads):
    account = {**PATIENT, "STATE_DIR": str(folder / "state")}
    env = {"CHAOS_ALSO": "other"}
    with BadGateway(latency=0.02) as gateway:
        database = f"sqlite:///{folder}/database.sqlite3"
        chaos = Chaos(database, gateway, env, **account)
        chaos.do("queue_for_all", count=EACH)
        chaos.do(
            "dispatch_with_few_threads",
            threads=threads,
            times=STARTS,
            # The limit counts all that a user runs, other tests at this moment too.
            user=random.choice(USERS),
            folder=str(folder),
        )
        rows = chaos.do("dump")
        # It takes one to work and one to watch the time; the first went as root.
        sent = 2 * EACH if threads >= 2 else 1
        statuses = Counter(row["status"] for row in rows)
        assert statuses == +Counter(accepted=sent, queued=2 * EACH - sent)
        assert len(gateway.journal) == len(gateway.ids) == sent
    attempts = {row["attempts"] for row in rows if row["status"] == "queued"}
    assert attempts <= {0}
