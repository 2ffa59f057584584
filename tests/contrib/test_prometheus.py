"""The collector, scraped as Prometheus does and read by its own parser."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.request import urlopen

import pytest
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test.utils import CaptureQueriesContext

from negin_sms import services
from tests.factories import MessageFactory

client = pytest.importorskip("prometheus_client", reason="needs prometheus-client")

pytestmark = [
    pytest.mark.django_db(transaction=True),
    # Django keeps SQLite's connections to a database in memory open, in each thread.
    pytest.mark.filterwarnings("ignore:unclosed database"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <sqlite3"),
]


@pytest.fixture
def registry():
    from negin_sms.contrib.prometheus import SmsCollector

    registry = client.CollectorRegistry()
    registry.register(SmsCollector())
    return registry


def values(text: str) -> dict[tuple[str, ...], float]:
    from prometheus_client.parser import text_string_to_metric_families

    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_scrape_tells_how_the_queue_stands(registry):
    MessageFactory.create_batch(2)
    MessageFactory(uncertain=True)
    services.pause_account("default", reason="secret words")
    server, thread = client.start_http_server(0, "127.0.0.1", registry)
    try:
        url = f"http://127.0.0.1:{server.server_port}/metrics"
        with urlopen(url, timeout=20) as answer:
            text = answer.read().decode()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    found = values(text)
    assert found["negin_sms_messages", "default", "queued"] == 2
    assert found["negin_sms_messages", "default", "uncertain"] == 1
    assert found["negin_sms_paused", "default"] == 1
    assert found["negin_sms_finding", "default", "paused", "critical"] == 1
    assert found["negin_sms_age_seconds", "default", "oldest_due"] >= 0
    for secret in ("9395213300", "سلام", "secret"):
        assert secret not in text


def test_cost_is_the_same_for_few_and_many(registry):
    client.generate_latest(registry)
    counts = []
    for many in (1, 50):
        MessageFactory.create_batch(many)
        with CaptureQueriesContext(connection) as queries:
            client.generate_latest(registry)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_scrape_without_a_database_tells_of_it(registry, monkeypatch):
    """The site's other metrics are in the same answer, and come all the same."""

    def refuse(connection: BaseDatabaseWrapper) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(BaseDatabaseWrapper, "connect", refuse)
    with ThreadPoolExecutor(1) as thread:
        text = thread.submit(client.generate_latest, registry).result().decode()
    assert values(text) == {("negin_sms_finding", "", "database", "unknown"): 1}
