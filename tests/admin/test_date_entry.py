"""Dates typed and chosen in our pages: in Persian by the Jalali calendar."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import override

from negin_sms import jalali
from negin_sms.admin.date_fields import DayField, MomentField
from negin_sms.choices import Status
from negin_sms.models import AccountState, Message
from negin_sms.written_dates import read_moment
from tests.browser import assert_fits, latin

SOON = datetime(2040, 1, 2, 6, 30, tzinfo=UTC)  # 1418/10/12 10:00 in Tehran
LIST = "/admin/negin_sms/message/"
DAYS = ".jdp-day:not(.not-in-month):not(.disabled-day)"
CALENDAR = "negin_sms/vendor/jalalidatepicker/jalalidatepicker.min.js"

# What is typed, the day that the calendar opens at, and what the next day makes of it.
READ = (
    ("۱۴۱۸/۱۰/۱۲ ۱۰:۰۰", "۱۲ دی", "۱۴۱۸/۱۰/۱۳ ۱۰:۰۰"),
    ("١٤١٨/١٠/١٢ ١٠:٠٠:٣٠", "۱۲ دی", "۱۴۱۸/۱۰/۱۳ ۱۰:۰۰"),
    ("1418-10-2 9:05", "۲ دی", "۱۴۱۸/۱۰/۰۳ ۰۹:۰۵"),
    ("1418/10/12", "۱۲ دی", "۱۴۱۸/۱۰/۱۳ ۰۰:۰۰"),  # a day is its midnight
    ("۱۲ دی ۱۴۱۸ ساعت ۱۰:۳۰", "۱۲ دی", "۱۴۱۸/۱۰/۱۳ ۱۰:۳۰"),
    ("۱۰:۳۰ ۱۴۱۸/۱۰/۱۲", "۱۲ دی", "۱۴۱۸/۱۰/۱۳ ۱۰:۳۰"),
    ("2040-01-02 08:15", "۱۲ دی", "۱۴۱۸/۱۰/۱۳ ۰۸:۱۵"),
)


def drawn(field: Any, value: Any) -> str:
    return str(field.widget.render("name", value))


class TestField:
    @pytest.mark.parametrize(
        "typed",
        ["1418/10/12 10:00", "۱۴۱۸/۱۰/۱۲ ۱۰:۰۰", "2040-01-02T10:00", "10:00 2040/1/2"],
    )
    @pytest.mark.parametrize("language", ["en", "fa"])
    def test_reads_both_calendars_in_every_language(self, typed, language):
        with override(language):
            assert MomentField().clean(typed) == SOON

    @pytest.mark.parametrize(
        ("past", "in_english"),
        [
            ("1405/01/01", "2026-03-21T00:00"),
            ("0784-12-02", "0784-12-02"),
            ("1404/09/10 08:00", "2025-12-01T08:00"),
        ],
    )
    def test_long_past_moment_is_refused_and_stands_there_again(self, past, in_english):
        """In English as the browser's entry takes it: it drops any other."""
        field = MomentField()
        with pytest.raises(Exception, match=r"long past|neither calendar"):
            field.clean(past)
        assert f'value="{in_english}"' in drawn(field, past)
        with override("fa"):
            assert f'value="{past}"' in drawn(field, past)

    @pytest.mark.parametrize(
        ("language", "shown"),
        [("fa", "1418/10/12 10:00"), ("en", "2040-01-02T10:00")],
    )
    def test_shows_what_it_would_read(self, language, shown):
        with override(language):
            html = drawn(MomentField(), SOON)
        assert f'value="{shown}"' in html
        assert ("datetime-local" in html) == (language == "en")
        # What holds seconds takes a round minute, too.
        assert ('step="any"' in html) == (language == "en")

    def test_speaks_in_the_digits_of_its_page(self, settings):
        settings.NEGIN_SMS_PERSIAN_DIGITS = True
        with override("fa"):
            assert 'value="۱۴۱۸/۱۰/۱۲ ۱۰:۰۰"' in drawn(MomentField(), SOON)
            assert 'value="۱۴۱۸/۱۰/۱۲"' in drawn(DayField(), SOON.date())

    @pytest.mark.parametrize("language", ["en", "fa"])
    @pytest.mark.parametrize("typed", ["1/9/1405", "1205/01/01"])
    def test_examples_of_a_day_are_ones_that_it_takes(self, language, typed):
        with override(language):
            with pytest.raises(ValidationError) as refused:
                DayField().clean(typed)
            (words,) = refused.value.messages
            assert ":" not in words
            examples = re.findall(r"\d{4}[/-]\d\d[/-]\d\d", words)
            assert len({DayField().clean(each) for each in examples}) == 1

    def test_day_without_jalali_is_the_browsers_own(self, settings):
        settings.NEGIN_SMS_JALALI = False
        with override("fa"):
            html = drawn(DayField(), SOON.date())
            assert 'type="date"' in html
            assert 'value="2040-01-02"' in html
            assert CALENDAR not in str(cast(Any, DayField().widget).media)

    def test_unchanged_moment_is_not_a_change(self):
        assert not MomentField().has_changed(SOON, "1418/10/12 10:00")
        assert MomentField().has_changed(SOON, "1418/10/12 10:01")


