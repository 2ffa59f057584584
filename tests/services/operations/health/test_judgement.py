"""One judgement: each finding provoked, and every place tells the same of it."""

from __future__ import annotations

import io
import json
import tempfile
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import Client
from django.utils import timezone, translation

from negin_sms import services
from negin_sms.choices import Flag, Priority, Status
from negin_sms.conf.thresholds import THRESHOLDS
from negin_sms.gateway.sandbox import Sandbox
from negin_sms.models import Message, OptOut
from negin_sms.querysets import database_now
from negin_sms.services.operations.health import first_rows, overview
from negin_sms.services.operations.health import judgement as module
from tests.factories import MessageFactory

from .looking import ago, codes, find, seen

pytestmark = pytest.mark.django_db

LONG = timedelta(minutes=9)


def run(name: str, *args: object) -> tuple[str, int]:
    out, code = io.StringIO(), 0
    try:
        call_command(name, *map(str, args), stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    return out.getvalue(), code


def told_everywhere(admin_client: Client, live: Sandbox) -> list[list[tuple[str, str]]]:
    """Return the codes and texts as the list, the index and both commands tell them."""
    told = []
    for page in ("/admin/negin_sms/message/", "/admin/negin_sms/"):
        found = admin_client.get(page).context["findings"]
        told.append([(each.code, each.text) for each in found])
    for command in ("sms_queue_status", "check_sms_gateway"):
        found = json.loads(run(command, "--json")[0])["findings"]
        judged = [each for each in found if each["code"] in THRESHOLDS]
        told.append([(each["code"], each["text"]) for each in judged])
    return told


@pytest.mark.sms_live
class TestOneJudgement:
    """O1 of the field trial: is a dispatcher running?"""

    @pytest.fixture(autouse=True)
    def alive(self) -> None:
        """Begin with nobody."""

    @pytest.fixture
    def agreed(self, admin_client, live):
        def ask() -> list[str]:
            first, *others = told_everywhere(admin_client, live)
            assert all(other == first for other in others)
            return [code for code, _text in first]

        return ask

    def test_dispatch_is_off(self, agreed, live, use_account):
        seen(LONG)
        use_account(live.url, DISPATCH=False)
        MessageFactory(due_at=ago(minutes=9))
        assert agreed() == ["switched_off", "no_poller"]

    def test_paused_by_hand(self, agreed, live):
        seen(LONG)
        MessageFactory(due_at=ago(minutes=9))
        services.pause_account("default", reason="maintenance")
        assert agreed() == ["paused", "no_poller"]

    def test_waker_and_an_idle_queue(self, agreed, live, use_account):
        seen(LONG, poller_seen_at=timezone.now())
        use_account(live.url, WAKER="negin_sms.services.dispatch_queue")
        assert agreed() == []
        MessageFactory(due_at=ago(minutes=9))
        assert agreed() == ["no_dispatcher"]

    def test_low_in_quiet_hours(self, agreed, live, use_account):
        seen(timedelta())
        now = timezone.localtime()
        hours = (f"{now - LONG:%H:%M}", f"{now + LONG:%H:%M}")
        use_account(live.url, QUIET_HOURS=hours)
        MessageFactory(due_at=ago(hours=2), priority=Priority.LOW)
        assert agreed() == []
        MessageFactory(due_at=ago(hours=2))
        assert agreed() == ["dispatcher_late"]

    def test_fresh_install(self, agreed):
        assert agreed() == ["no_dispatcher", "no_poller"]


class TestMessages:
    @pytest.mark.parametrize(
        ("code", "many", "fields"),
        [
            ("uncertain", 1, {"uncertain": True}),
            ("rejected", 5, {"status": Status.REJECTED, "finished_at": ago(minutes=1)}),
            ("expired", 5, {"status": Status.EXPIRED, "finished_at": ago(minutes=1)}),
            ("flagged", 1, {"accepted": True, "poll_at": None, "flag": Flag.SHARED_ID}),
            ("long_lease", 1, {"sending": True, "claimed_until": ago(hours=-6)}),
            ("drafts_forgotten", 1, {"status": Status.DRAFT, "due_at": ago(days=8)}),
            ("account_gone", 1, {"account": "old"}),
        ],
    )
    def test_what_needs_a_person_is_found_from_its_threshold_on(
        self, code, many, fields
    ):
        MessageFactory.create_batch(many - 1, **fields)
        assert codes() == []
        MessageFactory(**fields)
        assert codes() == [code]
        assert find(code).count == many

    def test_who_opted_out_lately_is_counted(self):
        """Of this account and its own lines; what is over is no news."""
        now, line = timezone.now(), "9830003300"
        made: list[dict[str, Any]] = [
            *({"line": line}, {"account": "default"}, {"line": line}),
            *({"line": "98"}, {"account": "other"}),
            *({"line": line, "until": now}, {"line": line, "since": ago(days=2)}),
        ]
        for n, fields in enumerate(made):
            OptOut.objects.create(mobile=f"+98939000000{n}", **{"since": now} | fields)
        MessageFactory(accepted=True, poll_at=None)
        assert codes() == []
        (finding,) = services.health(thresholds={"opt_outs": 3})
        assert (finding.code, finding.count) == ("opt_outs", 3)
        assert services.health(thresholds={"opt_outs": 4}) == ()

    def test_what_is_held_is_found(self):
        MessageFactory()
        services.hold_queue(reason="restored")
        assert (codes(), find("held").count) == (["held"], 1)
        services.release_queue()
        assert codes() == []

    def test_few_of_many_rejected_are_no_alarm(self):
        # Of a backlog: due long ago, and over just now.
        rejected = {"status": Status.REJECTED, "due_at": ago(days=2)}
        MessageFactory.create_batch(5, **rejected, finished_at=ago(minutes=1))
        MessageFactory.create_batch(9, **rejected, finished_at=ago(minutes=61))
        assert (find("rejected").severity, find("rejected").count) == ("critical", 5)
        MessageFactory.create_batch(10, accepted=True, poll_at=None)
        assert find("rejected").severity == "warning"
        assert find("rejected").value == pytest.approx(1 / 3)
        MessageFactory.create_batch(12, accepted=True, poll_at=None)
        assert codes() == []

    def test_of_very_many_that_ended_the_newest_are_judged(self, monkeypatch):
        monkeypatch.setattr(first_rows._Few, "limit", "6")
        lately = {"status": Status.REJECTED, "finished_at": ago(minutes=1)}
        MessageFactory.create_batch(
            9, accepted=True, poll_at=None, finished_at=ago(minutes=2)
        )
        MessageFactory.create_batch(5, **lately)
        (account,) = services.overview().accounts
        assert (account.ended, account.accepted, account.rejected) == (6, 1, 5)
        assert find("rejected").severity == "critical"

    def test_uncertain_message_that_was_sent_again_is_decided(self):
        old = MessageFactory(uncertain=True)
        services.resend([old], by=None)
        assert codes() == []

    def test_counts_end_at_their_cap(self, monkeypatch):
        monkeypatch.setattr(overview, "CAP", 3)
        monkeypatch.setattr("negin_sms.services.operations.health.findings.CAP", 3)
        MessageFactory.create_batch(9, uncertain=True)
        finding = find("uncertain")
        assert (finding.count, finding.is_capped) == (3, True)
        assert "more than 3" in finding.text

    def test_no_number_and_no_text_is_told(self):
        MessageFactory(uncertain=True)
        MessageFactory(account="old")
        for word in ("9395213300", "سلام"):
            assert word not in repr(services.health())


class TestOfAll:
    def test_clock_that_is_not_the_databases(self, monkeypatch):
        """Nothing turns the database's clock back but this."""
        told = database_now
        monkeypatch.setattr(
            overview, "database_now", lambda using: told(using) - timedelta(seconds=60)
        )
        finding = find("database_clock")
        assert finding.severity == "warning"
        assert "s ahead of the database's" in finding.text

    def test_old_time_zones(self, monkeypatch):
        """As in the data of 2021, where summer time went on."""
        old = timezone.get_fixed_timezone(270)
        monkeypatch.setattr("negin_sms.quiet_hours.ZoneInfo", lambda name: old)
        assert "tzdata" in find("time_zone_data").advice

    def test_settings_that_cannot_be_read(self, settings):
        settings.NEGIN_SMS = {"default": {"USER": "x"}}
        assert find("settings").severity == "critical"

    def test_database_that_is_away(self, monkeypatch):
        def away(using: str) -> None:
            raise OperationalError("server closed\n\tthe connection")

        monkeypatch.setattr(overview, "database_now", away)
        finding = find("database")
        assert finding.severity == "unknown"
        assert "server closed the connection" in finding.text


class TestStatusCommand:
    def test_verdict_comes_first_in_every_language(self):
        for language in ("en", "fa"):
            with translation.override(language):
                out, code = run("sms_queue_status")
                assert (out.startswith("OK: "), code) == (True, 0)
        MessageFactory(uncertain=True)
        out, code = run("sms_queue_status")
        assert out.startswith("WARNING: default: 1 message is uncertain")
        assert code == 1
        services.pause_account("default", reason="credit")
        with translation.override("fa"):
            out, code = run("sms_queue_status")
        assert (out.startswith("CRITICAL: default: "), code) == (True, 2)

    def test_database_that_is_away_is_unknown_and_told_in_json(self, monkeypatch):
        def away(using: str) -> None:
            raise OperationalError("gone")

        monkeypatch.setattr(overview, "database_now", away)
        out, code = run("sms_queue_status", "--json")
        data = json.loads(out)
        assert (code, data["severity"], data["accounts"]) == (3, "unknown", [])
        assert data["findings"][0]["code"] == "database"

    def test_json_is_for_programs_and_for_people(self):
        services.pause_account("default", reason="تعمیرات")
        out, _code = run("sms_queue_status", "--json")
        assert "تعمیرات" in out
        (finding,) = json.loads(out)["findings"]
        assert list(finding)[:5] == ["code", "severity", "count", "account", "text"]
        assert finding["runbook"] == "runbook-paused"

    def test_options_stand_in_for_the_thresholds(self):
        MessageFactory.create_batch(2, uncertain=True)
        assert run("sms_queue_status", "--warn=uncertain=3")[1] == 0
        assert run("sms_queue_status", "--warn=uncertain=2")[1] == 1
        assert run("sms_queue_status", "--crit=uncertain=2")[1] == 2
        assert (
            run("sms_queue_status", "--warn=uncertain=1", "--crit=uncertain=3")[1] == 1
        )
        with pytest.raises(CommandError, match="codes are"):
            run("sms_queue_status", "--warn=nonsense=3")

    def test_claim_that_ran_out_is_told_as_uncertain(self, monkeypatch, tmp_path):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # nobody else's journal
        MessageFactory(sending=True, claimed_until=ago(seconds=9))
        assert "1 message is uncertain" in run("sms_queue_status")[0]

    def test_accounts_follow_with_their_counts(self):
        MessageFactory.create_batch(2)
        MessageFactory(accepted=True)
        out, _code = run("sms_queue_status")
        assert "default: queued 2, due 2, states_due 1; in the last hour" in out
        assert "dispatcher last seen" in out
        (account,) = json.loads(run("sms_queue_status", "--json")[0])["accounts"]
        assert (account["queued"], account["accepted"]) == (2, 1)


def test_preview_is_told_what_keeps_messages_from_leaving():
    assert module.obstacles("default") == ()
    MessageFactory(uncertain=True)
    services.pause_account("default", reason="credit")
    assert [each.code for each in module.obstacles("default")] == ["paused"]
    assert "no SMS account 'gone'" in module.obstacles("gone")[0].text
    assert Message.objects.count() == 1
