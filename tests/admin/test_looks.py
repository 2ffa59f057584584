"""Our pages as they look: on a phone and on a desk, light and dark, in two languages.

``NEGIN_SMS_SCREENSHOTS=docs/screenshots pytest tests/admin/test_looks.py`` draws the
pictures of the documentation anew. Look at them before you commit them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

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
OPT_OUTS = "/admin/negin_sms/optout/"
WIDTH, PHONE, PAPER, HEIGHT = 1200, 390, 718, 900  # paper: A4, upright
WIDTHS = (PHONE, 768, 1024, 1440)
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
        "edit": f"{LIST}{admin_site.queued().pk}/edit/",
        "reschedule": f"{LIST}{admin_site.queued().pk}/reschedule/",
        "batches": f"{LIST}batches/",
        "batch": f"{LIST}batch/?{urlencode({'batch': admin_site.ORDERS})}",
        "optouts": OPT_OUTS,
        "enter": f"{OPT_OUTS}add/",
        "templates": "/admin/negin_sms/smstemplate/",
        "template": "/admin/negin_sms/smstemplate/add/",
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
def test_every_page_fits(open_browser, settings, language, scheme):
    settings.NEGIN_SMS_PERSIAN_DIGITS = True  # as it is unless somebody says no
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
        assert unnamed(page) == []
        if language == "fa":
            assert foreign(page) == [], name
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": HEIGHT})
            assert_fits(page)
            assert squeezed(page) == [], (name, width)
            assert ragged(page) == [], (name, width)
            assert touching(page) == [], (name, width)
            assert covered(page) == [], (name, width)
            # That is for themes that draw no title.
            assert not page.locator(".negin-sms-title").is_visible(), (name, width)
        page.set_viewport_size({"width": WIDTH, "height": HEIGHT})


@pytest.mark.parametrize("address", [LIST, f"{LIST}report/"])
def test_tables_are_printed_whole(open_browser, address):
    admin_site.set_up()
    page = open_browser(at=address, width=PAPER)
    page.wait_for_load_state()
    assert cut(page)  # on the screen it is scrolled
    page.emulate_media(media="print")
    assert cut(page) == []


def test_unused_fields_go_with_their_labels_in_any_theme(open_browser):
    page = open_browser(at=f"{LIST}compose/")
    page.wait_for_load_state()
    page.evaluate(
        "document.querySelectorAll('.form-row').forEach(r => r.className = '')"
    )
    page.check("[name=scenario][value=service_line]")
    assert not page.is_visible("[name=line]")
    assert not page.is_visible("label[for=id_line]")
    assert page.is_visible("label[for=id_text]")


def unnamed(page: Any) -> list[str]:
    """Return the fields, links and buttons that a screen reader has no words for."""
    script = """() => {
        const words = (e) => [e.getAttribute("aria-label"), e.title, e.textContent,
            ...Array.from(e.labels || [], (l) => l.textContent + l.innerHTML),
            e.type === "submit" ? e.value : "",
            ...Array.from(e.querySelectorAll("img"), (i) => i.alt)];
        const all = document.querySelectorAll(
            "#content :is(input:not([type=hidden]), select, textarea, a, button)");
        return Array.from(all).filter((e) => e.getClientRects().length)
            .filter((e) => e.matches("select, textarea")
                ? !(e.labels.length || e.getAttribute("aria-label") || e.title)
                : !words(e).some((w) => w && w.trim()))
            .map((e) => e.outerHTML);
    }"""
    return list(page.evaluate(script))


def squeezed(page: Any) -> list[str]:
    """Return what has a word a line, and the buttons that lie on the heading."""
    script = """() => {
        const box = (e) => e.getBoundingClientRect();
        const tall = Array.from(document.querySelectorAll("th, td, label, dt, dd, a"))
            .filter((e) => box(e).width && box(e).width < 60 && box(e).height > 70)
            .filter((e) => e.textContent.trim().length > 12);
        const heading = document.querySelector("#content h1");
        const words = document.createRange();
        if (heading) words.selectNodeContents(heading);
        const at = words.getBoundingClientRect();
        const above = Array.from(document.querySelectorAll(".object-tools li"))
            .filter((e) => at.left < box(e).right - 1 && box(e).left < at.right - 1
                && at.top < box(e).bottom - 1 && box(e).top < at.bottom - 1);
        return [...tall, ...above].map((e) => e.textContent.trim());
    }"""
    return list(page.evaluate(script))


def foreign(page: Any) -> list[str]:
    """Return Latin words of a Persian page, and what people copy in Persian digits."""
    script = """() => {
        const apart = "bdi, code, input, textarea, script, [dir=ltr], [dir=auto]";
        const named = "thead th, dt, label, legend, h1, h2, h3, button, .object-tools a";
        const walker = document.createTreeWalker(
            document.querySelector("#content"), NodeFilter.SHOW_TEXT);
        const found = [];
        while (walker.nextNode()) {
            const {data, parentElement} = walker.currentNode;
            if (parentElement.closest(apart)) continue;
            const latin = /[A-Za-z]{2}/.test(data.replace("CSV", ""));
            if (latin && parentElement.closest(named)) found.push(data.trim());
            if (/[۰-۹]{8}|[۰-۹]•|•[۰-۹]/.test(data)) found.push(data.trim());
        }
        return found;
    }"""
    return list(page.evaluate(script))


def ragged(page: Any) -> list[str]:
    """Return the rows and the forms whose values do not begin at one edge."""
    script = """() => {
        const start = (e) => {
            const words = document.createRange();
            words.selectNodeContents(e);
            const box = (e.name ? e : words).getBoundingClientRect();
            return document.dir === "rtl" ? -box.right : box.left;
        };
        const uneven = (all) => {
            const edges = all.filter((e) => e.getClientRects().length).map(start);
            return Math.max(...edges) - Math.min(...edges) > 3;
        };
        const cards = Array.from(document.querySelectorAll(".negin-sms-table tbody tr"))
            .filter((row) => getComputedStyle(row).display === "block")
            .map((row) => Array.from(row.querySelectorAll("[data-label] > *")));
        const fields = "textarea, select, input:is([type=text], [type=number])";
        const forms = Array.from(document.querySelectorAll(".negin-sms-form"),
            (form) => Array.from(form.querySelectorAll(fields)));
        return [...cards, ...forms].filter(uneven)
            .map((all) => all.map((e) => e.name || e.textContent.trim()).join(" | "));
    }"""
    return list(page.evaluate(script))


def touching(page: Any) -> list[str]:
    """Return what stands beside its neighbour without any room between them."""
    script = """() => {
        const pairs = [
            ["#changelist-search [type=submit]", "#changelist-search .quiet"],
            ["h1", ".negin-sms-guide-link"],
            [".checkbox-row input", ".checkbox-row label"],
        ];
        const box = (selector) => {
            const found = document.querySelector("#content " + selector);
            if (!found || !found.getClientRects().length) return null;
            if (found.matches("input")) return found.getBoundingClientRect();
            const words = document.createRange();
            words.selectNodeContents(found);
            return words.getBoundingClientRect();
        };
        return pairs.filter(([one, other]) => {
            const [a, b] = [box(one), box(other)];
            return a && b && a.top < b.bottom && b.top < a.bottom
                && a.left < b.right + 3 && b.left < a.right + 3;
        }).map((pair) => pair.join(" "));
    }"""
    return list(page.evaluate(script))


def covered(page: Any) -> list[str]:
    """Return the buttons of a page that lie over what it says."""
    script = """() => {
        const all = (selector) => Array.from(document.querySelectorAll(selector));
        const box = (each) => {
            const words = document.createRange();
            words.selectNodeContents(each);
            return words.getBoundingClientRect();
        };
        const said = all(
            "#content :is(h1, .negin-sms-warning, .negin-sms-note, #toolbar)").map(box);
        return all("#content .object-tools li").filter((button) => {
            const a = box(button);
            return said.some((b) => a.top < b.bottom - 1 && b.top < a.bottom - 1
                && a.left < b.right - 1 && b.left < a.right - 1);
        }).map((button) => button.innerText);
    }"""
    return list(page.evaluate(script))


def cut(page: Any) -> list[str]:
    """Return the tables of which columns are out of sight."""
    script = """() => Array.from(
            document.querySelectorAll(":is(.negin-sms-scroll, .results) table"))
        .filter((t) => t.getBoundingClientRect().width
            > t.parentElement.getBoundingClientRect().width + 1)
        .map((t) => t.id || t.closest("section").id)"""
    return list(page.evaluate(script))


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
