"""The way to the gateway, as the doctor tells of it, by real servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from negin_sms import services
from tests.badgateway import BadGateway, write_ca

pytestmark = [pytest.mark.long, pytest.mark.django_db, pytest.mark.sms_live]
NONE = timedelta()


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


def find_in(findings: tuple[services.Finding, ...], code: str) -> str:
    (text,) = [finding.text for finding in findings if finding.code == code]
    return text


class TestWay:
    def test_name_that_nobody_knows(self, use_account):
        use_account("https://nowhere.invalid/api")
        assert_critical("name", "nowhere.invalid cannot be resolved", "BASE_URL")
        assert "connection" not in codes()

    def test_name_that_cannot_be_one(self, use_account):
        use_account(f"https://{'x' * 70}.invalid/api")
        assert_critical("name", "cannot be resolved", "BASE_URL")

    def test_refused_port(self, use_account):
        with BadGateway("refused") as server:
            use_account(server.url)
            assert_critical("connection", "No connection to 127.0.0.1", "firewall")

    def test_port_that_keeps_silent(self, use_account):
        with BadGateway("connect_hang") as server:
            use_account(server.url, CONNECT_TIMEOUT=0.2)
            assert_critical("connection", "timed out", "firewall")


class TestTls:
    def test_days_left_are_told(self, tls):
        tls()
        finding = find("tls")
        assert finding.severity == "ok"
        assert finding.text.startswith("TLSv1.3; the certificate is valid for ")

    def test_end_that_comes_near_is_a_warning(self, tls):
        tls("ending")
        finding = find("certificate")
        assert finding.severity == "warning"
        assert "valid for 4 more days" in finding.text
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
        assert_critical("tls", words, advice)
        assert server.journal == []

    @pytest.mark.parametrize(
        "mode", ["handshake_cut", "handshake_reset", "plain_http_on_tls_port"]
    )
    def test_port_that_speaks_no_tls(self, tls, mode):
        tls("good", mode)
        assert_critical("tls", "No secure connection", "port in BASE_URL")

    def test_handshake_that_does_not_end_is_ended(self, tls):
        tls("good", "handshake_drip", DEADLINE=0.5)
        assert_critical("tls", "No secure connection", "port in BASE_URL")


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
            findings = services.examine()
        assert (
            find_in(findings, "connection") == f"127.0.0.1:{proxy.port} can be reached."
        )
        assert "valid for" in find_in(findings, "tls")
        assert {entry.method for entry in proxy.journal} == {"CONNECT"}
        assert "authorization" not in server.journal[0].headers
        assert proxy.journal[0].headers["proxy-authorization"].startswith("Basic ")
        assert "hidden" not in repr(findings)

    def test_that_forbids_is_no_connection(self, tls, through):
        with BadGateway("proxy_forbids") as proxy:
            through(f"http://127.0.0.1:{proxy.port}")
            tls(TRUST_ENV=True)
            assert_critical("connection", "Tunnel connection failed: 403", "firewall")

    def test_of_plain_http_is_asked_for_the_whole_address(self, use_account, through):
        with BadGateway(clock=NONE) as proxy:
            through(f"127.0.0.1:{proxy.port}")
            use_account("http://nowhere.invalid/api", TRUST_ENV=True)
            assert find("gateway_clock").severity == "ok"
        assert proxy.journal[0].target == "http://nowhere.invalid/api"

    def test_of_another_kind_is_left_alone(self, tls, through):
        through("https://127.0.0.1:9")
        tls(TRUST_ENV=True)
        findings = services.examine()
        assert "hides what is behind it" in find_in(findings, "connection")
        assert "cannot be reached" in find_in(findings, "credentials")

    def test_is_not_used_unasked(self, tls, through):
        through("http://127.0.0.1:9")
        tls()
        assert find("credentials").severity == "ok"


class TestClocks:
    @pytest.mark.parametrize(
        ("offset", "level", "words"),
        [
            (NONE, "ok", "agrees with the gateway's"),
            (timedelta(minutes=2), "warning", "s behind the gateway's"),
            (timedelta(hours=-1), "critical", "s ahead of the gateway's"),
        ],
    )
    def test_gateways(self, use_account, offset, level, words):
        with BadGateway(clock=offset) as server:
            use_account(server.url)
            finding = find("gateway_clock")
        assert (finding.severity, words in finding.text) == (level, True)
        assert ("NTP" in finding.advice) == (level != "ok")

    def test_gateway_that_tells_no_time(self, use_account):
        with BadGateway() as server:
            use_account(server.url)
            assert find("gateway_clock").text == "The gateway does not tell the time."

    @pytest.mark.parametrize("mode", ["close_after_body", "garbage_bytes", "no_answer"])
    def test_gateway_that_does_not_answer_is_asked_on(self, use_account, mode):
        with BadGateway(mode, "good") as server:
            use_account(server.url, READ_TIMEOUT=0.3)
            assert [find(s).severity for s in ("gateway_clock", "credentials")] == [
                "ok",
                "ok",
            ]
