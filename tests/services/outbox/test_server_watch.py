"""Another server answers: what waits is held once. With servers: test_failover.py."""

from __future__ import annotations

import pytest
from django.db import connection

from negin_sms import services
from negin_sms.models import AccountState, Message
from negin_sms.services.outbox import server_watch
from negin_sms.services.outbox.engines import engine_for
from negin_sms.services.outbox.engines.orm import OrmEngine
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(monkeypatch):
    """Name the server that answers, as only real ones of PostgreSQL and MariaDB do."""

    def name(identity: str) -> None:
        monkeypatch.setattr(
            type(engine_for("default")), "server_identity", lambda self: identity
        )
        server_watch._looked.clear()
        server_watch.hold_if_server_changed("default")

    server_watch._known.clear()
    AccountState.objects.create(account="default")
    name("cluster:1")
    yield name
    server_watch._looked.clear()


def statuses() -> list[str]:
    return list(Message.objects.order_by("pk").values_list("status", flat=True))


def test_the_first_server_is_remembered(server):
    assert AccountState.objects.get().server == "cluster:1"


def test_a_restart_holds_nothing(server):
    MessageFactory()
    server("cluster:1")
    assert statuses() == ["queued"]


def test_another_server_holds_what_waits_and_says_so(server, caplog):
    MessageFactory()
    MessageFactory(accepted=True)
    server("cluster:2")
    assert statuses() == ["held", "accepted"]
    (record,) = caplog.records
    assert record.levelname == "CRITICAL"
    assert "was cluster:1, it is cluster:2" in record.getMessage()
    assert "1 waiting SMS are held" in record.getMessage()
    assert "cluster:1" in Message.objects.earliest("pk").detail


def test_it_is_held_once(server):
    MessageFactory()
    server("cluster:2")
    services.release_queue()
    MessageFactory()
    server("cluster:2")
    assert statuses() == ["queued", "queued"]
    assert AccountState.objects.get().server_changed_at is None


def test_a_server_that_cannot_be_asked_holds_nothing(server):
    MessageFactory()
    server("")
    server("cluster:1")
    assert statuses() == ["queued"]


def test_it_is_a_finding_until_all_is_released(server):
    MessageFactory()
    server("cluster:2")
    codes = {finding.code for finding in services.health()}
    assert {"server_changed", "held"} <= codes
    services.release_queue()
    assert "server_changed" not in {f.code for f in services.health()}


def test_every_database_but_sqlite_says_which_one_it_is():
    identity = engine_for("default").server_identity()
    assert bool(identity) == (connection.vendor != "sqlite")
    assert identity == engine_for("default").server_identity()
    assert OrmEngine("default").server_identity() == ""


def test_the_same_connection_is_asked_once(server, django_assert_num_queries):
    server_watch.hold_if_server_changed("default")
    with django_assert_num_queries(0):
        server_watch.hold_if_server_changed("default")
