"""The check, in the real view of django-health-check."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import AsyncRequestFactory
from django.utils import timezone

from negin_sms import services
from negin_sms.models import AccountState
from tests.factories import MessageFactory

views = pytest.importorskip("health_check.views", reason="needs django-health-check")

pytestmark = [
    pytest.mark.django_db(transaction=True),
    # Django keeps SQLite's connections to a database in memory open, in each thread.
    pytest.mark.filterwarnings("ignore:unclosed database"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <sqlite3"),
]


def look() -> tuple[int, str]:
    view: Any = views.HealthCheckView.as_view(
        checks=["negin_sms.contrib.health_check.Sms"]
    )
    response = asyncio.run(view(AsyncRequestFactory().get("/", {"format": "json"})))
    return response.status_code, json.dumps(json.loads(response.content))


def test_fails_with_the_codes_of_what_is_critical():
    now = timezone.now()
    AccountState.objects.create(
        account="default", dispatcher_seen_at=now, poller_seen_at=now
    )
    MessageFactory(uncertain=True)
    assert look()[0] == 200  # a warning takes no site out of service
    services.pause_account("default", reason="secret words")
    status, told = look()
    assert status == 500
    assert "default: paused" in told
    assert "secret" not in told
    services.resume_account("default")
    assert look()[0] == 200


def test_database_that_is_away_is_told_by_its_code(monkeypatch):
    def refuse(connection: BaseDatabaseWrapper) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(BaseDatabaseWrapper, "connect", refuse)
    status, told = look()
    assert status == 500
    assert "Unavailable: database" in told