@pytest.mark.django_db
class TestPages:
    @pytest.fixture(autouse=True)
    def _language(self, settings):
        settings.LANGUAGE_CODE = "fa"

    def test_draft_keeps_its_jalali_time(self, admin_client):
        wish = {
            "account": "default",
            "mobile": "09395213300",
            "text": "سلام",
            "scenario": "single",
            "priority": "20",
            "send_at": "۱۴۱۸/۱۰/۱۲ ۱۰:۰۰",
        }
        admin_client.post(LIST + "add/", wish)
        row = Message.objects.get()
        assert (row.status, row.send_at) == (Status.DRAFT, SOON)
        html = admin_client.get(f"{LIST}{row.pk}/change/").content.decode()
        assert 'value="1418/10/12 10:00"' in html

    def test_preview_says_the_time_in_both_calendars(self, admin_client):
        wish = {
            "recipients": "09395213300",
            "text": "سلام",
            "scenario": "single",
            "account": "default",
            "priority": "20",
            "send_at": "1418/10/12 10:00",
        }
        response = admin_client.post(LIST + "compose/", wish, follow=True)
        assert (
            "12 دی 1418، ساعت 10:00 (\u20662040-01-02\u2069)"
            in response.content.decode()
        )

    def test_pause_says_its_end_in_both_calendars(self, admin_client):
        state = AccountState.objects.create(account="default")
        url = f"/admin/negin_sms/accountstate/{state.pk}/pause/"
        wish = {"wanted": "pause", "reason": "تعمیر", "until": "1418/10/12 10:00"}
        html = admin_client.post(url, wish, follow=True).content.decode()
        assert AccountState.objects.get().paused_until == SOON
        assert "12 دی 1418، ساعت 10:00 (\u20662040-01-02\u2069)" in html

    def test_pause_that_is_over_is_refused(self, admin_client):
        state = AccountState.objects.create(account="default")
        url = f"/admin/negin_sms/accountstate/{state.pk}/pause/"
        over = timezone.localtime(timezone.now() - timedelta(minutes=5))
        until = f"{over:%Y-%m-%d %H:%M}"
        wish = {"wanted": "pause", "reason": "تعمیر", "until": until}
        assert "errorlist" in admin_client.post(url, wish).content.decode()
        assert AccountState.objects.get().paused_at is None

    @pytest.mark.parametrize("query", ["first=1405/09/01&last=۱۴۰۵/۰۹/۰۵", "sent=x"])
    def test_report_and_list_read_jalali_days(self, admin_client, query):
        html = admin_client.get(f"{LIST}report/?{query}").content.decode()
        assert "errorlist" not in html
        sent = "?sent=1405/09/01..2026-11-26"
        assert admin_client.get(LIST + sent).status_code == 200
        assert admin_client.get(LIST + "?sent=1404/12/30..").status_code == 302


