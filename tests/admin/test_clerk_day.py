"""A clerk's day in a real browser, in Persian: from the last message to the report.

Each step is a function of the page; see tests/browser.py. The clerk writes, another
user confirms.
"""

from __future__ import annotations

import io
import unicodedata
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from negin_sms import services
from negin_sms.choices import Scenario, Status
from negin_sms.models import Message
from tests.browser import assert_fits
from tests.factories import MessageFactory

openpyxl = pytest.importorskip("openpyxl")
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIST = "/admin/negin_sms/message/"
COMPOSE = LIST + "compose/"
PATIENT = "+989395213300"
# The sandbox's recipient that has opted out of every line but the service line.
REFUSED = "09000000005"
OPTED_OUT = "09000000100"
NUMBERS = [REFUSED, *(f"09000000{number}" for number in range(100, 399))]
TEXT = "{نام} عزیز، نوبت شما فرداست."
PRICE = 1_430
CLERK = (
    *("view", "add", "change", "resend", "reschedule", "export", "view_sensitive"),
)
BOSS = ("view", "send")


def press(page: Any, button: str) -> None:
    """Press a button by script: what is still being laid out moves away from under a
    mouse, and a key that comes before it is drawn is lost.
    """
    page.locator(button).evaluate("button => button.click()")


# The steps.


def find_the_last_message(page: Any) -> None:
    """Three wrote to the same patient; the newest is on top, found by four digits."""
    page.goto(LIST)
    page.fill("[name=q]", "۳۳۰۰")
    page.press("[name=q]", "Enter")
    page.wait_for_url("**?q=*")
    page.wait_for_selector("#result_list")
    assert page.locator("#result_list tbody tr").count() == 3
    page.click("#result_list tbody tr:first-child th a")
    page.wait_for_selector(".field-shown_text")
    assert "نتیجهٔ آزمایش" in page.inner_text(".field-shown_text")


def write(page: Any) -> None:
    page.goto(LIST)
    page.click(f"a[href='{COMPOSE}']")
    page.set_input_files("[name=file]", people())
    page.fill("[name=text]", TEXT)
    page.fill("[name=group]", "نوبت")
    press(page, ".submit-row .default")
    page.wait_for_selector(".negin-sms-totals")
    assert number(page, "[data-total=recipients]") == 300
    assert "فاطمه" in page.inner_text(".negin-sms-samples")
    assert_fits(page)


def see_the_cost(page: Any) -> None:
    assert number(page, "[data-total=rials]") == 300 * PRICE
    warnings = page.locator(".negin-sms-warning").all_inner_texts()
    assert 1 in map(digits, warnings)  # of those who have opted out
    assert page.locator("form[action$='/confirm/']").count() == 0


def confirm(page: Any) -> None:
    """Find what waits on the index, look at it, confirm it."""
    page.goto("/admin/negin_sms/")
    page.click(".negin-sms-warning a[href$='/batches/']")
    page.click(".negin-sms-table a[href*='/preview/']")
    press(page, "form[action$='/confirm/'] .default")
    page.wait_for_selector(".negin-sms-batch")
    assert number(page, "[data-total=queued]") == 300


def reschedule_one(page: Any, group: str) -> None:
    page.goto(f"{LIST}batch/?batch={group}")
    page.click(f".negin-sms-batch a[href^='{LIST}?group=']")
    page.click("#result_list tbody tr:first-child th a")
    page.click("a[href*='/reschedule/']")
    page.fill("[name=send_at]", "۱۴۱۸/۱۰/۱۲ ۱۰:۰۰")
    page.press("[name=send_at]", "Escape")
    press(page, ".negin-sms-form .default")
    page.wait_for_selector("[name=sure]", state="attached")
    press(page, ".negin-sms-form .default")
    page.wait_for_selector(".messagelist .success")
    last = Message.objects.get(mobile="+989000000398")
    assert (last.status, last.send_at.year) == (Status.QUEUED, 2040)


