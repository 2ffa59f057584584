"""The admin in a real browser: the walk of an operator, and what only a browser knows.

Each step of the walk is a function of the page. A new one goes in its place in
``test_walk``, which runs in English and in Persian.
"""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path
from typing import Any

import pytest
from django.utils.translation import override

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.gateway.sandbox import Sandbox
from negin_sms.models import Message, SmsTemplate
from negin_sms.segments import (
    _GSM_BASIC,
    _GSM_EXTENDED,
    costly_characters,
    measure,
    unicode_characters,
)
from negin_sms.texts import with_footer
from tests.browser import assert_fits, latin, log_in
from tests.factories import MessageFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIST = "/admin/negin_sms/message/"
COMPOSE = LIST + "compose/"
# The last is the sandbox's recipient that is taken and never answered.
NUMBERS = "09395213300\n۰۹۳۹ ۵۲۱ ۳۳۰۱\n+98 900 000 0010\n"
HOUR = 3600
TEXT = "سلام، سفارش شما فرستاده شد."


# The steps.


def compose(page: Any) -> None:
    page.click(f"a[href='{COMPOSE}']")
    page.fill("[name=recipients]", NUMBERS)
    page.locator("[name=text]").press_sequentially(TEXT)
    length = measure(TEXT)
    assert count(page, "parts") == str(length.parts)
    assert count(page, "characters") == str(len(TEXT))
    assert count(page, "encoding") in ("Persian (Unicode)", "فارسی (یونیکد)")
    assert_fits(page)


def preview(page: Any) -> None:
    page.click(".submit-row .default")
    page.wait_for_selector(".negin-sms-totals")
    assert total(page, "recipients") == "3"
    assert total(page, "parts") == "3"
    assert TEXT in page.inner_text(".negin-sms-samples")
    assert set(statuses()) == {Status.DRAFT}
    assert_fits(page)


def edit(page: Any) -> None:
    """Open the batch again; what comes of it replaces it, though pressed twice."""
    page.click(f".negin-sms-preview a[href^='{COMPOSE}?edit=']")
    page.wait_for_selector("[name=replaces]", state="attached")
    assert page.input_value("[name=text]") == TEXT
    page.dblclick(".submit-row .default")
    page.wait_for_selector(".negin-sms-totals")
    assert statuses() == [Status.DRAFT] * 3


def confirm(page: Any) -> None:
    """Press the button twice, as people do."""
    page.dblclick(".negin-sms-preview .submit-row .default")
    page.wait_for_selector(".negin-sms-batch")
    page.wait_for_load_state()
    assert total(page, "queued") == "3"
    assert_fits(page)
    page.click(f".negin-sms-batch a[href^='{LIST}?group=']")
    page.wait_for_selector("#result_list")
    page.wait_for_load_state()
    assert page.locator("#result_list tbody tr").count() == 3
    assert statuses() == [Status.QUEUED] * 3


def dispatch(page: Any) -> None:
    """Do the dispatcher's work, as cron would beside the browser."""
    report = services.dispatch_queue()
    assert (report.accepted, report.uncertain) == (2, 1)
    page.reload()
    assert page.locator(".negin-sms-status-accepted").count() == 2
    assert page.locator(".negin-sms-status-uncertain").count() == 1


def refresh(page: Any, sandbox: Sandbox) -> None:
    """Ask twice: on the way, then delivered."""
    page.click("tr:has(.negin-sms-status-accepted) .field-number a")
    for pace, word in ((HOUR, "unknown"), (0, "delivered")):
        sandbox.pace = pace
        page.click("button.negin-sms-tool")
        page.wait_for_selector(f".field-state_badge .negin-sms-state-{word}")
        page.wait_for_selector(".messagelist .success")


def read_timeline(page: Any) -> None:
    page.wait_for_load_state()
    codes = page.locator(".negin-sms-history .field-code_badge [dir=ltr]")
    assert [latin(code) for code in codes.all_inner_texts()] == ["0", "1"]
    assert_fits(page)


def review(page: Any) -> None:
    """Decide what the uncertain message was."""
    page.goto(LIST)
    page.click("a[href$='/review/']")
    page.wait_for_selector(".negin-sms-table")
    page.wait_for_load_state()
    assert page.locator(".negin-sms-table tbody tr").count() == 1
    assert_fits(page)
    page.click(".negin-sms-ways a[href*='/resolve/']")
    page.check("[name=status][value=rejected]")
    page.fill("[name=why]", "در پنل نیست")
    page.click(".negin-sms-form [type=submit]")
    page.wait_for_selector(".messagelist .success")
    page.goto(f"{LIST}review/")
    assert page.locator(".negin-sms-table").count() == 0
    assert sorted(statuses()) == [Status.ACCEPTED, Status.ACCEPTED, Status.REJECTED]