@pytest.mark.django_db
def test_jalali_days_of_a_link_stand_in_english_fields_too(admin_client):
    """A browser's own entry of dates drops any other spelling than this."""
    for url in ("report/?first=1405/09/01&last=", "?sent_from=1405-09-01&sent_to="):
        html = admin_client.get(f"{LIST}{url}2026-11-26").text
        assert 'value="2026-11-22"' in html


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
class TestKeyboard:
    """No step here takes a mouse."""

    @pytest.fixture(params=["light", "dark"])
    def scheme(self, request):
        return request.param

    def go_to(self, page: Any, name: str) -> None:
        """Press Tab until the field has the focus."""
        for _ in range(150):
            if page.evaluate("document.activeElement.name") == name:
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"{name} cannot be reached")

    def press(self, page: Any, *keys: str) -> None:
        for key in keys:
            page.keyboard.press(key)
            page.wait_for_timeout(50)

    def close(self, page: Any) -> None:
        """Close the calendar when it has opened: in 0.3 s, by the vendor's clock."""
        page.wait_for_timeout(350)
        self.press(page, "Escape")

    def focused(self, page: Any, attribute: str) -> str:
        return str(page.evaluate(f"document.activeElement.getAttribute('{attribute}')"))

    def test_message_is_composed_and_scheduled(self, open_browser, scheme):
        page = open_browser(at=LIST + "compose/", language="fa", color_scheme=scheme)
        self.go_to(page, "recipients")
        page.keyboard.type("۰۹۳۹۵۲۱۳۳۰۰")
        self.go_to(page, "text")
        page.keyboard.type("سلام")
        self.go_to(page, "send_at")
        page.keyboard.type("۱۲ دی ۱۴۱۸ ساعت ۱۰:۰۰")
        assert_fits(page)
        self.press(page, "Enter")
        page.wait_for_selector(".negin-sms-totals")
        assert Message.objects.get().send_at == SOON

    def test_day_is_chosen_with_the_arrows(self, open_browser, scheme):
        page = open_browser(at=LIST + "compose/", language="fa", color_scheme=scheme)
        self.go_to(page, "send_at")
        page.keyboard.type("1418/10/12 10:00")
        self.press(page, "Tab", "Enter")
        assert self.focused(page, "aria-pressed") == "true"
        # From right to left: a day on, a week on, a month on, and its last day.
        self.press(page, "ArrowLeft", "ArrowDown")
        assert self.focused(page, "aria-label") == "۲۰ دی"
        self.press(page, "PageDown", "End", "ArrowLeft")
        assert self.focused(page, "aria-label") == "۱ اسفند"
        self.press(page, "Enter", "Escape")
        assert self.focused(page, "aria-expanded") == "false"
        assert page.evaluate("document.activeElement.type") == "button"
        assert "1418" in latin(page.input_value("[name=send_at]"))
        assert latin(page.input_value("[name=send_at]")).startswith("1418/12/01 10:00")

    def test_focus_stays_in_the_calendar_and_everything_has_a_name(self, open_browser):
        page = open_browser(at=LIST + "compose/", language="fa")
        self.go_to(page, "send_at")
        self.press(page, "Tab", "Enter")
        names = set()
        for _ in range(15):
            self.press(page, "Tab")
            assert page.evaluate("!!document.activeElement.closest('jdp-container')")
            names.add(
                page.evaluate(
                    "document.activeElement.ariaLabel || document.activeElement.innerText"
                )
            )
        assert "" not in names
        assert len(names) >= 10

    def test_account_is_paused(self, open_browser, scheme):
        state = AccountState.objects.create(account="default")
        at = f"/admin/negin_sms/accountstate/{state.pk}/pause/"
        page = open_browser(at=at, language="fa", color_scheme=scheme)
        self.go_to(page, "reason")
        page.keyboard.type("تعمیر")
        self.go_to(page, "until")
        page.keyboard.type("1418/10/12 10:00")
        self.press(page, "Enter")
        page.wait_for_selector(".messagelist")
        assert AccountState.objects.get().paused_until == SOON

    def test_range_of_the_report_is_chosen(self, open_browser, scheme):
        page = open_browser(at=LIST + "report/", language="fa", color_scheme=scheme)
        self.go_to(page, "first")
        self.press(page, "Control+A")
        page.keyboard.type("1405/09/01")
        self.press(page, "Tab", "Enter", "ArrowLeft", "Enter")
        page.wait_for_timeout(100)
        assert latin(page.input_value("[name=first]")) == "1405/09/02"
        self.go_to(page, "last")
        self.press(page, "Control+A")
        page.keyboard.type("۱۴۰۵/۰۹/۰۵")
        self.press(page, "Enter")
        page.wait_for_url("**first=*")
        assert page.query_selector(".errorlist") is None
        assert page.input_value("[name=last]") == "۱۴۰۵/۰۹/۰۵"

    def test_calendar_opens_at_what_is_in_the_field(self, open_browser):
        page = open_browser(at=LIST + "compose/", language="fa")
        for typed, day, chosen in READ:
            page.fill("[name=send_at]", typed)
            page.click("button.negin-sms-calendar")
            assert self.focused(page, "aria-label") == day, typed
            self.close(page)
            assert page.input_value("[name=send_at]") == typed
            page.click("button.negin-sms-calendar")
            self.press(page, "ArrowLeft", "Enter")
            self.close(page)
            assert page.input_value("[name=send_at]") == chosen, typed

    @pytest.mark.parametrize("digits", [True, False])
    def test_day_hour_and_minute_are_those_that_were_chosen(
        self, open_browser, settings, digits
    ):
        settings.NEGIN_SMS_PERSIAN_DIGITS = digits
        page = open_browser(at=LIST + "compose/", language="fa")
        for order in ("day hour minute", "minute hour day"):
            for typed in ("", "۱۴۱۸/۱۰/۱۲ ۱۰:۰۰", "1418/10/12 10:00"):
                chosen = self.choose(page, order, typed)
                assert latin(chosen) == "1418/10/15 11:05", (order, typed)
                assert (chosen != latin(chosen)) is digits, (order, typed)

    def choose(self, page: Any, order: str, typed: str) -> str:
        """Choose the 15th, 11:05, in that order, where the field held that."""
        page.reload()
        page.fill("[name=send_at]", "۱۴۱۸/۱۰/۱ ۱۰:۰۰")
        page.click("button.negin-sms-calendar")
        self.close(page)
        page.fill("[name=send_at]", typed)
        page.click("button.negin-sms-calendar")
        if not typed:
            page.select_option(".jdp-year select", "1418")
            page.select_option(".jdp-month select", "10")
        for part in order.split():
            if part == "day":
                page.locator(DAYS).nth(14).click()
                assert page.locator(f"{DAYS}.selected").count() == 1
            else:  # the minute stands first
                at, value = {"hour": (1, "11"), "minute": (0, "05")}[part]
                page.locator(".jdp-time select").nth(at).select_option(value)
        self.press(page, "Escape")
        return str(page.input_value("[name=send_at]"))

    def test_calendar_opens_today_where_it_cannot_read_the_field(self, open_browser):
        page = open_browser(at=LIST + "compose/", language="fa")
        for typed in ("فردا", "1999/01/02 10:00", "۱۴۰۵/۱۳/۰۱", "1404/12/01 10:00"):
            page.fill("[name=send_at]", typed)
            page.click("button.negin-sms-calendar")
            assert page.locator(".jdp-day.today:focus").count() == 1, typed
            self.close(page)
            assert page.input_value("[name=send_at]") == typed

    def test_field_runs_as_the_date_in_it_does(self, open_browser):
        """Else a day before its month's name is drawn behind the year."""
        field = open_browser(at=LIST + "compose/", language="fa").locator(
            "[name=send_at]"
        )
        for typed, *wanted in [
            ("۱۵ دی ۱۴۰۵ ساعت ۱۸:۳۰", "rtl", "start"),
            ("۱۴۰۵/۱۰/۱۵ ۱۸:۳۰", "ltr", "end"),
        ]:
            field.fill(typed)
            style = field.evaluate("field => ({...getComputedStyle(field)})")
            assert [style["direction"], style["textAlign"]] == wanted

    @pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati"])
    def test_today_is_the_site_s_wherever_the_browser_is(self, open_browser, zone):
        page = open_browser(at=LIST + "compose/", language="fa", time_zone=zone)
        page.click("button.negin-sms-calendar")
        before = timezone.localtime()
        page.click(".jdp-btn-today")
        chosen = read_moment(page.input_value("[name=send_at]"))
        assert abs(chosen - before) < timedelta(minutes=2)

    def test_report_opens_the_calendar_at_its_own_days(self, open_browser):
        page = open_browser(at=LIST + "report/", language="fa")
        (first, _last) = page.locator("[data-negin-sms-jalali]").all()
        held = first.input_value()
        page.locator("button.negin-sms-calendar").first.click()
        assert page.locator(".jdp-day.selected:focus").count() == 1
        self.press(page, "Enter")
        assert first.input_value() == held != latin(held)

    def test_calendar_keeps_to_latin_digits_where_the_pages_do(
        self, open_browser, settings
    ):
        settings.NEGIN_SMS_PERSIAN_DIGITS = False
        page = open_browser(at=LIST + "compose/", language="fa")
        page.fill("[name=send_at]", "1418/10/12 10:00")
        page.click("button.negin-sms-calendar")
        assert self.focused(page, "aria-label") == "12 دی"
        self.press(page, "ArrowLeft", "Enter", "Escape")
        assert page.input_value("[name=send_at]") == "1418/10/13 10:00"

    def test_calendar_has_the_leap_day(self, open_browser):
        page = open_browser(at=LIST + "report/?first=1403/12/30", language="fa")
        page.click("button.negin-sms-calendar")
        days = page.locator(".jdp-day:not(.not-in-month)")
        assert days.count() == 30
        assert page.evaluate("document.activeElement.ariaLabel") == "۳۰ اسفند"
        assert jalali.to_gregorian(1403, 12, 30).isoformat() == "2025-03-20"


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("at", ["compose/", "add/"])
def test_date_that_is_half_filled_is_not_taken_for_none(open_browser, at):
    """The browser gives it in as empty, which means: as soon as it is confirmed."""
    page = open_browser(at=LIST + at)
    page.fill("[name=recipients], [name=mobile]", "09395213300")
    page.fill("[name=text]", "Hello")
    page.focus("[name=send_at]")
    page.keyboard.type("11302040")
    assert page.evaluate("document.activeElement.validity.badInput")
    page.click(".submit-row .default")
    page.wait_for_timeout(300)
    assert page.url.endswith(at)
    assert page.evaluate("document.activeElement.name") == "send_at"
    assert not Message.objects.exists()
    page.fill("[name=send_at]", "2040-01-02T10:00")
    with page.expect_navigation():
        page.click(".submit-row .default")
    assert Message.objects.get().send_at == SOON
