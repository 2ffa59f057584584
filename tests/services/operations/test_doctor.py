"""The doctor: each finding provoked, by real servers on this machine."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from negin_sms import services
from negin_sms.choices import Priority
from negin_sms.exceptions import InvalidConfiguration
from negin_sms.gateway.sandbox import Sandbox
from negin_sms.models import AccountState
from negin_sms.querysets import database_now
from negin_sms.services.operations.findings import Level
from tests.badgateway import BadGateway, write_ca
from tests.factories import MessageFactory

# The doctor examines what the settings say, not what the kit makes of them.
pytestmark = [pytest.mark.django_db, pytest.mark.sms_live]

NONE = timedelta()


@pytest.fixture
def alive() -> None:
    """Have a dispatcher and a poller that came by just now."""
    AccountState.objects.create(
        account="default",
        dispatcher_seen_at=timezone.now(),
        poller_seen_at=timezone.now(),
    )


def find(subject: str) -> services.Finding:
    """Examine, and return the worst finding on a subject."""
    findings = services.examine().findings
    levels = list(Level)
    ours = [finding for finding in findings if finding.subject == subject]
    return max(ours, key=lambda finding: levels.index(finding.level))


def subjects() -> list[str]:
    return [finding.subject for finding in services.examine().findings]


def assert_failure(subject: str, words: str, advice: str) -> None:
    finding = find(subject)
    assert finding.level == "failure"
    assert words in finding.words
    assert advice in finding.advice
    # What lies behind it is not looked at.
    assert "credentials" not in subjects() or subject == "credentials"


class TestHealthy:
    def test_everything_is_looked_at_in_order(self, live, alive):
        diagnosis = services.examine()
        assert [finding.subject for finding in diagnosis.findings] == [
            *("database clock", "settings", "name", "connection", "clock"),
            *("credentials", "dispatcher", "poller"),
        ]
        assert {finding.level for finding in diagnosis.findings} == {"ok"}
        assert diagnosis.is_well

    def test_nothing_is_sent_and_nothing_written(self, live):
        MessageFactory()
        with CaptureQueriesContext(connection) as queries:
            services.examine()
        assert live.taken == []
        assert all(query["sql"].startswith("SELECT") for query in queries)

    def test_one_account_alone(self, settings, live):
        account = settings.NEGIN_SMS["default"]
        settings.NEGIN_SMS = {"default": account, "bulk": account}
        assert {f.account for f in services.examine().findings} == {
            "",
            "default",
            "bulk",
        }
        found = services.examine(account="bulk").findings
        assert {finding.account for finding in found} == {"", "bulk"}
        with pytest.raises(InvalidConfiguration, match="nobody"):
            services.examine(account="nobody")


class TestSettings:
    def test_what_cannot_be_read_is_a_finding(self, settings):
        settings.NEGIN_SMS = {"default": {"USERNAME": "user", "LINE": "98"}}
        (finding,) = services.examine().findings
        assert (finding.subject, finding.level) == ("settings", "failure")
        assert "PASSWORD" in finding.words

    @pytest.mark.parametrize(
        ("keys", "words"),
        [
            ({"CA_FILE": "/nowhere.pem"}, "CA_FILE"),
            ({"BACKEND": "no.such.Gateway"}, "BACKEND"),
        ],
    )
    def test_what_cannot_be_used_is_a_finding(self, use_account, keys, words):
        use_account("https://127.0.0.1:9/api", **keys)
        assert_failure("settings", words, "")

    @pytest.mark.parametrize(
        ("keys", "words"),
        [
            ({"DISPATCH": False}, "switched off"),
            ({"ONLY_TO": ["09395213300"]}, "ONLY_TO"),
            ({"BACKEND": "negin_sms.gateway.memory.MemoryGateway"}, "development"),
        ],
    )
    def test_what_keeps_messages_back_is_a_warning(
        self, live, use_account, keys, words
    ):
        use_account(live.url, **keys)
        finding = find("settings")
        assert finding.level == "warning"
        assert words in finding.words
        assert "9395213300" not in finding.words

    def test_password_in_the_open_is_a_warning(self, use_account):
        use_account("http://nowhere.invalid/api")
        assert "plain http" in find("settings").words


class TestWay:
    def test_name_that_nobody_knows(self, use_account):
        use_account("https://nowhere.invalid/api")
        assert_failure("name", "nowhere.invalid cannot be resolved", "BASE_URL")
        assert "connection" not in subjects()

    def test_name_that_cannot_be_one(self, use_account):
        use_account(f"https://{'x' * 70}.invalid/api")
        assert_failure("name", "cannot be resolved", "BASE_URL")

    def test_refused_port(self, use_account):
        with BadGateway("refused") as server:
            use_account(server.url)
            assert_failure("connection", "No connection to 127.0.0.1", "firewall")

    def test_port_that_keeps_silent(self, use_account):
        with BadGateway("connect_hang") as server:
            use_account(server.url, CONNECT_TIMEOUT=0.2)
            assert_failure("connection", "timed out", "firewall")


@pytest.fixture
def tls(use_account, tmp_path) -> Iterator[Callable[..., BadGateway]]:
    """Give a function that serves a certificate, to an account that trusts ours."""
    servers = []

    def serve(certificate: str = "good", *script: str, **keys: Any) -> BadGateway:
        server = BadGateway(*script, scheme="https", certificate=certificate)
        servers.append(server.__enter__())
        use_account(server.url, CA_FILE=write_ca(tmp_path / "ca.pem"), **keys)
        return server

    yield serve
    for server in servers:
        server.__exit__()


class TestTls:
    def test_days_left_are_told(self, tls):
        tls()
        finding = find("tls")
        assert finding.level == "ok"
        assert finding.words.startswith("TLSv1.3; the certificate is valid for ")

    def test_end_that_comes_near_is_a_warning(self, tls):
        tls("ending")
        finding = find("tls")
        assert finding.level == "warning"
        assert "valid for 4 more days" in finding.words
        assert "renew" in finding.advice

    @pytest.mark.parametrize(
        ("certificate", "words", "advice"),
        [
            ("expired", "has expired", "this machine's clock"),
            ("other_name", "127.0.0.1", "another host's"),
            ("self_signed", "self-signed certificate", "CA_FILE"),
            ("untrusted", "issuer certificate", "CA_FILE"),
            ("old_tls", "127.0.0.1", "what stands between"),
        ],
    )
    def test_certificate_that_is_not_accepted(self, tls, certificate, words, advice):
        server = tls(certificate)
        assert_failure("tls", words, advice)
        assert server.journal == []

    @pytest.mark.parametrize(
        "mode", ["handshake_cut", "handshake_reset", "plain_http_on_tls_port"]
    )
    def test_port_that_speaks_no_tls(self, tls, mode):
        tls("good", mode)
        assert_failure("tls", "No secure connection", "port in BASE_URL")

    def test_handshake_that_does_not_end_is_ended(self, tls):
        tls("good", "handshake_drip", DEADLINE=0.5)
        assert_failure("tls", "No secure connection", "port in BASE_URL")


class TestProxy:
    @pytest.fixture
    def through(self, monkeypatch) -> Callable[[str], None]:
        for name in ("no_proxy", "all_proxy", "http_proxy", "https_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)

        def use(address: str) -> None:
            monkeypatch.setenv("http_proxy", address)
            monkeypatch.setenv("https_proxy", address)

        return use

    def test_is_looked_at_and_looked_through(self, tls, through):
        with BadGateway("proxy_tunnels") as proxy:
            through(f"http://someone:hidden@127.0.0.1:{proxy.port}")
            server = tls(TRUST_ENV=True)
            diagnosis = services.examine()
        assert (
            find_in(diagnosis, "connection")
            == f"127.0.0.1:{proxy.port} can be reached."
        )
        assert "valid for" in find_in(diagnosis, "tls")
        assert {entry.method for entry in proxy.journal} == {"CONNECT"}
        assert "authorization" not in server.journal[0].headers
        assert proxy.journal[0].headers["proxy-authorization"].startswith("Basic ")
        assert "hidden" not in repr(diagnosis)

    def test_that_forbids_is_no_connection(self, tls, through):
        with BadGateway("proxy_forbids") as proxy:
            through(f"http://127.0.0.1:{proxy.port}")
            tls(TRUST_ENV=True)
            assert_failure("connection", "Tunnel connection failed: 403", "firewall")

    def test_of_plain_http_is_asked_for_the_whole_address(self, use_account, through):
        with BadGateway(clock=NONE) as proxy:
            through(f"127.0.0.1:{proxy.port}")
            use_account("http://nowhere.invalid/api", TRUST_ENV=True)
            assert find("clock").level == "ok"
        assert proxy.journal[0].target == "http://nowhere.invalid/api"

    def test_of_another_kind_is_left_alone(self, tls, through):
        through("https://127.0.0.1:9")
        tls(TRUST_ENV=True)
        diagnosis = services.examine()
        assert "hides what is behind it" in find_in(diagnosis, "connection")
        assert "cannot be reached" in find_in(diagnosis, "credentials")

    def test_is_not_used_unasked(self, tls, through):
        through("http://127.0.0.1:9")
        tls()
        assert find("credentials").level == "ok"


def find_in(diagnosis: services.Diagnosis, subject: str) -> str:
    (words,) = [f.words for f in diagnosis.findings if f.subject == subject]
    return words


class TestClocks:
    @pytest.mark.parametrize(
        ("offset", "level", "words"),
        [
            (NONE, "ok", "agrees with the gateway's"),
            (timedelta(minutes=2), "warning", "s behind the gateway's"),
            (timedelta(hours=-1), "failure", "s ahead of the gateway's"),
        ],
    )
    def test_gateways(self, use_account, offset, level, words):
        with BadGateway(clock=offset) as server:
            use_account(server.url)
            finding = find("clock")
        assert (finding.level, words in finding.words) == (level, True)
        assert ("NTP" in finding.advice) == (level != "ok")

    def test_gateway_that_tells_no_time(self, use_account):
        with BadGateway() as server:
            use_account(server.url)
            assert find("clock").words == "The gateway does not tell the time."

    @pytest.mark.parametrize("mode", ["close_after_body", "garbage_bytes", "no_answer"])
    def test_gateway_that_does_not_answer_is_asked_on(self, use_account, mode):
        with BadGateway(mode, "good") as server:
            use_account(server.url, READ_TIMEOUT=0.3)
            assert [find(s).level for s in ("clock", "credentials")] == ["ok", "ok"]

    def test_databases(self, live, monkeypatch):
        """Nothing turns the database's clock back but this."""
        told = database_now
        monkeypatch.setattr(
            "negin_sms.services.operations.doctor.database_now",
            lambda using: told(using) - timedelta(seconds=60),
        )
        finding = find("database clock")
        assert finding.level == "warning"
        assert "s ahead of the database's" in finding.words


