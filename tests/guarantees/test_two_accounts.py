"""Two accounts side by side: credentials, lines and pace of their own, everywhere."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from negin_sms import conf, services
from negin_sms.gateway.sandbox import Sandbox
from negin_sms.models import AccountState, Message
from negin_sms.querysets import DbNow
from tests.conftest import LIVE
from tests.factories import MOBILE

pytestmark = pytest.mark.django_db(transaction=True)

CLINIC = {"USERNAME": "clinic", "PASSWORD": "first", "LINE": "9830003300"}
SHOP = {"USERNAME": "shop", "PASSWORD": "second", "LINE": "9830003301"}


@pytest.fixture
def gateways(settings) -> Iterator[dict[str, Sandbox]]:
    """Two gateways that know one account each."""
    with (
        Sandbox(pace=0.0, username="clinic", password="first") as clinic,
        Sandbox(pace=0.0, username="shop", password="second") as shop,
    ):
        settings.NEGIN_SMS = {
            "default": {**LIVE, **CLINIC, "BASE_URL": clinic.url},
            "shop": {**LIVE, **SHOP, "BASE_URL": shop.url, "RATE": 50, "WORKERS": 1},
        }
        yield {"default": clinic, "shop": shop}


def taken(gateways) -> dict[str, list[str]]:
    return {
        alias: [one.form["line"] for one in sandbox.taken]
        for alias, sandbox in gateways.items()
    }


def test_each_sends_with_its_own_credentials_and_line(gateways):
    services.send_sms(MOBILE, "x")
    services.send_sms(MOBILE, "x", account="shop")
    assert taken(gateways) == {"default": ["9830003300"], "shop": ["9830003301"]}


def test_one_dispatcher_serves_both_or_the_one_it_is_told(gateways):
    wishes = [{"mobile": MOBILE, "text": str(n)} for n in range(3)]
    services.queue_many(wishes)
    services.queue_many(wishes, account="shop")
    call_command("dispatch_sms_queue", account="shop", verbosity=0)
    assert [len(lines) for lines in taken(gateways).values()] == [0, 3]
    call_command("dispatch_sms_queue", verbosity=0)
    assert [len(lines) for lines in taken(gateways).values()] == [3, 3]


def test_each_has_a_pace_of_its_own(gateways):
    assert (conf.get_account().workers, conf.get_account().rate) == (4, None)
    assert (conf.get_account("shop").workers, conf.get_account("shop").rate) == (1, 50)


def test_states_are_asked_where_the_message_went(gateways):
    for alias in ("default", "shop"):
        services.send_sms(MOBILE, "x", account=alias)
    Message.objects.update(poll_at=DbNow())
    out = StringIO()
    call_command("poll_sms_states", stdout=out)
    assert out.getvalue().startswith("2 asked, 2 answered, 2 changed, 2 settled")


def test_one_id_of_two_gateways_is_no_trouble(gateways):
    ids = itertools.count(7_000_000)
    gateways["default"]._ids = gateways["shop"]._ids = ids
    first = services.send_sms(MOBILE, "x")
    gateways["shop"]._ids = itertools.count(int(first.gateway_id))
    second = services.send_sms(MOBILE, "x", account="shop")
    assert (first.gateway_id, second.flag) == (second.gateway_id, "")


def test_trouble_of_one_leaves_the_other_alone(gateways):
    gateways["shop"]._credentials = ("shop", "changed")
    services.queue_sms(MOBILE, "x", account="shop")
    services.queue_sms(MOBILE, "x")
    report = services.dispatch_queue()
    assert report.accepted == 1
    assert list(report.paused) == ["shop"]
    assert not AccountState.objects.get(account="default").is_paused


def test_key_of_one_is_free_for_the_other(gateways):
    first = services.send_sms(MOBILE, "x", idempotency_key="k")
    second = services.send_sms(MOBILE, "x", idempotency_key="k", account="shop")
    assert first != second


def test_status_and_report_tell_them_apart(gateways):
    services.send_sms(MOBILE, "x")
    services.send_sms(MOBILE, "x", account="shop")
    services.send_sms(MOBILE, "y", account="shop")
    lately = {each.account: each.accepted for each in services.overview().accounts}
    assert lately == {"default": 1, "shop": 2}
    today: date = timezone.localdate()
    sent = {
        account: services.delivery_statistics(today, today, account=account).total.sent
        for account in ("default", "shop", None)
    }
    assert sent == {"default": 1, "shop": 2, None: 3}


def test_admin_offers_and_shows_the_account(gateways, admin_client):
    services.send_sms(MOBILE, "x", account="shop")
    address = "/admin/negin_sms/message/"
    assert "?account__exact=shop" in admin_client.get(address).text or (
        "account=shop" in admin_client.get(address).text
    )
    assert '<option value="shop"' in admin_client.get(f"{address}add/").text
    assert '<option value="shop"' in admin_client.get(f"{address}compose/").text
    assert '<option value="shop"' in admin_client.get(f"{address}report/").text
