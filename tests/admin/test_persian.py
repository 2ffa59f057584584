"""In Persian every page is Persian, whatever Django's own catalogue lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.urls import reverse
from django.utils.translation import override

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.models import AccountState, Message, OptOut, SmsTemplate
from tests.admin.test_messages import WISH, act, make, make_accepted
from tests.admin.test_rights import PAGES, POST_ONLY, address, target

pytestmark = [pytest.mark.long, pytest.mark.django_db]

# What stays Latin: names of things, units, what the tests have written themselves.
LATIN = {
    *(
        "Django",
        "ID",
        "CSV",
        "xlsx",
        "GSM",
        "UCS",
        "Unicode",
        "mobile",
        "name",
        "shortcut",
        "reminder",
    ),
    *("Search", "False", "True"),  # Django says these in English
    *("default", "admin", "batch", "superuser", "Hello", "code", "en", "fa", "English"),
    "cron",
}
# Not in placeholders, nor in the names of commands.
LETTERS = r"(?<![A-Za-z{_])[A-Za-z]{2,}(?![A-Za-z}_])"
SPOKEN = ("aria-label", "alt", "placeholder", "title")


class Words(HTMLParser):
    """All that a page says, aloud too, but for code and what is set left to right."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        given = dict(attributes)
        if tag in ("script", "style", "textarea") or self._silent:
            self._silent += tag not in ("br", "hr", "img", "input", "link", "meta")
            return
        self.said += [given[name] or "" for name in SPOKEN if name in given]
        if tag == "input" and given.get("type") == "submit":
            self.said.append(given.get("value") or "")
        if tag in ("code", "option", "span") and given.get("dir") == "ltr":
            self._silent = 1

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - 1)

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.said.append(data)


def foreign(html: str) -> set[str]:
    """Return the sentences with a word in Latin letters that should be Persian."""
    words = Words()
    words.feed(html)
    found = (re.sub(r"\s+", " ", each).strip() for each in words.said)
    return {each for each in found if set(re.findall(LETTERS, each)) - LATIN}


@pytest.fixture
def persian(admin_client: Any, settings: Any) -> Iterator[Any]:
    settings.LANGUAGES = [("en", "English"), ("fa", "Persian")]
    with override("fa"):
        admin_client.defaults["HTTP_ACCEPT_LANGUAGE"] = "fa"
        yield admin_client


@pytest.mark.parametrize("name", sorted(set(PAGES) - POST_ONLY))
def test_every_page_is_persian(persian, name):
    row = target(name)
    response = persian.get(address(name, row), follow=True)
    if response.status_code != 403:  # pages that are nobody's
        assert 'dir="rtl"' in response.text
        assert foreign(response.text) == set()


@pytest.mark.parametrize("status", Status.values)
def test_message_is_persian_at_every_stage(persian, status):
    row = make(status=status, group="batch")
    html = persian.get(reverse("admin:negin_sms_message_change", args=[row.pk])).text
    assert foreign(html) == set()


def test_history_and_recent_actions_are_persian(persian):
    row = make_accepted()
    persian.post(reverse("admin:negin_sms_message_refresh", args=[row.pk]))
    history = reverse("admin:negin_sms_message_history", args=[row.pk])
    for url in (history, "/admin/"):
        assert foreign(persian.get(url).text) == set()


@pytest.mark.parametrize("model", [AccountState, Message, OptOut, SmsTemplate])
def test_history_of_each_model_has_the_jalali_date(persian, admin_user, model):
    rows = {
        AccountState: lambda: AccountState.objects.create(account="default"),
        Message: make,
        OptOut: lambda: services.opt_out("09395213300"),
        SmsTemplate: lambda: SmsTemplate.objects.create(name="code", text="x"),
    }
    row = rows[model]()
    LogEntry.objects.log_actions(admin_user.pk, [row], CHANGE, "x", single_object=True)
    LogEntry.objects.update(action_time=datetime(2026, 11, 29, 9, 30, tzinfo=UTC))
    name = f"admin:negin_sms_{model._meta.model_name}_history"
    html = persian.get(reverse(name, args=[row.pk])).text
    assert "8 آذر 1405، ساعت 13:00" in html
    assert "نوامبر" not in html
    assert foreign(html) == set()


def test_errors_of_the_forms_are_persian(persian):
    url = reverse("admin:negin_sms_message_add")
    html = persian.post(url, WISH | {"mobile": "1", "text": ""}).text
    assert "errornote" in html
    assert foreign(html) == set()


def test_index_with_all_that_may_wait_is_persian(persian):
    make(status=Status.UNCERTAIN)
    make(status=Status.QUEUED)
    with override("fa"):
        services.hold_queue(reason="پشتیبان")
    services.pause_account("default", reason="اعتبار")
    html = persian.get("/admin/negin_sms/").text
    assert "hold_sms_queue" in html
    assert foreign(html) == set()


def test_questions_for_many_are_persian(persian):
    rows = [make(), make()]
    html = act(persian, "cancel_selected", rows).text
    assert 'name="ids"' in html
    assert foreign(html) == set()
