"""Looking at the route to a gateway: how far it is open, and nothing is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from negin_sms.conf import Account
from negin_sms.gateway import reachability
from negin_sms.gateway.reachability import Step
from tests.badgateway import BadGateway, write_ca


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    return write_ca(tmp_path / "ca.pem")


def look(url: str, ca_file: str | None = None) -> reachability.Route:
    account = Account(
        alias="default",
        username="user",
        password="canary",
        base_url=url,
        ca_file=ca_file,
        connect_timeout=0.5,
        read_timeout=1.0,
        deadline=2.0,
    )
    return reachability.look(account)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_open_way(scheme: str, ca_file: str):
    with BadGateway(scheme=scheme) as server:
        route = look(server.url, ca_file=ca_file)
        assert all(b"canary" not in entry.raw for entry in server.journal)
    assert (route.failed, route.addresses) == (None, ("127.0.0.1",))
    assert bool(route.tls_version) == (scheme == "https")


def test_name_that_nobody_knows():
    assert look("http://gateway.invalid/api").failed is Step.NAME


@pytest.mark.parametrize("mode", ["refused", "connect_hang"])
def test_nobody_there(mode: str):
    with BadGateway(mode) as server:
        assert look(server.url).failed is Step.CONNECTION


@pytest.mark.parametrize("certificate", ["expired", "self_signed", "other_name"])
def test_certificate_that_is_not_accepted(certificate: str, ca_file: str):
    with BadGateway(scheme="https", certificate=certificate) as server:
        route = look(server.url, ca_file=ca_file)
    assert (route.failed, route.verify_code > 0) == (Step.TLS, True)


@pytest.mark.parametrize("mode", ["no_answer", "close_after_body", "garbage_bytes"])
def test_no_answer(mode: str):
    with BadGateway(mode) as server:
        assert look(server.url).failed is Step.ANSWER
