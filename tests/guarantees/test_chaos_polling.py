"""The poller at size: poisoned ids, missing ones, and pollers that die.

Run with ``--chaos``; the databases are SQLite and those of TEST_DATABASE_URLS.
"""

from __future__ import annotations

import random
import signal

import pytest

from negin_sms.choices import FINAL_STATES
from tests.badgateway import BadGateway
from tests.chaos import PATIENCE, Chaos

pytestmark = pytest.mark.chaos

COUNT = 10_000
CODES = (1, 1, 1, 1, 2, 8, 16, 0)


@pytest.fixture
def gateway():
    with BadGateway() as running:
        yield running


@pytest.fixture
def chaos(database, gateway):
    # A poller that is killed leaves its turn to nobody for twice the two together.
    return Chaos(database, gateway, DEADLINE=1, RESULT_RETRY=0.5)


def script(gateway: BadGateway, ids: list[str]) -> None:
    """Give each id a state of its own."""
    gateway.states = {one: CODES[n % len(CODES)] for n, one in enumerate(ids)}


def test_poisoned_ids_are_found_and_the_others_learn_their_state(chaos, gateway):
    """T14: 10,000 ids, 100 poisoned, 5 % missing, answers in any order."""
    ids = chaos.do("accept", count=COUNT)
    script(gateway, ids)
    odd = random.sample(ids, 100 + COUNT // 20)
    gateway.poisoned, missing = set(odd[:100]), set(odd[100:])
    gateway.states.update(dict.fromkeys(missing))
    report = chaos.do("poll")
    assert (report["asked"], report["put_off"]) == (COUNT, 0)
    assert len(gateway.journal) == report["requests"] <= 1600
    rows = chaos.do("dump_states")
    silent = {row["gateway_id"] for row in rows if row["state"] is None}
    assert silent == gateway.poisoned | missing
    wrong = [r for r in rows if r["state"] != gateway.states[r["gateway_id"]]]
    assert {row["gateway_id"] for row in wrong} <= gateway.poisoned
    noted = {
        row["gateway_id"] for row in rows if "no answer for its id" in row["detail"]
    }
    assert noted == gateway.poisoned


@pytest.mark.chaos(seconds=30)
def test_pollers_that_are_killed_lose_and_double_nothing(chaos, gateway):
    """Two at a time, ten kills: every state right, every report kept once."""
    gateway.latency = 0.01
    ids = chaos.do("accept", count=COUNT)
    script(gateway, ids)
    options = {"batch_size": 25, "forever": True, "interval": 0.1}
    running = [chaos.start("poll", **options) for _ in range(2)]
    for kill in range(1, 11):
        gateway.wait_for(35 * kill)
        # The one whose turn it is asks; the other waits until that is over.
        chaos.kill(running.pop(kill % 2))
        running.append(chaos.start("poll", **options))
    gateway.wait_for(COUNT // 25)
    for process in running:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    chaos.do("poll")
    assert chaos.kills == 10
    for row in chaos.do("dump_states"):
        code = gateway.states[row["gateway_id"]]
        assert (row["state"], row["history"], row["flag"]) == (code, [code], "")
        assert (row["settled_at"] is not None) == (code in FINAL_STATES)
