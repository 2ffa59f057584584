"""The findings' thresholds."""

from __future__ import annotations

import pytest

from negin_sms.conf.thresholds import THRESHOLDS
from negin_sms.services.operations.health import judgement as module
from tests.factories import MessageFactory

from .looking import codes, find

pytestmark = pytest.mark.django_db


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
