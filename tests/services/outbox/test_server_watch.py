"""Another server answers: what waits is held once. With servers: test_failover.py."""

from __future__ import annotations

import pytest
from django.db import connection

from negin_sms import services
from negin_sms.gateway.memory import outbox
from negin_sms.models import AccountState, Message
from negin_sms.services.outbox import server_watch
from negin_sms.services.outbox.engines import engine_for
from negin_sms.services.outbox.engines.orm import OrmEngine
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(monkeypatch, settings, tmp_path):
    """Name the server that answers, as only real ones of PostgreSQL and MariaDB do.

    The account has a journal of its own: what another test was answered within this
    second, of a message with the same key and text, would be written again.
    """
    account = {**settings.NEGIN_SMS["default"], "STATE_DIR": str(tmp_path)}
    settings.NEGIN_SMS = {"default": account}

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
    assert "all that waits is held" in record.getMessage()
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


@pytest.mark.django_db(transaction=True)
class TestBehindAPooler:
    """A connection goes on, and another server does what is asked by it."""

    @pytest.fixture(autouse=True)
    def _pooler(self, server, monkeypatch):
        engine = type(engine_for("default"))
        monkeypatch.setattr(engine, "is_pooled", lambda self: True)
        server("cluster:1")
        yield
        server_watch._pooled.clear()

    @pytest.fixture
    def switch(self, monkeypatch):
        """Let another server answer, of which nobody has looked at yet."""

        def to(identity: str) -> None:
            engine = type(engine_for("default"))
            monkeypatch.setattr(engine, "server_identity", lambda self: identity)

        return to

    def test_what_it_has_claimed_is_held_and_never_sent(self, switch, caplog):
        rows = [MessageFactory() for _each in range(3)]
        switch("cluster:2")
        report = services.dispatch_queue()
        assert (report.accepted, len(outbox), statuses()) == (0, 0, ["held"] * 3)
        assert "was cluster:1, it is cluster:2" in caplog.text
        assert all("cluster:2" in m.detail for m in Message.objects.all())
        services.release(rows)
        assert services.dispatch_queue().accepted == 3

    def test_what_the_gate_would_end_is_held_too(self, switch):
        services.opt_out("09395213300")
        MessageFactory(mobile="+989395213300")
        switch("cluster:2")
        services.dispatch_queue()
        assert statuses() == ["held"]

    def test_nor_where_others_have_held_all_before(self, switch):
        MessageFactory()
        switch("cluster:2")
        AccountState.objects.update(server="cluster:2")
        services.dispatch_queue()
        assert (len(outbox), statuses()) == (0, ["held"])

    def test_the_same_server_sends(self):
        MessageFactory()
        assert services.dispatch_queue().accepted == 1

    def test_one_that_cannot_be_asked_any_more_sends(self, switch):
        MessageFactory()
        switch("")
        assert services.dispatch_queue().accepted == 1


@pytest.mark.django_db(transaction=True)
def test_direct_connection_is_not_asked_for_each_claim(server, monkeypatch):
    MessageFactory()
    engine = type(engine_for("default"))
    monkeypatch.setattr(engine, "server_identity", lambda self: pytest.fail("asked"))
    assert services.dispatch_queue().accepted == 1


def test_tests_have_no_pooler():
    assert engine_for("default").is_pooled() is False


@pytest.mark.skipif(connection.vendor == "sqlite", reason="has no server")
def test_connection_that_is_served_by_another_process_is_pooled(monkeypatch):
    monkeypatch.setattr(type(engine_for("default")), "ask", lambda self, sql: "1")
    assert engine_for("default").is_pooled() is True
