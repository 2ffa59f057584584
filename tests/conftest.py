"""Fixtures: gateways that run for real, and an account that talks to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.utils import translation
from hypothesis import HealthCheck, settings

from negin_sms.gateway.sandbox import Sandbox
from negin_sms.services.delivery import states
from negin_sms.services.outbox import engines, gateway_binding, results
from tests.browser import chromium, open_browser
from tests.chaos import database_urls, fresh_database, reap

__all__ = ["chromium", "open_browser"]  # fixtures
# Its entry point is off, see addopts.
pytest_plugins = ["negin_sms.testing.plugin"]
collect_ignore = ["sample"]  # a project of its own, see test_sample.py

# A busy machine is no reason to fail.
settings.register_profile(
    "busy", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy")

LIVE = {
    "USERNAME": "user",
    "PASSWORD": "secret",
    "LINE": "9830003300",
    "LINE2": "9830003301",
    "CONNECT_TIMEOUT": 2,
    "READ_TIMEOUT": 3,
    "DEADLINE": 5,
    "RESULT_RETRY": 5,
    "LEASE": 20,
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--chaos", action="store_true", help="run the long chaos tests")
    parser.addoption("--long", action="store_true", help="run what takes seconds too")


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what is long unless asked for; mark what is for every database.

    The longest come first, so that no process is left alone with one at the end.
    """
    for item in items:
        in_browser = item.get_closest_marker("browser")
        if item.get_closest_marker("django_db") and not in_browser:
            item.add_marker(pytest.mark.database)
        for name in ("chaos", "long"):
            if item.get_closest_marker(name) and not config.getoption(f"--{name}"):
                item.add_marker(pytest.mark.skip(reason=f"only with --{name}"))
    items.sort(key=_seconds, reverse=True)


def _seconds(item: pytest.Item) -> float:
    """Return how long a test says that it takes: ``chaos(seconds=60)``."""
    marker = item.get_closest_marker("chaos")
    return marker.kwargs.get("seconds", 0.0) if marker else 0.0


@pytest.fixture(autouse=True, scope="session")
def _emptied_quickly() -> Iterator[None]:
    """Empty tables by DELETE: PostgreSQL's TRUNCATE makes all of their files anew."""

    def sql_flush(ops, style, tables, **options) -> list[str]:
        return [f"DELETE FROM {ops.quote_name(table)}" for table in tables]

    with pytest.MonkeyPatch.context() as patch:
        if connection.vendor == "postgresql":
            patch.setattr(type(connection.ops), "sql_flush", sql_flush)
        yield


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """Leave nothing of one test to the next."""
    results._warned_codes.clear()
    states._warned_states.clear()
    gateway_binding._agreed_until.clear()
    # LocaleMiddleware leaves the language of the last request behind.
    translation.deactivate()


@pytest.fixture(params=database_urls(), ids=lambda url: url.partition(":")[0])
def database(request, tmp_path: Path) -> Iterator[str]:
    """Name an empty database on each of the servers; end what still uses it."""
    with fresh_database(request.param, tmp_path) as url:
        yield url
        reap()


@pytest.fixture(params=["the database's own engine", "the ORM's engine"])
def each_engine(request, monkeypatch) -> str:
    """Move rows by the engine of the database, and by the one for every database."""
    way: str = request.param
    if way == "the ORM's engine":
        monkeypatch.setattr(engines, "_ENGINES", {})
    elif not engines.engine_for("default").asks_health:
        pytest.skip("this database has no engine of its own")
    return way


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(pace=0.0, slow=0.2) as running:
        yield running


@pytest.fixture
def use_account(settings) -> Callable[..., None]:
    """Set the default account: the keys of a live one, and those given."""

    def use(url: str = "", **keys: object) -> None:
        account = {**LIVE, **keys}
        if url:
            account["BASE_URL"] = url
        settings.NEGIN_SMS = {"default": account}

    return use


@pytest.fixture
def live(sandbox: Sandbox, use_account) -> Sandbox:
    """Talk to the sandbox over HTTP instead of the memory gateway."""
    use_account(sandbox.url)
    return sandbox
