"""The mixins under a theme whose pages do not draw our buttons: django-unfold."""

from __future__ import annotations

import re

import pytest
from django.contrib.admin import helpers
from django.utils import timezone

from negin_sms.choices import Status
from negin_sms.models import AccountState, Message, OptOut
from tests.admin.test_messages import LIST, NUMBER, act, change_url, confirm, make, page

pytest.importorskip("unfold", reason="django-unfold needs Python 3.12")

pytestmark = [
    pytest.mark.django_db,
    # unfold 0.110 overrides get_action_choices() as before Django 6.1.
    pytest.mark.filterwarnings("ignore:Overriding get_action:DeprecationWarning"),
    pytest.mark.filterwarnings(
        "ignore:Overriding get_action:PendingDeprecationWarning"
    ),
]

FITTING = {
    Status.DRAFT: {"send", "cancel"},
    Status.QUEUED: {"send", "cancel"},
    Status.ACCEPTED: {"refresh"},
    Status.UNCERTAIN: {"resolve", "resend"},
    Status.REJECTED: {"resend"},
}
ACTIONS = ("send", "refresh", "cancel", "resend", "resolve")


@pytest.fixture(autouse=True)
def _theme(settings, monkeypatch):
    # The theme puts its own classes here, for good; the other tests want Django's.
    for name in ("AdminForm", "Fieldline"):
        monkeypatch.setattr(helpers, name, getattr(helpers, name))
    # Not "unfold" alone: that would replace the default site of the process.
    theme = "unfold.apps.BasicAppConfig"
    settings.INSTALLED_APPS = [theme, *settings.INSTALLED_APPS]
    settings.ROOT_URLCONF = "tests.themed_urls"


def links(html: str, message: Message) -> set[str]:
    """Return the actions of a message whose page is linked."""
    found = re.findall(rf'href="{LIST}{message.pk}/(\w+)/["?]', html)
    return set(found) & set(ACTIONS)


@pytest.mark.parametrize("status", FITTING)
def test_operations_are_linked_in_a_field(admin_client, status):
    message = make(status=status, gateway_id="7" if status == "accepted" else "")
    html = page(admin_client, change_url(message))
    assert "unfold" in html
    field = html[html.index(">Actions</label>") :]
    assert links(field, message) == FITTING[status]


@pytest.mark.parametrize("name", [*ACTIONS, "reveal"])
def test_page_of_each_operation_asks(admin_client, name):
    message = make(status=Status.UNCERTAIN, sensitive=True)
    html = page(admin_client, f"{LIST}{message.pk}/{name}/")
    assert "unfold" in html
    assert '<form method="post"' in html
    assert re.search(
        '<h1 class="negin-sms-title">[^<]+</h1>', html
    )  # the theme has none


def test_list_offers_and_carries_out_the_actions(admin_client):
    message = make(status=Status.QUEUED)
    assert 'value="cancel_selected"' in page(admin_client, LIST)
    confirm(admin_client, act(admin_client, "cancel_selected", [message]))
    message.refresh_from_db()
    assert message.status == Status.CANCELLED


def test_operation_tells_in_the_theme(admin_client):
    message = make(status=Status.UNCERTAIN)
    data = {"status": "rejected", "why": "Not there."}
    response = admin_client.post(f"{LIST}{message.pk}/resolve/", data, follow=True)
    assert "Not there." in response.text
    assert response.status_code == 200


def test_review_index_and_history_are_drawn(admin_client):
    message = make(status=Status.UNCERTAIN, finished_at=timezone.now())
    assert links(page(admin_client, LIST + "review/"), message) == {"resolve", "resend"}
    assert "1 message is uncertain" in page(admin_client, "/admin/negin_sms/")
    page(admin_client, f"{LIST}{message.pk}/history/")
    page(admin_client, f"{LIST}add/")


def test_desk_is_drawn_from_writing_to_the_report(admin_client):
    wish = {"recipients": NUMBER, "text": "Hello", "scenario": "single", "priority": 20}
    wrong = admin_client.post(f"{LIST}compose/", wish | {"recipients": "0939"}).text
    preview = admin_client.post(f"{LIST}compose/", wish, follow=True).text
    assert "1 entry was refused" in wrong
    assert f'action="{LIST}preview/confirm/"' in preview
    report = page(admin_client, f"{LIST}report/")
    assert all("unfold" in html for html in (wrong, preview, report))


def test_delivery_history_is_drawn(admin_client):
    message = make(status=Status.ACCEPTED, state=1)
    message.states.create(code=1, reported_at=timezone.now(), source="poll")
    assert "negin-sms-state-delivered" in page(admin_client, change_url(message))


def test_accounts_are_paused_in_the_theme(admin_client):
    state = AccountState.objects.create(account="default")
    base = "/admin/negin_sms/accountstate/"
    page(admin_client, base)
    html = page(admin_client, f"{base}{state.pk}/change/")
    assert f'href="{base}{state.pk}/pause/"' in html
    wish = {"wanted": "pause", "reason": "because"}
    admin_client.post(f"{base}{state.pk}/pause/", wish)
    state.refresh_from_db()
    assert state.is_paused


def test_text_templates_are_kept_in_the_theme(admin_client):
    base = "/admin/negin_sms/smstemplate/"
    assert "negin-sms-counter" in page(admin_client, f"{base}add/")
    wish = {"name": "code", "language": "fa", "text": "Dear {name}"}
    admin_client.post(f"{base}add/", wish)
    html = page(admin_client, base)
    assert "unfold" in html
    assert "{name}" in html


def test_opt_outs_are_entered_and_ended_in_the_theme(admin_client):
    base = "/admin/negin_sms/optout/"
    assert "unfold" in page(admin_client, f"{base}add/")
    admin_client.post(f"{base}add/", {"recipients": "09395213300", "line": "98"})
    row = OptOut.objects.get()
    assert "0939•••3300" in page(admin_client, base)
    assert "unfold" in page(admin_client, f"{base}{row.pk}/change/")
    data = {"action": "end_selected", "_selected_action": row.pk}
    assert "unfold" in admin_client.post(base, data).text
    admin_client.post(base, data | {"asked": row.pk})
    row.refresh_from_db()
    assert row.until
