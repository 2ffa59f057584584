"""The pool of connections to one gateway, by a proxy where the environment names one.

requests finds out which proxy that is and what it is to be told; the requests
themselves go over urllib3's pool, whose connections are ours (see ``connections``).
Without a Session nothing follows redirects, keeps cookies or reads .netrc.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import requests
import urllib3
from requests.adapters import HTTPAdapter

from negin_sms.conf import Account

from . import connections
from .tls import trust_of


@dataclass(frozen=True, slots=True)
class Route:
    """How to post to one address: over which pool, to which target.

    ``login`` is what every form begins with, encoded.
    """

    pool: Any
    target: str
    headers: dict[str, str] = field(repr=False)
    login: str = field(repr=False)


class Pool(HTTPAdapter):
    """requests' adapter with our connections and our TLS context, asked for routes."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._context = trust_of(account)
        self._routes: dict[str, Route] = {}
        super().__init__(pool_connections=2, pool_maxsize=max(account.workers, 2))

    def route_to(self, path: str, headers: dict[str, str]) -> Route:
        """Return the route to a path below the account's address, found once."""
        route = self._routes.get(path)
        if route is None:
            route = self._routes[path] = self._find_route(path, headers)
        return route

    def _find_route(self, path: str, headers: dict[str, str]) -> Route:
        account = self._account
        request = requests.Request(
            "POST", account.base_url + path, headers=headers, auth=_netrc(account)
        ).prepare()
        request.headers.pop("Content-Length", None)  # the body is still to come
        proxies = proxies_of(account)
        login = {"username": account.username, "password": account.password}
        return Route(
            self.get_connection_with_tls_context(request, True, proxies),
            self.request_url(request, proxies),
            dict(request.headers),
            urlencode(login),
        )

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use our connections and our TLS context without a proxy."""
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)
        self.poolmanager.pool_classes_by_scheme = connections.POOL_CLASSES

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Use them behind a proxy too."""
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)
        manager.pool_classes_by_scheme = connections.POOL_CLASSES
        return manager

    def close(self) -> None:
        """Close what is kept; routes are found again when they are asked for."""
        super().close()
        self._routes = {}


def post(
    route: Route, body: bytes, timeout: urllib3.Timeout, headers: dict[str, str]
) -> Any:
    """Post once, with some headers more, and return the answer, its body unread.

    Nothing is tried again and no redirect is followed: urllib3 raises what happens.
    """
    return route.pool.urlopen(
        "POST",
        route.target,
        body=body,
        headers={**route.headers, **headers} if headers else route.headers,
        timeout=timeout,
        retries=False,
        redirect=False,
        assert_same_host=False,
        preload_content=False,
        decode_content=False,
    )


def proxies_of(account: Account) -> dict[str, str]:
    """Return the environment's proxies by scheme, if the account has TRUST_ENV."""
    if not account.trust_env:
        return {}
    return dict(requests.utils.get_environ_proxies(account.base_url))


def proxy_of(account: Account) -> str:
    """Return the address of the proxy before the gateway, "" where there is none."""
    return requests.utils.select_proxy(account.base_url, proxies_of(account)) or ""


def _netrc(account: Account) -> tuple[str, str] | None:
    if not account.trust_env:
        return None
    return requests.utils.get_netrc_auth(account.base_url)
