"""What keeps an account's messages back: each finding provoked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from negin_sms import services
from negin_sms.choices import Priority
from negin_sms.models import AccountState
from tests.factories import MessageFactory

from .looking import ago, codes, find, seen

pytestmark = pytest.mark.django_db
LONG = timedelta(minutes=9)


class TestWhatKeepsMessagesBack:
    def test_nothing_is_wrong_where_all_run(self):
        MessageFactory(accepted=True, poll_at=None)
        assert services.health() == ()

    def test_dispatch_off_is_a_note_until_something_waits(self, use_account):
        use_account(DISPATCH=False)
        assert find("switched_off").severity == "ok"
        MessageFactory(due_at=ago(hours=5))
        finding = find("switched_off")
        assert (finding.severity, finding.count) == ("warning", 1)

    def test_pause_tells_why_since_until_and_by_whom(self, admin_user):
        until = timezone.now() + timedelta(hours=1)
        MessageFactory()
        services.pause_account(
            "default", reason="100% busy", by=admin_user, until=until
        )
        finding = find("paused")
        assert finding.severity == "critical"
        assert finding.text == "The account was paused by admin: 100% busy."
        assert finding.advice.endswith("manage.py resume_sms_account default")
        assert (finding.count, finding.until) == (1, until)
        assert finding.since == AccountState.objects.get().paused_at

    def test_pause_is_told_where_sending_is_off_too(self, use_account):
        """Else who is alerted would read that it is over."""
        services.pause_account("default", reason="busy")
        use_account(DISPATCH=False)
        assert {"paused", "switched_off"} <= set(codes())

    def test_pause_of_seconds_is_none(self):
        now = timezone.now()
        seen(timedelta(), paused_at=now, paused_until=now + timedelta(seconds=5))
        assert codes() == []

    def test_pause_that_has_run_out_is_no_alarm_while_nothing_waits(self):
        seen(timedelta(), paused_at=ago(hours=2), paused_until=ago(hours=1))
        assert find("paused").severity == "warning"
        MessageFactory(due_at=timezone.now() + timedelta(days=1))
        assert find("paused").severity == "warning"
        MessageFactory()
        assert find("paused").severity == "critical"

    def test_pause_that_has_run_out_is_said_to_be_over(self):
        words = "Its time is over: the next message"
        for until, is_told in [(-1, True), (1, False)]:
            end = timezone.now() + timedelta(hours=until)
            seen(timedelta(), paused_at=ago(hours=2), paused_until=end)
            assert (words in find("paused").text) is is_told

    @pytest.mark.parametrize("lasted", [5, 900])
    def test_pause_that_has_run_out_hides_no_dead_dispatcher(self, lasted):
        MessageFactory(due_at=ago(minutes=30))
        over = {
            "paused_at": ago(minutes=9, seconds=lasted),
            "paused_until": ago(minutes=9),
        }
        seen(timedelta(minutes=30), **over)
        assert find("no_dispatcher").severity == "critical"
        AccountState.objects.update(paused_until=timezone.now() + timedelta(hours=1))
        assert "no_dispatcher" not in codes()
        AccountState.objects.update(paused_until=None)
        assert "no_dispatcher" not in codes()

    def test_cap_that_is_used_up_is_no_slow_dispatcher(self, use_account):
        MessageFactory(due_at=ago(minutes=30))
        assert "dispatcher_late" in codes()
        use_account(
            BACKEND="negin_sms.gateway.memory.MemoryGateway", ACCOUNT_CAPS={"day": 1}
        )
        services.send_sms("09395213301", "x")
        seen(timedelta())
        assert "dispatcher_late" not in codes()

    def test_binding_to_another_gateway_is_critical_until_adopted(self):
        AccountState.objects.update(gateway="other.example.com 0123456789abcdef")
        finding = find("other_gateway")
        assert (finding.severity, "adopt" in finding.advice) == ("critical", True)
        services.adopt_account("default")
        assert codes() == []

    def test_folder_that_others_can_write_to_keeps_no_journal(
        self, use_account, tmp_path
    ):
        tmp_path.chmod(0o777)
        use_account(STATE_DIR=str(tmp_path))
        assert find("no_journal").severity == "warning"
        tmp_path.chmod(0o700)
        assert codes() == []

    @pytest.mark.parametrize(
        ("code", "fields"),
        [
            ("no_dispatcher", {"due_at": ago(minutes=9)}),
            ("no_poller", {"accepted": True, "poll_at": ago(minutes=9)}),
        ],
    )
    def test_nobody_alive_is_critical_where_work_waits(self, code, fields):
        seen(LONG)
        assert find(code).severity == "warning"
        MessageFactory(**fields)
        finding = find(code)
        assert (finding.severity, finding.count) == ("critical", 1)
        assert "manage.py" in finding.advice

    @pytest.mark.parametrize(
        ("code", "fields"),
        [
            ("dispatcher_late", {"due_at": ago(minutes=20)}),
            ("reports_late", {"accepted": True, "poll_at": ago(minutes=20)}),
        ],
    )
    def test_alive_and_late_is_a_warning(self, code, fields):
        MessageFactory(**fields)
        assert codes() == [code]
        assert find(code).severity == "warning"
        assert 1200 <= find(code).value < 1800
        # RATE is how fast messages leave, whoever asks for states.
        assert ("RATE" in find(code).advice) is (code == "dispatcher_late")

    def test_low_priority_is_late_from_the_end_of_the_quiet_hours(self, use_account):
        now = timezone.localtime()
        hours = (f"{now - timedelta(hours=8):%H:%M}", f"{now:%H:%M}")
        use_account(QUIET_HOURS=hours)
        MessageFactory(due_at=ago(hours=7), priority=Priority.LOW)
        assert codes() == []
