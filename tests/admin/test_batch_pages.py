"""A batch's page: how far it has come, what failed, and what can be done about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from negin_sms import services
from negin_sms.admin import batch_pages
from negin_sms.admin.actions import RESEND
from negin_sms.choices import Status
from negin_sms.models import Message
from tests.admin.test_messages import (
    LIST,
    change_url,
    confirm,
    log_in,
    make,
    page,
    told,
)

pytestmark = pytest.mark.django_db

BATCH = f"{LIST}batch/?batch=g"
AGAIN = f"{LIST}batch/resend/?batch=g"
CANCEL = f"{LIST}batch/cancel/?batch=g"
INDEX = "/admin/negin_sms/"


def rejected(**fields) -> Message:
    return make(**{"group": "g", "status": Status.REJECTED, "code": 27} | fields)


def test_shows_how_far_it_is_and_what_failed_why(admin_client):
    rejected()
    make(group="g", status=Status.QUEUED)
    response = admin_client.get(BATCH)
    assert 'data-total="queued">1<' in response.text
    assert "1 of 2 are over" in response.text
    ((words, _reason, count, url),) = response.context["failures"]
    assert (words, count) == ("Rejected", 1)
    found = admin_client.get(url).context["cl"].result_list
    assert [row.status for row in found] == ["rejected"]


@pytest.mark.parametrize(("state", "other"), [(2, 16), (16, 2)])
def test_failure_by_report_leads_to_its_messages(admin_client, state, other):
    for each in (state, other):
        make(group="g", status=Status.ACCEPTED, gateway_id="5001", state=each)
    failures = admin_client.get(BATCH).context["failures"]
    urls = {str(words): url for words, _reason, _count, url in failures}
    label = Message(state=state).state_words
    found = admin_client.get(urls[label]).context["cl"].result_list
    assert [row.state for row in found] == [state]


def test_failed_are_sent_again_by_another_way_and_lead_back(admin_client):
    rows = [rejected(), rejected()]
    make(group="g", status=Status.CANCELLED)
    make(group="g", status=Status.UNCERTAIN)
    assert AGAIN in page(admin_client, BATCH)
    question = admin_client.get(AGAIN)
    assert question.context["ids"] == ",".join(str(row.pk) for row in rows)
    wish = {"scenario": "service_line", "template": "7"}
    data = wish | {"ids": question.context["ids"]}
    response = admin_client.post(question.context["action_url"], data, follow=True)
    assert response.redirect_chain == [(BATCH, 302)]
    new = Message.objects.filter(resend_of__isnull=False)
    assert {(row.scenario, row.group) for row in new} == {("service_line", "g")}
    assert AGAIN not in response.text


def test_one_that_failed_leads_back_as_well(admin_client):
    rejected()
    question = admin_client.get(AGAIN)
    response = admin_client.post(question.context["action_url"])
    assert response.url == BATCH
    assert question.context["back_url"] == BATCH


def test_what_has_not_left_is_cancelled(admin_client):
    rows = [make(group="g", status=s) for s in ("draft", "queued", "held")]
    sending = make(group="g", status=Status.SENDING)
    assert CANCEL in page(admin_client, BATCH)
    words = told(confirm(admin_client, admin_client.get(CANCEL)))
    assert "3 messages were cancelled" in words
    assert set(Message.objects.values_list("pk", "status")) == {
        *((row.pk, "cancelled") for row in rows),
        (sending.pk, "sending"),
    }


def test_more_than_one_time_takes_are_asked_about_by_turns(admin_client, monkeypatch):
    for _ in range(3):
        rejected()
    monkeypatch.setattr(batch_pages, "RESEND", replace(RESEND, limit=2))
    response = admin_client.get(AGAIN)
    assert "the first 2" in response.text
    assert len(response.context["ids"].split(",")) == 2


@pytest.mark.parametrize("url", [AGAIN, CANCEL])
def test_where_nothing_is_left_it_says_so(admin_client, url):
    make(group="g", status=Status.SENDING)
    response = admin_client.get(url, follow=True)
    assert "Nothing is left to do here" in told(response)


def test_batch_that_is_gone_leads_to_the_list(admin_client):
    assert "no message in this batch" in told(admin_client.get(BATCH, follow=True))


def test_buttons_are_for_those_with_the_rights():
    rejected()
    make(group="g")
    html = page(log_in("view"), BATCH)
    assert AGAIN not in html
    assert CANCEL not in html


def test_neither_number_nor_text_stands_there():
    rejected(text="canary")
    html = page(log_in("view", "resend"), BATCH)
    assert "5213300" not in html
    assert "canary" not in html


def test_group_of_the_list_and_of_a_message_leads_there(admin_client):
    message = rejected()
    assert f'href="{BATCH}"' in page(admin_client, LIST)
    assert f'href="{BATCH}"' in page(admin_client, change_url(message))


def test_index_leads_to_the_latest_batches(admin_client):
    rejected()
    url = f"{LIST}batches/"
    assert f'href="{url}"' in page(admin_client, INDEX)
    assert f'href="{BATCH}"' in page(admin_client, url)


def test_rows_that_a_project_hides_are_not_counted(admin_client, monkeypatch):
    from django.contrib import admin

    ours = admin.site.get_model_admin(Message)
    rejected(source="board")
    rejected()
    hidden = Message.objects.exclude(source="board")
    monkeypatch.setattr(ours, "get_queryset", lambda request: hidden.all())
    assert admin_client.get(BATCH).context["progress"].total == 1


def test_resent_ones_are_not_offered_again(admin_client):
    row = rejected()
    services.resend([row], by=None)
    assert AGAIN not in page(admin_client, BATCH)
