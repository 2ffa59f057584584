"""The way to a gateway: found once, straight or by the environment's proxy."""

from __future__ import annotations

import pytest
import urllib3

from negin_sms.conf import Account
from negin_sms.gateway import connections, pool
from negin_sms.gateway.deadline import Exchange
from negin_sms.gateway.keep_alive import KeepAlive
from tests.badgateway import REDIRECTS, BadGateway

PROXY = "http://someone:s%40cret@127.0.0.1:3128"


def account(url: str = "http://gateway.test/api", **changes) -> Account:
    return Account(alias="default", base_url=url, **changes)


@pytest.fixture
def proxy(monkeypatch) -> None:
    for name in ("no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, PROXY)


@pytest.mark.usefixtures("proxy")
def test_environment_is_asked_only_where_the_account_says_so():
    assert pool.proxy_of(account()) == ""
    assert pool.proxy_of(account(trust_env=True)) == PROXY


def test_route_is_found_once():
    made = pool.Pool(account())
    assert made.route_to("/a", {}) is made.route_to("/a", {})
    assert made.route_to("/a", {}).target == "/api/a"


@pytest.mark.usefixtures("proxy")
def test_proxy_is_asked_for_the_whole_address_and_told_who_asks():
    route = pool.Pool(account(trust_env=True)).route_to("/a", {})
    assert route.target == "http://gateway.test/api/a"
    assert route.pool.proxy.host == "127.0.0.1"
    assert "Proxy-Authorization" in route.pool.proxy_headers
    assert "cret" not in repr(route)


def test_number_of_connections_kept_is_the_workers():
    route = pool.Pool(account(workers=7)).route_to("/a", {})
    assert route.pool.pool.maxsize == 7


@pytest.mark.parametrize("status", REDIRECTS)
def test_redirects_are_answers_like_others(status: int):
    with BadGateway() as elsewhere:
        with BadGateway(f"redirect_{status}", target=elsewhere.url) as server:
            assert post_to(server).status == status
        assert elsewhere.connections == 0


def test_nothing_is_tried_again():
    with BadGateway("close_after_body") as server:
        with pytest.raises(urllib3.exceptions.ProtocolError):
            post_to(server)
        assert server.connections == 1


def post_to(server: BadGateway):
    made = pool.Pool(account(server.url))
    exchange = Exchange(deadline=1e9, start_by=1e9, connect_within=5)
    connections.begin(exchange, KeepAlive(5))
    try:
        route = made.route_to("/wsSend.ashx", {})
        return pool.post(route, b"mobile=98912", urllib3.Timeout(2), {})
    finally:
        exchange.close()
        connections.end()
        made.close()
