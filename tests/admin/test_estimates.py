"""What messages cost about, where PRICES say."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings

from negin_sms import conf
from negin_sms.admin.estimates import batch_estimate, report_estimate
from negin_sms.models import Message
from negin_sms.services import delivery_statistics
from negin_sms.services.statistics.daily_counts import day_of
from negin_sms.services.submission.batches import look_at
from negin_sms.services.submission.drafting import draft_batch
from negin_sms.services.submission.recipients.reader import read_sheet
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db

LINE = "9830003300"
PRICES = {LINE: {"fa": 1430, "en": 620}, "*": {"fa": 2000, "en": 1000}}


@pytest.fixture
def priced(settings):
    def use(prices: dict[str, Any]) -> None:
        own = {**settings.NEGIN_SMS["default"], "LINE": LINE, "PRICES": prices}
        settings.NEGIN_SMS = {"default": own}

    use(PRICES)
    return use


def batch(text: str = "{name}", **fields: Any) -> str:
    people = "mobile,name\n09395213300,سارا\n09390000000," + "x" * 161
    return draft_batch(text, [read_sheet(people)], **fields).group


def of_batch(group: str) -> str | None:
    found = look_at(group)
    assert found
    return batch_estimate(found)


def of_report() -> str | None:
    row = MessageFactory(accepted=True, used_line=LINE, parts=3)
    assert row.finished_at
    day = day_of(row.finished_at)
    return report_estimate(delivery_statistics(day, day))


def test_batch_is_counted_by_alphabet(priced):
    assert of_batch(batch()) == f"{1430 + 2 * 620:,}"


@pytest.mark.parametrize("way", [{"line": "98"}, {"scenario": "service_line"}])
def test_other_lines_have_their_own_price(priced, way):
    assert of_batch(batch(**way)) == "4,000"


def test_each_draft_has_the_price_of_its_own_line(priced):
    group = batch("x")
    (row, *_others) = Message.objects.order_by("pk")
    way = {"scenario": "service_line", "line": "", "default_line": False}
    Message.objects.filter(pk=row.pk).update(template=1, **way)
    assert of_batch(group) == f"{1000 + 620:,}"
    priced({LINE: PRICES[LINE]})
    assert of_batch(group) is None  # a sum without one of them is none


def test_nothing_is_said_without_prices(priced):
    priced({})
    assert (of_batch(batch()), of_report()) == (None, None)


def test_report_takes_all_for_persian(priced):
    assert of_report() == "4,290"


@pytest.mark.parametrize(
    ("prices", "whole", "second"),
    [({"*": {"fa": 300, "en": 100}}, "6,690", "2,400"), ({}, None, None)],
)
def test_report_of_all_accounts_has_each_one_s_prices(priced, prices, whole, second):
    own = conf.get_account()
    base = {"BACKEND": own.backend, "LINE": LINE}
    accounts = {"default": base | {"PRICES": PRICES}, "bulk": base | {"PRICES": prices}}
    with override_settings(NEGIN_SMS=accounts):
        row = MessageFactory(accepted=True, used_line=LINE, parts=3)
        MessageFactory(accepted=True, used_line=LINE, parts=8, account="bulk")
        assert row.finished_at
        day = day_of(row.finished_at)
        assert report_estimate(delivery_statistics(day, day)) == whole
        of = {a: delivery_statistics(day, day, account=a) for a in accounts}
        assert report_estimate(of["default"]) == "4,290"
        assert report_estimate(of["bulk"]) == second


def test_report_says_nothing_where_a_line_has_no_price(priced):
    priced({"98": PRICES[LINE]})
    assert of_report() is None


def test_pages_say_that_it_is_an_estimate(priced, admin_client):
    of_report()
    html = admin_client.get("/admin/negin_sms/message/report/").text
    assert "Estimate in rials" in html
    assert "4,290" in html
    group = batch()
    html = admin_client.get(f"/admin/negin_sms/message/preview/?group={group}").text
    assert "Estimate, in rials" in html
    assert "2,670" in html
    assert "Estimate" in admin_client.get("/admin/negin_sms/message/compose/").text
