"""Our pages as they look: on a phone and on a desk, light and dark, in two languages.

``NEGIN_SMS_SCREENSHOTS=docs/screenshots pytest tests/admin/test_looks.py`` draws the
pictures of the documentation anew. Look at them before you commit them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils.translation import override

from negin_sms.models import AccountState
from negin_sms.services import pause_account
from tests import admin_site
from tests.browser import assert_fits

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SCREENSHOTS = os.environ.get("NEGIN_SMS_SCREENSHOTS", "")
LIST = "/admin/negin_sms/message/"
ACCOUNT = "/admin/negin_sms/accountstate/"
WIDTH, PHONE, HEIGHT = 1200, 390, 900
SHOWN = {"compose", "preview", "list", "message", "review", "report"}
MODES = [("en", "dark"), ("fa", "light")]
if SCREENSHOTS:
    MODES += [("en", "light"), ("fa", "dark")]


def visit(page: Any) -> Iterator[str]:
    """Open one page of ours after the other; give each one's name."""
    page.goto(LIST + "compose/")
    page.fill("[name=recipients]", admin_site.RECIPIENTS)
    page.fill("[name=text]", admin_site.TEXT)
    page.fill("[name=group]", admin_site.ORDERS)
    yield "compose"
    page.fill("[name=recipients]", admin_site.RECIPIENTS + "0939,\n")
    press(page, ".negin-sms-refused")
    yield "refused"
    page.fill("[name=recipients]", "")
    press(page, ".negin-sms-totals")
    yield "preview"
    message, doubt = admin_site.followed(), admin_site.undecided()
    for name, address in {
        "list": LIST,
        "message": f"{LIST}{message.pk}/change/",
        "history": f"{LIST}{message.pk}/history/",
        "draft": f"{LIST}add/",
        "review": f"{LIST}review/",
        "resolve": f"{LIST}{doubt.pk}/resolve/",
        "resend": f"{LIST}{doubt.pk}/resend/",
        "reveal": f"{LIST}{admin_site.sensitive().pk}/reveal/",
        "send": f"{LIST}{admin_site.queued().pk}/send/",
        "report": f"{LIST}report/",
        "guide": f"{LIST}guide/",
        "index": "/admin/negin_sms/",
        "accounts": ACCOUNT,
        "pause": f"{ACCOUNT}{AccountState.objects.get().pk}/pause/",
    }.items():
        page.goto(address)
        yield name
    pause_account("default", reason="اعتبار حساب کافی نیست.")
    page.goto("/admin/negin_sms/")
    yield "paused"


def press(page: Any, expected: str) -> None:
    page.click(".submit-row .default")
    page.wait_for_selector(expected)


@pytest.mark.parametrize(("language", "scheme"), MODES)
def test_every_page_fits(open_browser, language, scheme):
    with override(language):
        admin_site.set_up()
    page = open_browser(at=LIST, language=language, color_scheme=scheme, width=WIDTH)
    page.click("#toggle-nav-sidebar")
    direction = "rtl" if language == "fa" else "ltr"
    for name in visit(page):
        page.wait_for_load_state()
        assert page.get_attribute("html", "dir") == direction
        assert_fits(page)
        assert left_of_numbers(page) == set()
        if SCREENSHOTS and name in SHOWN:
            keep(page, f"{name}-{language}-{scheme}.png")
        page.set_viewport_size({"width": PHONE, "height": HEIGHT})
        assert_fits(page)
        page.set_viewport_size({"width": WIDTH, "height": HEIGHT})


def left_of_numbers(page: Any) -> set[str]:
    """Return what is shown of phone numbers in another order than it is written."""
    script = """() => {
        const found = [];
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
            const text = walker.currentNode;
            const at = text.data.search(/\\+989\\d{9}/);
            if (at < 0) continue;
            const range = document.createRange();
            const place = (offset) => {
                range.setStart(text, offset);
                range.setEnd(text, offset + 1);
                return range.getBoundingClientRect().left;
            };
            if (place(at) > place(at + 1)) found.push(text.data);
        }
        return found;
    }"""
    return set(page.evaluate(script))


def keep(page: Any, name: str) -> None:
    """Save a picture of the page, in few colours: it is in the repository for good."""
    from PIL import Image

    path = Path(SCREENSHOTS) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    page.evaluate("document.activeElement.blur()")
    page.screenshot(path=path, full_page=True)
    with Image.open(path) as image:
        image.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(
            path, optimize=True
        )
