"""Every page of ours in Persian speaks in Persian digits; what is posted does not."""

from __future__ import annotations

import re

import pytest

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.models import AccountState, Message
from negin_sms.services import opt_out, queue_sms
from tests.admin.test_messages import make, make_accepted
from tests.admin.test_rights import PAGES, POST_ONLY, address, target

pytestmark = [pytest.mark.long, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _persian(settings):
    settings.LANGUAGE_CODE = "fa"
    settings.NEGIN_SMS_PERSIAN_DIGITS = True


def said(html: str) -> str:
    """Return what a page says, but for what keeps its own direction."""
    html = re.sub(r"(?s)<(script|style|textarea|code|bdi)\b.*?</\1>", "", html)
    html = re.sub(r'(?s)<(\w+)[^>]*dir="(?:ltr|auto)"[^>]*>.*?</\1>', "", html)
    return re.sub(r"<[^>]*>|&[#\w]+;", " ", html)


@pytest.mark.parametrize("name", sorted(set(PAGES) - POST_ONLY))
def test_every_page_is_spoken(admin_client, name):
    response = admin_client.get(address(name, target(name)), follow=True)
    if response.status_code == 200:
        latin = re.findall(r"(?<!\S)[0-9]+(?!\S)", said(response.text))
        assert latin == []


def test_what_a_list_posts_stays(admin_client):
    row = make_accepted()
    html = admin_client.get("/admin/negin_sms/message/").text
    assert f'value="{row.pk}"' in html  # the box of an action


def test_index_is_spoken(admin_client):
    for _one in range(2):
        make(status=Status.UNCERTAIN)
    AccountState.objects.create(account="default")
    html = admin_client.get("/admin/negin_sms/").text
    assert re.search("[۰-۹]", html)


def test_report_is_spoken_and_its_file_is_not(admin_client):
    html = admin_client.get("/admin/negin_sms/message/report/").text
    assert "۱۴ روز" in html
    assert re.findall("<dd><bdi>[0-9]", html) == []
    assert re.findall(r"<bdi>14\d\d/", html) == []
    file = admin_client.get("/admin/negin_sms/message/report/?format=csv")
    assert not re.search("[۰-۹]", b"".join(file).decode())


def test_until_when_a_message_waits_is_spoken(admin_client):
    row = queue_sms("09395213300", "later", send_at="2099-12-01 10:00")
    html = admin_client.get(f"/admin/negin_sms/message/{row.pk}/change/").text
    assert "(تا ۱۱ آذر ۱۴۷۸، ساعت ۱۰:۰۰ (\u20662099-12-01\u2069))" in html


@pytest.mark.parametrize("status", [Status.QUEUED, Status.CANCELLED])
def test_how_many_a_cap_allows_is_spoken(admin_client, use_account, status):
    use_account(MOBILE_CAPS={"minute": 1})
    services.send_sms("09395213300", "first")
    held_back = queue_sms("09395213300", "second", group="g")
    if status == Status.QUEUED:
        services.dispatch_queue()
    else:
        services.cancel(held_back)
        Message.objects.filter(pk=held_back.pk).update(detail="حداکثر 1 پیامک")
    html = admin_client.get(f"/admin/negin_sms/message/{held_back.pk}/change/").text
    assert "حداکثر ۱ پیامک" in html
    batch = admin_client.get("/admin/negin_sms/message/batch/?batch=g").text
    assert ("حداکثر ۱ پیامک" in batch) is (status == Status.CANCELLED)


def test_what_a_preview_warns_of_is_spoken(admin_client):
    opt_out("09395213300")
    row = make(status=Status.DRAFT, group="g", mobile="+989395213300")
    html = admin_client.get(f"/admin/negin_sms/message/preview/?group={row.group}").text
    assert "۱ گیرنده از دریافت انصراف داده است" in html


@pytest.mark.parametrize("page", ["", "{pk}/change/"])
def test_line_of_an_opt_out_stays_to_be_copied(page, admin_client):
    row = opt_out("09395213300", line="9830003300")
    html = admin_client.get("/admin/negin_sms/optout/" + page.format(pk=row.pk)).text
    assert ">۹۸۳۰۰۰۳۳۰۰<" not in html
    assert ">9830003300<" in html