def download(page: Any) -> None:
    page.goto(LIST)
    with page.expect_download() as started:
        page.click("form[action*='/export/'] button:not([name])")
    content = Path(started.value.path()).read_text(encoding="utf-8")
    assert content.startswith("\ufeff")
    header, *rows = csv.reader(io.StringIO(content.removeprefix("\ufeff")))
    assert len(rows) == 3
    assert {TEXT, str(Status.REJECTED.label)} <= set(rows[0])
    assert rows[2][header.index(str(label("mobile")))] == "0939-521-3300"


@pytest.mark.parametrize("language", ["en", "fa"])
def test_walk(open_browser, live, language):
    page = open_browser(language=language)
    log_in(page)
    direction = {"en": "ltr", "fa": "rtl"}[language]
    assert page.get_attribute("html", "dir") == direction
    compose(page)
    preview(page)
    edit(page)
    confirm(page)
    dispatch(page)
    refresh(page, live)
    read_timeline(page)
    with override(language):
        review(page)
        download(page)
    assert len(live.taken) == 3


# What only a browser knows.


@pytest.mark.parametrize(("language", "scheme"), [("en", "dark"), ("fa", "light")])
def test_pages_fit_on_a_phone(open_browser, language, scheme):
    page = open_browser(at=COMPOSE, language=language, color_scheme=scheme, width=390)
    page.fill("[name=recipients]", "mobile,name\n09395213300,Sara\n0939,\n")
    page.fill("[name=text]", f"{{name}} {TEXT} {'x' * 60}")
    assert_fits(page)
    page.click(".submit-row .default")
    page.wait_for_selector(".negin-sms-refused")
    assert_fits(page)
    page.click("[name=_leave_out]")
    page.wait_for_selector(".negin-sms-totals")
    assert_fits(page)


def test_scenario_shows_its_fields_and_sends_no_others(open_browser):
    page = open_browser(at=COMPOSE)
    shown = {
        "single": ["line"],
        "service_line": ["template"],
        "second_line": ["line", "line2"],
        "chelcheleh": ["line"],
        "service_fallback": ["line", "template"],
    }
    for scenario, fields in shown.items():
        page.check(f"[name=scenario][value={scenario}]")
        for name in ("line", "line2", "template"):
            assert page.is_visible(f"[name={name}]") == (name in fields), scenario
    page.fill("[name=template]", "7")
    page.check("[name=scenario][value=single]")
    page.fill("[name=recipients]", NUMBERS)
    page.fill("[name=text]", TEXT)
    page.click(".submit-row .default")
    page.wait_for_selector(".negin-sms-totals")
    assert set(Message.objects.values_list("template", flat=True)) == {None}


def test_search_for_a_number_leaves_it_out_of_the_address(open_browser):
    MessageFactory(mobile="+989000000001")
    MessageFactory(mobile="+989000000002")
    page = open_browser(at=LIST)
    page.fill("[name=q]", "09000000001")
    page.press("[name=q]", "Enter")
    page.wait_for_url("**?q=~*")
    assert page.locator("#result_list tbody tr").count() == 1
    assert page.input_value("#searchbar") == "09000000001"
    first = page.url
    page.fill("#searchbar", "09000000002")  # beside the other forms of a search's list
    page.press("#searchbar", "Enter")
    page.wait_for_url(lambda url: "q=~" in url and url != first)
    assert "0900" not in page.url
    assert page.locator("#result_list tbody tr").count() == 1


def test_chosen_template_fills_the_text_and_the_counter(open_browser):
    SmsTemplate.objects.create(name="code", language="en", text="Dear {name}")
    page = open_browser(at=COMPOSE)
    page.fill("[name=text]", TEXT)
    page.select_option("[name=text_template]", label="code (English)")
    assert page.input_value("[name=text]") == "Dear {name}"
    assert count(page, "characters") == "11"
    page.select_option("[name=text_template]", index=0)
    assert page.input_value("[name=text]") == "Dear {name}"
    assert_fits(page)


def test_rows_to_mend_stand_below_the_names_of_their_columns(open_browser):
    """With the browser's own tabs a name stood below the column beside its own."""
    page = open_browser(at=COMPOSE, language="fa")
    style = "getComputedStyle(document.querySelector('[name=recipients]')).tabSize"
    assert int(page.evaluate(style)) > len("+989395213300")


