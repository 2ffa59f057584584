"""Whom an account trusts, and what of the environment is obeyed."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

import pytest

from negin_sms.conf import Account
from negin_sms.exceptions import InvalidConfiguration, NotSent
from negin_sms.gateway import tls
from negin_sms.gateway.client import NeginGateway
from negin_sms.gateway.wire import SendRequest
from tests.badgateway import BadGateway, write_ca


def account(url: str = "https://127.0.0.1/api", **changes) -> Account:
    return Account(alias="default", base_url=url, **changes)


def send(to: Account) -> object:
    gateway = NeginGateway(to)
    try:
        return gateway.send(SendRequest(mobile="+989395213300", text="x", line="98"))
    finally:
        gateway.close()


@pytest.fixture(autouse=True)
def _read_anew():
    tls._context.cache_clear()
    yield
    tls._context.cache_clear()


@pytest.fixture
def environment(monkeypatch, tmp_path: Path) -> Path:
    """Name an authority and a file of keys, as a developer's shell may; return that."""
    monkeypatch.setenv("SSL_CERT_FILE", write_ca(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    return tmp_path / "keys"


def test_authority_of_the_environment_is_not_trusted(environment: Path):
    with BadGateway(scheme="https") as server, pytest.raises(NotSent):
        send(account(server.url))


def test_keys_are_not_written_to_where_the_environment_says(
    environment: Path, tmp_path: Path
):
    with BadGateway(scheme="https") as server:
        send(account(server.url, ca_file=str(tmp_path / "ca.pem")))
    assert not environment.exists()


def test_both_are_obeyed_where_the_account_trusts_its_environment(environment: Path):
    with BadGateway(scheme="https") as server:
        send(account(server.url, trust_env=True))
    assert "CLIENT" in environment.read_text()


def test_system_is_trusted_as_by_default():
    ours, usual = tls.trust_of(account()), ssl.create_default_context()
    trusted = {each["serialNumber"] for each in ours.get_ca_certs()}
    assert {each["serialNumber"] for each in usual.get_ca_certs()} <= trusted
    assert (ours.verify_mode, ours.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert ours.verify_flags & usual.verify_flags == usual.verify_flags
    assert ours.minimum_version == ssl.TLSVersion.TLSv1_2


def test_contexts_of_accounts_with_other_trust_are_apart():
    assert tls.trust_of(account()) is tls.trust_of(account(line="98"))
    assert tls.trust_of(account()) is not tls.trust_of(account(trust_env=True))


def test_missing_ca_file_is_named():
    with pytest.raises(InvalidConfiguration, match="CA_FILE"):
        tls.trust_of(account(ca_file="/nowhere/ca.pem"))


def test_windows_keeps_its_authorities_in_a_store(monkeypatch, tmp_path: Path):
    """Played on a system that has none: its function hands out what the test put in."""
    pem = Path(write_ca(tmp_path / "ca.pem")).read_text()
    store = [
        (ssl.PEM_cert_to_DER_cert(pem), "x509_asn", True),
        (b"", "pkcs_7_asn", True),
    ]
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ssl, "enum_certificates", lambda name: store, raising=False)
    with BadGateway(scheme="https") as server:
        send(account(server.url))
