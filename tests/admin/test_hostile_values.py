"""What others may write must be inert on every page: texts, answers, lines, numbers."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from django.urls import reverse

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.models import AccountState, Message, SmsTemplate
from tests.admin.test_messages import (
    ADD,
    LIST,
    act,
    change_url,
    log_in,
    make,
    make_accepted,
    page,
    seen,
)
from tests.admin.test_rights import ALONE, PAGES, POST_ONLY, READ_ONLY

pytestmark = [pytest.mark.long, pytest.mark.django_db]

SCRIPT = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
OVERRIDE = "\u202edesrever\u2066"
FORMULA = "=1+1"
HOSTILE = f"{FORMULA}{SCRIPT}{OVERRIDE}"
STATUSES = [Status.DRAFT, Status.QUEUED, Status.UNCERTAIN, Status.REJECTED]
OWN_PAGES = [
    name
    for name in PAGES
    if name.startswith("message")
    and not name.endswith(("_selected", "_add"))
    and name not in POST_ONLY
]


def make_hostile(status: str = Status.UNCERTAIN, **fields) -> Message:
    # What waits has no word of the gateway yet; the database holds that.
    gateway_id = "" if status in ("draft", "queued") else SCRIPT[:32]
    return make(
        idempotency_key=f"{Message.objects.count()}{HOSTILE}",
        status=status,
        text=HOSTILE,
        detail=HOSTILE,
        group=HOSTILE[:64],
        source=HOSTILE[:64],
        claim=HOSTILE,
        line=SCRIPT[:20],
        used_line=SCRIPT[:32],
        gateway_id=gateway_id,
        mobile="<img src=x>",
        **fields,
    )


def address(name: str, message: Message) -> str:
    args = [] if name.endswith(ALONE) else [message.pk]
    url = reverse(f"admin:negin_sms_{name}", args=args)
    if name.startswith("message_batch"):
        return f"{url}?{urlencode({'batch': message.group})}"
    query = urlencode({"group": message.group})
    wanted = ("message_preview", "message_discard")
    return f"{url}?{query}" if name in wanted else url


def assert_inert(html: str) -> None:
    for tag in ("<script>alert", "<img src=x"):
        assert tag not in html


def open_boxes(html: str, mark: str) -> list[str]:
    """Return the tags around direction overrides that do not keep them in.

    A block and a form's control end what a mark begins; of inline elements bdi does.
    A template's text is in an attribute besides, which is not shown.
    """
    tags = [html[: m.start()].rsplit("<", 1)[1] for m in re.finditer(mark, html)]
    return [
        tag
        for tag in tags
        if not re.match(r"(div|td|dd|bdi|textarea|input)\b|.* data-text=", tag)
    ]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("name", OWN_PAGES)
def test_message_is_inert_on_every_page(admin_client, name, status):
    if name == "message_delete":
        status = Status.DRAFT
    message = make_hostile(status, sensitive=name == "message_reveal")
    response = admin_client.get(address(name, message), follow=True)
    assert response.status_code == 200
    assert_inert(response.text)
    assert open_boxes(response.text, OVERRIDE[0]) == []


@pytest.mark.parametrize("action", ["send", "refresh", "cancel", "resend", "resolve"])
def test_message_is_inert_in_the_question_for_many(admin_client, action):
    rows = [make_hostile(), make_hostile()]
    html = act(admin_client, f"{action}_selected", rows).text
    assert 'name="ids"' in html
    assert_inert(html)


def test_revealed_text_is_inert(admin_client):
    message = make_hostile(sensitive=True)
    html = admin_client.post(address("message_reveal", message)).text
    assert "desrever" in html
    assert_inert(html)
    assert open_boxes(html, OVERRIDE[0]) == []


def test_reason_of_a_decision_is_inert_where_it_is_told_and_kept(admin_client):
    message = make(status=Status.UNCERTAIN)
    decision = {"status": "accepted", "why": HOSTILE}
    url = address("message_resolve", message)
    wrong = admin_client.post(url, decision | {"gateway_id": SCRIPT[:32]})
    assert "A gateway id is a number above" in wrong.text
    told = admin_client.post(url, decision, follow=True)
    assert "resolved as" in told.text
    history = page(admin_client, address("message_history", message))
    assert "alert(1)" in history
    for html in (
        wrong.text,
        told.text,
        history,
        page(admin_client, change_url(message)),
    ):
        assert_inert(html)


def test_answer_of_the_gateway_is_inert_where_it_is_told(admin_client, settings):
    moody = {"BACKEND": "tests.admin.test_hostile_values.HostileGateway"}
    settings.NEGIN_SMS = {"default": settings.NEGIN_SMS["default"] | moody}
    draft = make()
    url = address("message_send", draft)
    response = admin_client.post(url, seen(draft), follow=True)
    assert "alert(1)" in response.text
    assert_inert(response.text)


class HostileGateway:
    def __init__(self, account) -> None:
        pass

    def send(self, request, *, start_by=0.0):
        from negin_sms.exceptions import Rejected

        raise Rejected(SCRIPT, code=27, detail=SCRIPT)


def test_account_is_inert_on_its_pages_and_the_index(admin_client):
    services.pause_account("default", reason=HOSTILE)
    state = AccountState.objects.get()
    for name in ("changelist", "change", "pause", "history"):
        args = [] if name == "changelist" else [state.pk]
        html = page(
            admin_client, reverse(f"admin:negin_sms_accountstate_{name}", args=args)
        )
        assert_inert(html)
    html = page(admin_client, "/admin/negin_sms/")
    assert "desrever" in html
    assert_inert(html)
    assert open_boxes(html, OVERRIDE[0]) == []


@pytest.mark.parametrize("name", ["changelist", "change", "delete", "history"])
def test_template_is_inert_on_its_pages_and_where_it_is_chosen(admin_client, name):
    template = SmsTemplate.objects.create(name="x", language=SCRIPT[:16], text=HOSTILE)
    args = [] if name == "changelist" else [template.pk]
    own = reverse(f"admin:negin_sms_smstemplate_{name}", args=args)
    for url in (own, f"{LIST}compose/"):
        html = page(admin_client, url)
        assert "&lt;script&gt;" in html
        assert_inert(html)
        assert open_boxes(html, OVERRIDE[0]) == []


def test_search_term_is_inert(admin_client):
    assert_inert(admin_client.get(LIST, {"q": HOSTILE}).text)


def test_wild_mobile_is_not_repeated_by_titles(admin_client):
    message = make(mobile="<b>", status=Status.QUEUED)
    html = page(admin_client, change_url(message))
    assert "<b>" not in html
    assert f"SMS {message.pk} → •••" in html


@pytest.mark.parametrize("name", [*OWN_PAGES, "message_add"])
def test_pages_need_no_inline_style_or_script_of_ours(admin_client, name):
    of_drafts = ("delete", "discard", "preview", "edit", "reschedule", "batch_cancel")
    if name.removeprefix("message_") in of_drafts:
        message = make(group="batch")
    elif name.startswith("message_batch"):
        message = make(group="batch", status=Status.REJECTED)
    else:
        message = make_accepted(sensitive=name == "message_reveal")
    url = ADD if name == "message_add" else address(name, message)
    html = page(admin_client, url)
    if name not in ("message_history", "message_delete"):  # Django's own
        assert "negin_sms/admin.css" in html
    assert "style=" not in html
    assert not re.search(r"<[^>]+\son\w+=", html)
    assert not re.search(r"<script(?![^>]*(src=|type=\"application/json\"))", html)


def test_index_needs_no_inline_style_either(admin_client):
    make(status=Status.UNCERTAIN)
    html = page(admin_client, "/admin/negin_sms/")
    assert "negin_sms/admin.css" in html
    assert "style=" not in html


def test_pages_that_are_only_read_take_no_form():
    client = log_in("view")
    make(status=Status.UNCERTAIN)
    assert "message_review" in READ_ONLY
    assert (
        '<form method="post"'
        not in page(client, LIST + "review/").split('id="content"')[1]
    )


@pytest.mark.parametrize(
    "address",
    [
        *("?group=%00", "?status__exact=%00", "?q=%00", "?account=%00", "?sent=%00"),
        *("preview/?group=%00", "preview/discard/?group=%00", "compose/?edit=%00"),
        *("batch/?batch=%00", "batch/resend/?batch=%00", "batch/cancel/?batch=%00"),
    ],
)
def test_nul_in_an_address_is_no_error(admin_client, address):
    """PostgreSQL makes one of it, and each would be a mail to ADMINS."""
    admin_client.raise_request_exception = False
    answer = admin_client.get(f"/admin/negin_sms/message/{address}")
    assert answer.status_code < 500


@pytest.mark.parametrize("page", ["preview/confirm/", "preview/discard/"])
def test_nul_in_a_posted_group_is_no_error(admin_client, page):
    admin_client.raise_request_exception = False
    answer = admin_client.post(f"/admin/negin_sms/message/{page}", {"group": "\0"})
    assert answer.status_code < 500