@pytest.mark.parametrize(("language", "width"), [("en", 1200), ("fa", 390)])
def test_text_template_is_counted_while_it_is_written(open_browser, language, width):
    at = "/admin/negin_sms/smstemplate/add/"
    page = open_browser(at=at, language=language, width=width)
    page.fill("[name=text]", TEXT)
    assert count(page, "parts") == str(measure(TEXT).parts)
    assert_fits(page)


@pytest.mark.parametrize(("language", "digits"), [("en", "0123"), ("fa", "۰۱۲۳")])
def test_ticked_rows_are_counted_in_the_digits_of_the_page(
    open_browser, language, digits
):
    MessageFactory.create_batch(3)
    page = open_browser(at=LIST, language=language)
    counter = page.locator(".action-counter")
    for row in range(4):
        page.wait_for_function("document.querySelector('.action-counter').textContent")
        said = counter.inner_text()
        assert digits[row] in said
        assert digits[3] in said
        if row < 3:
            page.locator("#result_list .action-select").nth(row).check()


@pytest.mark.parametrize("address", [COMPOSE, f"{LIST}add/"])
def test_numbers_are_typed_in_persian_digits_everywhere(open_browser, address):
    """A browser's own entry of numbers would leave its field empty, without a word."""
    page = open_browser(at=address, language="fa")
    assert page.locator("input[type=number]").count() == 0
    assert page.get_attribute("[name=template]", "inputmode") == "numeric"


def test_refused_line_is_corrected_in_place(open_browser):
    page = open_browser(at=COMPOSE)
    page.fill("[name=recipients]", "09395213300\n0939521330\n")
    page.fill("[name=text]", TEXT)
    page.click(".submit-row .default")
    page.wait_for_selector(".negin-sms-refused")
    assert page.input_value("[name=recipients]") == "0939521330\n"
    page.fill("[name=recipients]", "09395213301")
    page.click(".submit-row .default")
    page.wait_for_selector(".negin-sms-totals")
    assert total(page, "recipients") == "2"


