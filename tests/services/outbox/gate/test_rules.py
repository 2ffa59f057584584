"""The gate's rules, one by one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from negin_sms import conf
from negin_sms.choices import Priority
from negin_sms.exceptions import InvalidConfiguration
from negin_sms.services.outbox import gate
from negin_sms.services.outbox.engines import engine_for
from negin_sms.services.outbox.gate import rules
from tests.factories import MessageFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_engine")]


def claim(limit=10, name="me", **settings):
    account = conf.get_account()
    return engine_for("default").claim_due(
        account,
        name,
        limit,
        priorities=gate.open_priorities(account, "default"),
        lease=180,
        **settings,
    )


def test_only_to_with_something_that_is_no_number_says_so():
    with pytest.raises(InvalidConfiguration, match="ONLY_TO"):
        rules.allowed_numbers(frozenset({"021"}), "default")


class TestQuietHours:
    """LOW waits for the morning; the clock is the project's, not the server's."""

    def at(self, hours: float) -> str:
        moment = timezone.localtime() + timedelta(hours=hours)
        return f"{moment:%H:%M:%S}"

    def claimed(self, use_account, start: float, end: float) -> set[int]:
        use_account(QUIET_HOURS=(self.at(start), self.at(end)))
        MessageFactory(priority=Priority.LOW)
        MessageFactory(priority=Priority.NORMAL)
        return {message.priority for message in claim()}

    @pytest.mark.parametrize(("start", "end"), [(-1, 1), (-20, 1), (-1, 20)])
    def test_low_waits(self, use_account, start, end):
        assert self.claimed(use_account, start, end) == {Priority.NORMAL}

    @pytest.mark.parametrize(("start", "end"), [(1, 2), (-2, -1), (1, 23)])
    def test_low_goes_out_at_other_times(self, use_account, start, end):
        assert self.claimed(use_account, start, end) == {20, 30}
