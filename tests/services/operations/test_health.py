from __future__ import annotations

import io
import json
import re
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.models import AccountState, Message
from negin_sms.services.operations import health
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db


def run(name: str, *args: object) -> tuple[str, int]:
    out, code = io.StringIO(), 0
    try:
        call_command(name, *map(str, args), stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    return out.getvalue(), code


def ago(**kwargs: float):
    return timezone.now() - timedelta(**kwargs)


def test_quiet_queue_needs_nobody():
    MessageFactory(accepted=True, poll_at=None)
    out, code = run("sms_queue_status")
    assert code == 0
    assert "default: accepted 1" in out
    assert "no dispatcher yet" in out


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        ("1 message is uncertain", {"uncertain": True}),
        ("no dispatcher runs", {"due_at": ago(minutes=9)}),
        ("no poller runs", {"accepted": True, "poll_at": ago(minutes=9)}),
        ("1 message is uncertain", {"sending": True, "claimed_until": ago(seconds=9)}),
    ],
    ids=["uncertain", "dispatcher", "poller", "stale claim"],
)
def test_what_needs_a_person_exits_with_two(words, fields):
    MessageFactory(**fields)
    out, code = run("sms_queue_status")
    assert code == 2
    assert words in out


def test_dispatcher_that_was_seen_is_not_missing():
    MessageFactory(due_at=ago(minutes=9))
    assert services.dispatcher_is_missing()
    AccountState.objects.create(account="default", dispatcher_seen_at=ago(minutes=1))
    assert not services.dispatcher_is_missing()
    assert services.queue_status().problems == ()


def test_ages_and_signs_of_life_are_told_in_words_and_in_json():
    seen = ago(minutes=1)
    AccountState.objects.create(
        account="default", dispatcher_seen_at=seen, poller_seen_at=seen
    )
    MessageFactory(due_at=ago(seconds=100))
    MessageFactory(accepted=True, poll_at=ago(seconds=200))
    out, code = run("sms_queue_status")
    assert code == 0
    assert re.search(r"1 due, the oldest for 10\d s", out)
    assert re.search(r"1 states to ask for, the oldest for 20\d s", out)
    at = f"{timezone.localtime(seen):%Y-%m-%d %H:%M:%S}"
    assert f"dispatcher last seen {at}, poller last seen {at}" in out
    (account,) = json.loads(run("sms_queue_status", "--json")[0])["accounts"]
    assert 100 <= account["oldest_due_seconds"] < 110
    assert 200 <= account["oldest_state_due_seconds"] < 210
    assert account["dispatcher_seen_at"] == account["poller_seen_at"]
    assert account["dispatcher_seen_at"].startswith(f"{seen:%Y-%m-%dT%H:%M:%S}")


def test_json_holds_the_same_without_numbers():
    MessageFactory(uncertain=True)
    services.pause_account("default", reason="maintenance")
    out, code = run("sms_queue_status", "--json")
    data = json.loads(out)
    assert code == 2
    assert len(data["problems"]) == 2
    account = data["accounts"][0]
    assert (account["messages"], account["paused"]) == ({"uncertain": 1}, True)
    assert "9395213300" not in out


def test_pausing_and_resuming_by_command():
    out, _code = run("pause_sms_account", "default", "--reason", "maintenance")
    assert out == "Account 'default' is paused until it is resumed.\n"
    assert AccountState.objects.get().is_paused
    assert run("resume_sms_account", "default")[0] == "Account 'default' sends again.\n"
    assert not AccountState.objects.get().is_paused


def test_pause_until_a_time():
    out, _code = run(
        "pause_sms_account", "default", "--reason=x", "--until=2030-01-01T12:00"
    )
    assert out == "Account 'default' is paused until 2030-01-01 12:00 +0330.\n"
    with pytest.raises(CommandError, match="no SMS account 'nobody'"):
        run("pause_sms_account", "nobody", "--reason=x")


class TestResolveCommand:
    def test_decides_with_a_reason(self):
        row = MessageFactory(uncertain=True)
        out, _code = run(
            "resolve_sms_message", row.pk, "rejected", "--why=not in panel"
        )
        row.refresh_from_db()
        assert out == f"Message {row.pk}: Rejected.\n"
        assert row.detail == "not in panel"

    def test_writes_a_result_from_the_log(self):
        row = MessageFactory(sending=True)
        arguments = ["--gateway-id=7001", "--claim=host:1:abc"]
        run("resolve_sms_message", row.pk, "accepted", *arguments)
        row.refresh_from_db()
        assert (row.status, row.gateway_id) == (Status.ACCEPTED, "7001")
        assert row.poll_at is not None

    @pytest.mark.parametrize("claim", ["other:1:abc", ""])
    def test_leaves_a_claim_of_somebody_else(self, claim):
        row = MessageFactory(sending=True)
        with pytest.raises(CommandError, match="is not uncertain"):
            run(
                *("resolve_sms_message", row.pk, "accepted", "--why=x"),
                *("--gateway-id=7001", f"--claim={claim}"),
            )
        assert Message.objects.get().status == Status.SENDING

    def test_late_result_after_a_resend_changes_nothing(self):
        row = MessageFactory(uncertain=True)
        MessageFactory(resend_of=row)
        with pytest.raises(CommandError, match="nothing was changed"):
            run("resolve_sms_message", row.pk, "accepted", "--claim=host:1:abc")

    def test_says_what_is_missing(self):
        row = MessageFactory(uncertain=True)
        with pytest.raises(CommandError, match="how you know"):
            run("resolve_sms_message", row.pk, "rejected")
        with pytest.raises(CommandError, match="no message 0"):
            run("resolve_sms_message", 0, "rejected", "--why=x")


class TestObstacles:
    def test_none_while_a_dispatcher_is_seen(self):
        AccountState.objects.create(
            account="default", dispatcher_seen_at=timezone.now()
        )
        assert health.obstacles("default") == ()

    def test_dispatcher_that_was_never_or_long_not_seen(self):
        (words,) = health.obstacles("default")
        long_ago = timezone.now() - timedelta(minutes=6)
        AccountState.objects.update(dispatcher_seen_at=long_ago)
        assert health.obstacles("default") == (words,)
        assert "dispatch_sms_queue" in words

    def test_waker_starts_the_dispatcher(self, use_account):
        use_account(WAKER="negin_sms.services.dispatch_queue")
        assert health.obstacles("default") == ()

    def test_account_that_is_gone(self):
        assert "gone" in health.obstacles("gone")[0]

    def test_pause_and_switch(self, use_account):
        services.pause_account("default", reason="credit")
        assert "credit" in health.obstacles("default")[0]
        use_account(DISPATCH=False)
        (words,) = health.obstacles("default")
        assert "DISPATCH" in words
