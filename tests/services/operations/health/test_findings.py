"""The findings' thresholds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from negin_sms import services
from negin_sms.conf.thresholds import THRESHOLDS
from negin_sms.models import AccountState
from negin_sms.services.operations.health import judgement as module
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def alive() -> None:
    """Have a dispatcher and a poller that came by just now."""
    seen(timedelta())


def seen(long_ago: timedelta, **fields: Any) -> None:
    at = timezone.now() - long_ago
    AccountState.objects.update_or_create(
        account="default",
        defaults={"dispatcher_seen_at": at, "poller_seen_at": at, **fields},
    )


def codes() -> list[str]:
    return [finding.code for finding in services.health()]


def find(code: str) -> services.Finding:
    (finding,) = (each for each in services.health() if each.code == code)
    return finding


class TestThresholds:
    def test_of_the_settings(self, use_account):
        MessageFactory(uncertain=True)
        use_account(THRESHOLDS={"uncertain": 2})
        assert codes() == []
        MessageFactory(uncertain=True)
        assert codes() == ["uncertain"]
        use_account(THRESHOLDS={"uncertain": None})
        assert codes() == []

    @pytest.mark.parametrize(
        "value", [{"uncertian": 1}, {"held": -1}, {"held": "1"}, 5]
    )
    def test_that_cannot_be_read_are_refused(self, use_account, value):
        use_account(THRESHOLDS=value)
        assert "THRESHOLDS" in find("settings").text

    def test_each_rule_has_one(self):
        assert {*module._RULES} <= THRESHOLDS.keys()