def send_the_failed_again(page: Any, group: str) -> None:
    page.goto(f"{LIST}batch/?batch={group}")
    assert number(page, "[data-total=rejected]") == 1
    assert page.locator(".negin-sms-table tbody tr").count() == 2
    assert_fits(page)
    page.click("a[href*='/batch/resend/']")
    page.check("[name=scenario][value=service_line]")
    # The page may still be on its way: its script looks at what is chosen by then.
    page.wait_for_selector("[name=line]", state="hidden")
    page.fill("[name=template]", "7")
    press(page, ".negin-sms-form .default")
    page.wait_for_selector(".messagelist .success")
    assert page.locator("a[href*='/batch/resend/']").count() == 0


def print_the_report(page: Any) -> None:
    """On paper no table is cut off, and nothing that is pressed is printed."""
    page.goto(f"{LIST}report/")
    page.set_viewport_size({"width": 720, "height": 1000})  # A4
    page.emulate_media(media="print")
    assert_fits(page)
    cut = """() => [...document.querySelectorAll(".negin-sms-scroll")]
        .filter((box) => box.scrollWidth > box.clientWidth).length"""
    assert page.evaluate(cut) == 0
    shifted = """() => [...document.querySelectorAll("#negin-sms-days table")]
        .map(({tHead, tBodies}) => [tHead.rows[0], tBodies[0].rows[0]].map((row) =>
            [...row.cells].map((cell) => cell.getBoundingClientRect())
                .filter(({width}) => width).map(({x}) => Math.round(x)).join()))
        .filter(([names, values]) => names !== values).length"""
    assert page.evaluate(shifted) == 0
    assert page.locator("#negin-sms-groups").is_visible()
    assert not page.is_visible(".negin-sms-period [type=submit]")
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_clerk_s_day(open_browser, live, live_server, settings):
    prices = {"*": {"fa": PRICE, "en": 620}}
    settings.NEGIN_SMS = {
        "default": {**settings.NEGIN_SMS["default"], "PRICES": prices}
    }
    for text in ("نوبت شما شنبه است.", "یادآوری نوبت", "نتیجهٔ آزمایش آماده است."):
        MessageFactory(mobile=PATIENT, text=text, accepted=True, settled_at=None)
    services.opt_out(OPTED_OUT, reason="به درخواست خودش")
    clerk, boss = (open_browser(language="fa") for _ in range(2))
    log_in(clerk, live_server.url, "clerk", CLERK)
    log_in(boss, live_server.url, "boss", BOSS)

    find_the_last_message(clerk)
    write(clerk)
    see_the_cost(clerk)
    confirm(boss)
    group = Message.objects.exclude(group="").values_list("group", flat=True)[0]
    reschedule_one(clerk, group)
    report = services.dispatch_queue()
    assert (report.accepted, report.rejected, report.cancelled) == (297, 1, 1)
    send_the_failed_again(clerk, group)
    assert services.dispatch_queue().accepted == 1
    print_the_report(clerk)

    again = Message.objects.get(resend_of__isnull=False)
    assert (again.scenario, again.status) == (Scenario.SERVICE_LINE, Status.ACCEPTED)
    assert OPTED_OUT.removeprefix("0") not in {m.mobile[-10:] for m in live.taken}
    assert len(live.taken) == 298


def log_in(page: Any, url: str, name: str, rights: tuple[str, ...]) -> None:
    user = get_user_model().objects.create_user(name, is_staff=True)
    codenames = [f"{right}_message" for right in rights]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    cookie = django_settings.SESSION_COOKIE_NAME
    value = client.cookies[cookie].value
    page.context.add_cookies([{"name": cookie, "value": value, "url": url}])


def people() -> dict[str, Any]:
    """Return the workbook as people have it: a title, then names and numbers."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["بیماران فردا"])
    sheet.append(["نام", "موبایل"])
    for mobile in NUMBERS:
        sheet.append(["فاطمه" if mobile == REFUSED else "سارا", mobile])
    file = io.BytesIO()
    book.save(file)
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return {"name": "فردا.xlsx", "mimeType": kind, "buffer": file.getvalue()}


def number(page: Any, selector: str) -> int:
    return digits(page.inner_text(selector))


def digits(text: str) -> int:
    found = "".join(str(unicodedata.decimal(c)) for c in text if c.isdecimal())
    return int(found or 0)
