"""A standby takes over that lacks the last seconds: nothing is sent again.

PostgreSQL and MariaDB with replication, in temporary folders. Run with ``--chaos``.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.badgateway import BadGateway
from tests.chaos import PATIENCE, PATIENT, Chaos, fresh_database, reap
from tests.servers import MariaDBPrimary, MariaDBReplica, PostgreSQL, Standby

pytestmark = pytest.mark.chaos(seconds=40)

ACCOUNT = {**PATIENT, "RESULT_RETRY": 30, "LEASE": 90}


Pair = tuple[PostgreSQL, Standby] | tuple[MariaDBPrimary, MariaDBReplica]


@pytest.fixture(
    params=[(PostgreSQL, Standby), (MariaDBPrimary, MariaDBReplica)],
    ids=["PostgreSQL", "MariaDB"],
)
def servers(request) -> Iterator[Pair]:
    kind, replica = request.param
    if not kind.is_there():
        pytest.skip(f"no programs of {kind.__name__} here")
    primary = kind()
    primary.start()
    standby = replica(primary)
    try:
        standby.start()
        yield primary, standby
    finally:
        reap()
        primary.stop()
        standby.stop()


@pytest.fixture
def gateway() -> Iterator[BadGateway]:
    with BadGateway(latency=0.01) as running:
        yield running


def test_standby_that_lags_two_seconds(servers, gateway, tmp_path):
    primary, standby = servers
    with fresh_database(primary.url, tmp_path) as url:
        chaos = Chaos(url, gateway, **ACCOUNT)
        chaos.do("queue", count=3000)
        chaos.do("dispatch", limit=1)  # the account's row knows its server
        standby.catch_up()
        dispatchers = [chaos.start("dispatch", workers=4) for _ in range(2)]
        gateway.wait_for(200)
        standby.crash()
        time.sleep(2)
        primary.crash()
        standby.take_over()
        logs = [p.communicate(timeout=PATIENCE)[1] for p in dispatchers]
        chaos.do("dispatch")
        rows = chaos.do("dump")
        assert [ids for ids in chaos.sent().values() if len(ids) > 1] == []
        statuses = Counter(row["status"] for row in rows)
        assert sum(statuses.values()) == 3000
        assert statuses.keys() <= {"accepted", "held"}, statuses
        # The dispatchers know what they sent in the two seconds that are lost.
        assert statuses["accepted"] == len(gateway.ids)
        assert statuses["held"] > 0
        assert "Another database server answers" in "".join(logs)
        found = [finding["code"] for finding in chaos.do("findings")]
        assert "server_changed" in found


def test_plain_restart_holds_nothing(servers, gateway, tmp_path):
    primary, _standby = servers
    with fresh_database(primary.url, tmp_path) as url:
        chaos = Chaos(url, gateway, **ACCOUNT)
        chaos.do("queue", count=300)
        dispatcher = chaos.start("dispatch", workers=4)
        gateway.wait_for(100)
        primary.crash()
        primary.start()
        dispatcher.communicate(timeout=PATIENCE)
        chaos.do("dispatch")
        rows = chaos.do("dump")
        assert {row["status"] for row in rows} == {"accepted"}
        assert len(gateway.ids) == 300


def test_results_outlive_a_database_that_stays_away(servers, gateway, tmp_path):
    """The run ends without having written them; the next one reads its journal."""
    primary, _standby = servers
    gateway.latency = 0.3
    with fresh_database(primary.url, tmp_path) as url:
        chaos = Chaos(url, gateway, **{**ACCOUNT, "RESULT_RETRY": 0.5})
        chaos.do("queue", count=40)
        dispatcher = chaos.start("dispatch", workers=4)
        gateway.wait_for(6)
        primary.crash()
        log = dispatcher.communicate(timeout=PATIENCE)[1]
        assert "SMS result not saved" in log
        primary.start()
        chaos.do("dispatch")
        rows = chaos.do("dump")
        assert {row["status"] for row in rows} == {"accepted"}
        assert len(gateway.ids) == 40
