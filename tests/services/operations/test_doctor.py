"""The doctor: each finding provoked, by real servers on this machine."""

from __future__ import annotations

import io
import json
import logging

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from negin_sms import services
from negin_sms.exceptions import InvalidConfiguration
from negin_sms.gateway.sandbox import Sandbox
from negin_sms.models import AccountState
from tests.badgateway import BadGateway
from tests.factories import MessageFactory

# The doctor examines what the settings say, not what the kit makes of them.
pytestmark = [pytest.mark.django_db, pytest.mark.sms_live]


@pytest.fixture
def alive() -> None:
    """Have a dispatcher and a poller that came by just now."""
    AccountState.objects.create(
        account="default",
        dispatcher_seen_at=timezone.now(),
        poller_seen_at=timezone.now(),
    )


def find(code: str) -> services.Finding:
    """Examine, and return the worst finding of a code."""
    order = list(services.Severity)
    ours = [finding for finding in services.examine() if finding.code == code]
    return max(ours, key=lambda finding: order.index(finding.severity))


def codes() -> list[str]:
    return [finding.code for finding in services.examine()]


def assert_critical(code: str, words: str, advice: str) -> None:
    finding = find(code)
    assert finding.severity == "critical"
    assert words in finding.text
    assert advice in finding.advice
    # What lies behind it is not looked at.
    assert "credentials" not in codes() or code == "credentials"


class TestHealthy:
    def test_everything_is_looked_at_in_order(self, live, alive):
        findings = services.examine()
        assert [finding.code for finding in findings] == [
            *("settings", "name", "connection", "gateway_clock", "credentials"),
        ]
        assert services.worst(findings) == "ok"

    def test_nothing_is_sent_and_nothing_written(self, live):
        MessageFactory()
        with CaptureQueriesContext(connection) as queries:
            services.examine()
        assert live.taken == []
        asked = [query["sql"].split()[0] for query in queries]
        assert set(asked) <= {"SELECT", "SHOW", "SAVEPOINT", "RELEASE"}

    def test_one_account_alone(self, settings, live):
        account = settings.NEGIN_SMS["default"]
        settings.NEGIN_SMS = {"default": account, "bulk": account}
        assert {f.account for f in services.examine()} == {
            "default",
            "bulk",
        }
        found = services.examine(account="bulk")
        assert {finding.account for finding in found} == {"bulk"}
        with pytest.raises(InvalidConfiguration, match="nobody"):
            services.examine(account="nobody")


class TestSettings:
    def test_what_cannot_be_read_is_a_finding(self, settings):
        settings.NEGIN_SMS = {"default": {"USERNAME": "user", "LINE": "98"}}
        (finding,) = services.examine()
        assert (finding.code, finding.severity) == ("settings", "critical")
        assert "PASSWORD" in finding.text

    @pytest.mark.parametrize(
        ("keys", "words"),
        [
            ({"CA_FILE": "/nowhere.pem"}, "CA_FILE"),
            ({"BACKEND": "no.such.Gateway"}, "BACKEND"),
        ],
    )
    def test_what_cannot_be_used_is_a_finding(self, use_account, keys, words):
        use_account("https://127.0.0.1:9/api", **keys)
        assert_critical("settings", words, "")

    @pytest.mark.parametrize(
        ("keys", "code"),
        [
            ({"ONLY_TO": ["09395213300"]}, "only_to"),
            (
                {"BACKEND": "negin_sms.gateway.memory.MemoryGateway"},
                "development_gateway",
            ),
        ],
    )
    def test_what_keeps_messages_back_is_a_warning(self, live, use_account, keys, code):
        use_account(live.url, **keys)
        finding = find(code)
        assert finding.severity == "warning"
        assert "9395213300" not in finding.text

    def test_password_in_the_open_is_a_warning(self, use_account):
        use_account("http://nowhere.invalid/api")
        assert "plain http" in find("settings").text


class TestCredentials:
    def test_wrong_password(self, use_account):
        with Sandbox(username="user", password="other") as sandbox:
            use_account(sandbox.url)
            assert_critical("credentials", "Wrong username or password", "PASSWORD")

    def test_id_that_the_gateway_does_not_know_is_no_finding(self, use_account):
        with BadGateway() as server:
            server.poisoned = {"1"}
            use_account(server.url)
            assert find("credentials").severity == "ok"

    def test_asks_for_an_id_that_there_is(self, use_account):
        MessageFactory(accepted=True, gateway_id="4711")
        with BadGateway() as server:
            use_account(server.url)
            services.examine()
        assert server.journal[-1].form["message_ids"] == "4711"

    @pytest.mark.parametrize(
        ("mode", "level", "words"),
        [
            ("status_429", "warning", "slow down"),
            ("status_404", "critical", "front door"),
            ("status_500", "critical", "500"),
            ("html_200", "critical", "cannot be read"),
        ],
    )
    def test_other_answers(self, use_account, mode, level, words):
        with BadGateway("good", mode) as server:
            use_account(server.url)
            finding = find("credentials")
        assert (finding.severity, words in finding.text) == (level, True)
        assert "ask the gateway's operator" in finding.advice
        assert "sent the message" not in finding.text  # it was only asked


def run(*args: str) -> tuple[str, int]:
    out, code = io.StringIO(), 0
    try:
        call_command("check_sms_gateway", *args, stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    return out.getvalue(), code


class TestCommand:
    def test_all_well_exits_with_zero(self, live, alive):
        out, code = run()
        assert code == 0
        assert "OK       default credentials: The gateway knows the account.\n" in out

    def test_what_needs_a_person_exits_with_two(self, use_account):
        use_account("https://nowhere.invalid/api")
        out, code = run()
        assert code == 2
        assert "CRITICAL default name: The name nowhere.invalid cannot be" in out
        assert "\n         → Check BASE_URL" in out

    def test_broken_settings_are_told_too(self, settings):
        settings.NEGIN_SMS = {"default": {"USER": "user"}}
        out, code = run()
        assert code == 2
        assert out.startswith("CRITICAL: NEGIN_SMS")

    def test_json_is_for_programs(self, live, alive):
        out, code = run("--json", "--account=default")
        data = json.loads(out)
        assert (code, data["severity"]) == (0, "ok")
        last = data["findings"][-1]
        assert (last["code"], last["severity"]) == ("credentials", "ok")
        assert last["text"] == "The gateway knows the account."

    def test_each_account_is_told_of(self, live, alive, settings):
        settings.NEGIN_SMS |= {"bulk": settings.NEGIN_SMS["default"]}
        out, _code = run()
        for alias in ("default", "bulk"):
            assert f"OK       {alias} settings: Its settings can be read" in out

    def test_unknown_account_cannot_be_looked_at(self, live):
        out, code = run("--account=nobody")
        assert out.startswith("UNKNOWN: There is no SMS account 'nobody'")
        assert code == 3

    def test_secrets_are_neither_printed_nor_logged(self, use_account, caplog, capfd):
        secrets = {"USERNAME": "canary-user", "PASSWORD": "canary-p&ss"}
        with Sandbox(username="a", password="b") as sandbox, caplog.at_level(0):
            logging.getLogger("urllib3").setLevel(logging.DEBUG)
            use_account(sandbox.url, **secrets, ONLY_TO=["09000000123"])
            out, _code = run("--json")
        captured = capfd.readouterr()
        for text in (out, caplog.text, captured.out, captured.err):
            assert "canary" not in text
            assert "9000000123" not in text