class TestCounter:
    @pytest.fixture
    def page(self, open_browser):
        return open_browser(at=COMPOSE)

    def test_is_the_same_as_ours(self, page):
        texts = [*BORDERS, *random_texts(500)]
        counted = page.evaluate("texts => texts.map(neginSms.measure)", texts)
        for text, seen in zip(texts, counted, strict=True):
            length = measure(text)
            ours = (length.encoding, length.units, length.parts)
            assert (seen["encoding"], seen["units"], seen["parts"]) == ours, text
            assert seen["unicode"] == unicode_characters(text), text
            assert seen["costly"] == costly_characters(text), text
            assert seen["characters"] == len(text), text

    def test_what_is_left_fits_and_no_more(self, page):
        texts = random_texts(100)
        counted = page.evaluate("texts => texts.map(neginSms.measure)", texts)
        for text, seen in zip(texts, counted, strict=True):
            full = text + "a" * seen["left"]
            assert measure(full).parts == seen["parts"], text
            assert measure(full + "a").parts == seen["parts"] + 1, text

    def test_knows_the_same_alphabet(self, page):
        script = """() => Array.from({length: 0x110000}, (_, code) => code)
            .filter((code) => code < 0xD800 || code > 0xDFFF)
            .map((code) => String.fromCodePoint(code))
            .filter((c) => neginSms.measure(c).encoding === "GSM-7")"""
        assert set(page.evaluate(script)) == _GSM_BASIC | _GSM_EXTENDED

    def test_names_what_forces_unicode(self, page):
        forcing = page.locator(".negin-sms-forcing")
        page.fill("[name=text]", "plain")
        assert not forcing.is_visible()
        page.fill("[name=text]", "It’s a\u200cb")
        names = forcing.locator("bdi").all_inner_texts()
        assert names == ["’", "U+200C"]
        assert count(page, "encoding") == "Persian (Unicode)"

    def test_counts_in_the_digits_of_the_page(self, open_browser):
        page = open_browser(at=COMPOSE, language="fa")
        page.fill("[name=text]", TEXT)
        assert page.inner_text("[data-count=parts]") == "۱"
        assert count(page, "encoding") == "فارسی (یونیکد)"

    def test_counts_the_footer_in_and_says_what_it_costs(self, open_browser, settings):
        prices = {"9830003300": {"fa": 1430, "en": 620}, "*": {"fa": 2000, "en": 900}}
        own = {**settings.NEGIN_SMS["default"], "FOOTER": "لغو۱۱", "PRICES": prices}
        settings.NEGIN_SMS = {"default": own}
        page = open_browser(at=COMPOSE)
        page.fill("[name=text]", "Hello")
        assert (count(page, "characters"), count(page, "rials")) == ("5", "620")
        page.check("[name=footer]")
        assert (count(page, "characters"), count(page, "rials")) == ("11", "1,430")
        page.fill("[name=text]", "Hello\nلغو١١\u200f ")
        assert count(page, "characters") == "13"
        page.check("[name=sensitive]")
        page.fill("[name=text]", "س" * 71)
        assert (count(page, "characters"), count(page, "rials")) == ("71", "2,860")
        page.check("[name=scenario][value=service_line]")
        assert count(page, "rials") == "4,000"
        assert_fits(page)

    def test_box_of_the_footer_rests_while_the_account_has_none(
        self, open_browser, settings
    ):
        own = settings.NEGIN_SMS["default"]
        settings.NEGIN_SMS = {"default": own | {"FOOTER": "لغو۱۱"}, "bulk": own}
        page = open_browser(at=COMPOSE)
        page.fill("[name=text]", "Hello")
        page.check("[name=footer]")
        page.select_option("[name=account]", "bulk")
        assert (page.is_disabled("[name=footer]"), count(page, "characters")) == (
            True,
            "5",
        )
        assert not page.is_checked("[name=footer]")
        page.select_option("[name=account]", "default")
        assert page.is_checked("[name=footer]")
        assert count(page, "characters") == "11"

    def test_appends_footers_as_ours(self, page):
        texts = [
            "سلام",
            "سلام\n",
            "x لغو۱۱",
            "لغو11",
            "لغو١١\u200f ",
            "ل\u200cغو۱۱",
            "x لغو 11.",
            "«لغو-۱۱»",
            "***",
            "a\nb",
        ]
        whole = page.evaluate(
            "texts => texts.map((text) => neginSms.withFooter(text, 'لغو۱۱'))", texts
        )
        assert whole == [with_footer(text, "لغو۱۱") for text in texts]

    def test_is_silent_of_persian_and_names_what_is_hidden_in_it(self, page):
        forcing = page.locator(".negin-sms-forcing")
        page.fill("[name=text]", "سلام، می\u200cآیم؛ ۱۲۳ «باشه»!")
        assert not forcing.is_visible()
        page.fill("[name=text]", "سلام\u200f 😀")
        assert forcing.locator("bdi").all_inner_texts() == ["U+200F", "😀"]

    @pytest.mark.parametrize(
        ("text", "direction"),
        [
            ("{name} عزیز، سلام", "rtl"),
            ("Dear {نام}", "ltr"),
            ("۱۲۳ سلام abc", "rtl"),
            ("{name} 123", "auto"),
        ],
    )
    def test_direction_is_that_of_the_words(self, page, text, direction):
        page.fill("[name=text]", text)
        assert page.get_attribute("[name=text]", "dir") == direction

    def test_says_where_the_length_is_not_known_yet(self, page):
        unfilled = page.locator(".negin-sms-unfilled")
        page.fill("[name=text]", "Dear Sara")
        assert not unfilled.is_visible()
        page.fill("[name=text]", "Dear {name}")
        assert unfilled.is_visible()


BORDERS = [
    "",
    *("a" * length for length in (160, 161, 306, 307)),
    *("س" * length for length in (70, 71, 134, 135)),
    *("€" * length for length in (80, 81)),
    "a" * 152 + "€" * 5,
    "س" * 66 + "😀" + "س" * 66,
    "ç`\t\n\r\f",
]
ALPHABETS = [
    "abc XYZ 019 @£$",
    "ab{}[]€|~^\\ \f\n",
    "سلام\u200c، ۱۲۳ ",
    "ab’ç😀👨‍👩‍👧 س",
]


def random_texts(count: int) -> list[str]:
    chance = random.Random(7)
    return [
        "".join(chance.choices(chance.choice(ALPHABETS), k=chance.randint(1, 340)))
        for _ in range(count)
    ]


def count(page: Any, name: str) -> str:
    return latin(page.inner_text(f"[data-count={name}]"))


def total(page: Any, name: str) -> str:
    return latin(page.inner_text(f"[data-total={name}]"))


def label(name: str) -> Any:
    return Message._meta.get_field(name).verbose_name


def statuses() -> list[str]:
    return list(Message.objects.values_list("status", flat=True))
