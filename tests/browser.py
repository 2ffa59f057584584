"""A real browser for the admin's pages: Debian's chromium, driven by Playwright.

``open_browser`` gives a page that is logged in nowhere yet; it fails its test for a
console error, an error of a script, a request that fails or one to another host. Each
step of the walk in test_browser.py is a function of that page, so that a new step is
one more function. Selectors are names and ids, never words: the walk is Persian too.

Where Playwright or chromium is missing the tests are skipped, and fail instead when
NEGIN_SMS_BROWSER is set, as .ci/run does.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

from tests import policy

REQUIRED = "NEGIN_SMS_BROWSER"
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
    "--disable-quic",
]
# Milliseconds for anything to appear. On a busy machine a first page has taken more
# than ten seconds: it comes with twenty files.
WAIT = 60_000
PASSWORD = "a password"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Run a browser for the tests of one module.

    No longer than that: while it runs, Playwright's event loop does too, and Django
    takes every test for an asynchronous one.
    """
    sync_api = _playwright()
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        _do_without("chromium is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        with sync_api.sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
            yield browser
            browser.close()


@pytest.fixture
def open_browser(
    chromium, live_server, monkeypatch, settings
) -> Iterator[Callable[..., Any]]:
    """Open a page: ``open_browser(language="fa", color_scheme="dark", width=390)``.

    With ``at`` a superuser is logged in already, and that address opened.
    """
    settings.NEGIN_SMS_PERSIAN_DIGITS = True  # as it is unless somebody says no
    monkeypatch.setattr(policy, "turns", threading.Lock())
    contexts: list[Any] = []
    troubles: list[str] = []

    def open_one(
        *,
        at: str = "",
        language: str = "en",
        color_scheme: str = "light",
        width: int = 1280,
        time_zone: str | None = None,
    ) -> Any:
        context = chromium.new_context(
            base_url=live_server.url,
            locale=language,
            color_scheme=color_scheme,
            timezone_id=time_zone,
            viewport={"width": width, "height": 900},
            accept_downloads=True,
        )
        context.set_default_timeout(WAIT)
        contexts.append(context)
        # Browsers ask for it by themselves, and tests have none.
        context.route("**/favicon.ico", lambda route: route.fulfill(status=204))
        page = context.new_page()
        _watch(page, urlsplit(live_server.url).netloc, troubles)
        if at:
            context.add_cookies([{**_session(), "url": live_server.url}])
            page.goto(at)
        return page

    yield open_one
    for context in contexts:
        context.close()
    if troubles:
        pytest.fail("\n".join(troubles))


def log_in(page: Any) -> Any:
    """Log a superuser in through the form, and return them."""
    user = _operator()
    page.goto("/admin/login/?next=/admin/negin_sms/message/")
    page.fill("#id_username", "operator")
    page.fill("#id_password", PASSWORD)
    page.click("#login-form [type=submit]")
    page.wait_for_selector("#changelist")
    return user


def assert_fits(page: Any) -> None:
    """Fail where the page is wider than its window: somebody would have to scroll."""
    # Elements are there before the style sheets that make them narrow.
    page.wait_for_load_state()
    wider = (
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert page.evaluate(wider) <= 0


def latin(text: str) -> str:
    """Return what a page says with 0 to 9, to be compared in both languages."""
    return text.translate(str.maketrans("۰۱۲۳۴۵۶۷۸۹", "0123456789"))


def _operator() -> Any:
    return get_user_model().objects.create_superuser("operator", password=PASSWORD)


def _session() -> dict[str, str]:
    client = Client()
    client.force_login(_operator())
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value}


def _watch(page: Any, host: str, troubles: list[str]) -> None:
    def note_console(entry: Any) -> None:
        if entry.type in ("error", "warning"):
            troubles.append(f"console: {entry.text}")

    def note_request(request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.netloc != host:
            troubles.append(f"request to another host: {request.url}")

    def note_response(response: Any) -> None:
        if response.status >= 400:
            troubles.append(f"{response.status}: {response.url}")

    page.on("console", note_console)
    page.on("pageerror", lambda error: troubles.append(f"script: {error}"))
    page.on("request", note_request)
    page.on("response", note_response)


def _playwright() -> Any:
    try:
        from playwright import sync_api
    except ImportError:
        _do_without('Playwright is not installed: pip install -e ".[browser]"')
    return sync_api


def _do_without(reason: str) -> Any:
    if os.environ.get(REQUIRED):
        pytest.fail(f"{reason}, and {REQUIRED} is set")
    pytest.skip(reason)