class TestCredentials:
    def test_wrong_password(self, use_account):
        with Sandbox(username="user", password="other") as sandbox:
            use_account(sandbox.url)
            assert_failure("credentials", "Wrong username or password", "PASSWORD")

    def test_id_that_the_gateway_does_not_know_is_no_finding(self, use_account):
        with BadGateway() as server:
            server.poisoned = {"1"}
            use_account(server.url)
            assert find("credentials").level == "ok"

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
            ("status_404", "failure", "front door"),
            ("status_500", "failure", "500"),
            ("html_200", "failure", "cannot be read"),
        ],
    )
    def test_other_answers(self, use_account, mode, level, words):
        with BadGateway("good", mode) as server:
            use_account(server.url)
            finding = find("credentials")
        assert (finding.level, words in finding.words) == (level, True)
        assert finding.advice


def seen(ago: timedelta, **fields: Any) -> None:
    AccountState.objects.create(
        account="default",
        dispatcher_seen_at=timezone.now() - ago,
        poller_seen_at=timezone.now() - ago,
        **fields,
    )


class TestWorkers:
    LONG = timedelta(minutes=9)

    @pytest.mark.parametrize("subject", ["dispatcher", "poller"])
    def test_never_seen_is_a_warning(self, live, subject):
        finding = find(subject)
        assert finding.level == "warning"
        assert "was seen for 5 minutes" in finding.words
        assert "manage.py" in finding.advice

    @pytest.mark.parametrize("subject", ["dispatcher", "poller"])
    @pytest.mark.parametrize(
        ("ago", "level", "words"),
        [
            (LONG, "failure", "was seen for 5 min"),
            (NONE, "warning", "does not keep up"),
        ],
    )
    def test_work_that_waits(self, live, subject, ago, level, words):
        seen(ago)
        MessageFactory(due_at=timezone.now() - self.LONG)
        MessageFactory(accepted=True, poll_at=timezone.now() - self.LONG)
        finding = find(subject)
        assert (finding.level, words in finding.words) == (level, True)
        assert "for 54" in finding.words

    def test_waker_needs_no_idle_dispatcher(self, live, use_account):
        use_account(live.url, WAKER="tests.services.operations.test_doctor.find")
        assert find("dispatcher").level == "ok"
        MessageFactory(due_at=timezone.now() - self.LONG)
        assert find("dispatcher").level == "failure"

    def test_quiet_hours_are_no_lag(self, live, alive, use_account):
        use_account(live.url, QUIET_HOURS=("22:00", "08:00"))
        MessageFactory(due_at=timezone.now() - self.LONG, priority=Priority.LOW)
        assert find("dispatcher").level == "ok"
        MessageFactory(due_at=timezone.now() - self.LONG)
        assert find("dispatcher").level == "warning"

    def test_pause_is_told_with_its_reason(self, live):
        services.pause_account("default", reason="credit")
        finding = find("dispatcher")
        assert (finding.level, finding.words) == (
            "warning",
            "The account is paused: credit",
        )
        assert "resume_sms_account default" in finding.advice

    def test_no_dispatcher_is_missed_where_nothing_is_sent(self, live, use_account):
        use_account(live.url, DISPATCH=False)
        assert "dispatcher" not in subjects()


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
        assert "FAILURE  default name: The name nowhere.invalid cannot be" in out
        assert "\n         → Check BASE_URL" in out

    def test_broken_settings_are_told_too(self, settings):
        settings.NEGIN_SMS = {"default": {"USER": "user"}}
        out, code = run()
        assert code == 2
        assert out.startswith("FAILURE  settings: NEGIN_SMS")

    def test_json_is_for_programs(self, live, alive):
        out, code = run("--json", "--account=default")
        data = json.loads(out)
        assert (code, data["level"]) == (0, "ok")
        assert data["findings"][-1] == {
            "account": "default",
            "subject": "poller",
            "level": "ok",
            "words": "poll_sms_states keeps up.",
            "advice": "",
        }

    def test_unknown_account_cannot_be_looked_at(self, live):
        with pytest.raises(CommandError, match="nobody"):
            run("--account=nobody")

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
