"""Five roles x every page and action x GET and POST: nothing beyond the rights.

The pages are those that the admin itself lists: a new one without a line here
fails the test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import django
import pytest
from django.contrib.admin import site
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from negin_sms.choices import Status
from negin_sms.gateway.memory import outbox
from negin_sms.models import AccountState, DeliveryState, Message, OptOut, SmsTemplate
from negin_sms.services.outbox.transitions import WAITING
from negin_sms.services.submission.batches import drafts_of
from negin_sms.services.submission.seen import digest
from tests.admin.test_messages import NUMBER, WISH, make

pytestmark = [pytest.mark.long, pytest.mark.django_db]

Row = Message | AccountState | OptOut | SmsTemplate

ROLES: dict[str, set[str] | None] = {
    "anonymous": None,
    "staff": set(),
    "viewer": {
        *("view_message", "view_accountstate", "view_smstemplate", "view_optout"),
    },
    "operator": {
        *("view_message", "view_accountstate", "add_message", "change_message"),
        *("send_message", "refresh_message", "cancel_message", "resend_message"),
        *("resolve_message", "view_smstemplate", "change_smstemplate"),
        *("view_optout", "add_optout"),
        "release_message",
    },
    "superuser": {
        permission + "_message"
        for permission in (
            *("view", "add", "change", "delete", "send", "refresh", "cancel"),
            *("resend", "resolve", "export", "view_sensitive", "release"),
            *("edit", "reschedule", "ignore_caps"),
        )
    }
    | {"view_accountstate", "pause_accountstate"}
    | {f"{name}_optout" for name in ("view", "add", "change")}
    | {f"{name}_smstemplate" for name in ("view", "add", "change", "delete")},
}
OTHER = "+989390000000"
NOBODY = "nobody"  # refused to all
TEMPLATE = {"name": "thanks", "language": "en", "text": "Thank you!"}

# For each page: the right to open it, the right to have its POST carried out, and
# what the POST says. Every page but the index wants the model's view right besides.
PAGES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "message_changelist": ("view_message", "", {}),
    "message_add": ("add_message", "add_message", WISH),
    "message_change": ("view_message", "view_sensitive_message", WISH),
    "message_delete": ("delete_message", "delete_message", {"post": "yes"}),
    "message_history": ("view_message", "", {}),
    "message_review": ("view_message", "", {}),
    "message_report": ("view_message", "", {}),
    "message_guide": ("view_message", "", {}),
    "message_export": ("export_message", "export_message", {}),
    "message_compose": ("add_message", "add_message", WISH | {"recipients": NUMBER}),
    "message_batches": ("view_message", "", {}),
    "message_batch": ("view_message", "", {}),
    "message_batch_resend": ("resend_message", "", {}),
    "message_batch_cancel": ("cancel_message", "", {}),
    "message_preview": ("view_message", "", {}),
    "message_confirm": ("send_message", "send_message", {"group": "batch"}),
    "message_discard": ("delete_message", "delete_message", {"group": "batch"}),
    "message_reveal": ("view_sensitive_message", "view_sensitive_message", {}),
    "message_send": ("send_message", "send_message", {}),
    "message_refresh": ("refresh_message", "refresh_message", {}),
    "message_cancel": ("cancel_message", "cancel_message", {}),
    "message_edit": ("edit_message", "edit_message", WISH | {"text": "Another"}),
    "message_reschedule": (
        "reschedule_message",
        "reschedule_message",
        {"send_at": "2099-01-01 10:00", "sure": "1"},
    ),
    "message_release": ("release_message", "release_message", {}),
    "message_resend": ("resend_message", "resend_message", {}),
    "message_resolve": (
        "resolve_message",
        "resolve_message",
        {"status": "accepted", "why": "seen"},
    ),
    "accountstate_changelist": ("view_accountstate", "", {}),
    "accountstate_add": (NOBODY, NOBODY, {"account": "x"}),
    "accountstate_change": ("view_accountstate", NOBODY, {"account": "x"}),
    "accountstate_delete": (NOBODY, NOBODY, {"post": "yes"}),
    "accountstate_history": ("view_accountstate", "", {}),
    "accountstate_pause": (
        "pause_accountstate",
        "pause_accountstate",
        {"wanted": "pause", "reason": "because"},
    ),
    "smstemplate_changelist": ("view_smstemplate", "", {}),
    "smstemplate_add": ("add_smstemplate", "add_smstemplate", TEMPLATE),
    "smstemplate_change": ("view_smstemplate", "change_smstemplate", TEMPLATE),
    "smstemplate_delete": ("delete_smstemplate", "delete_smstemplate", {"post": "yes"}),
    "smstemplate_history": ("view_smstemplate", "", {}),
    "optout_changelist": ("view_optout", "", {}),
    "optout_add": ("add_optout", "add_optout", {"recipients": NUMBER}),
    "optout_change": ("view_optout", "change_optout", {"reason": "other"}),
    "optout_delete": (NOBODY, NOBODY, {"post": "yes"}),
    "optout_history": ("view_optout", "", {}),
}
ACTIONS = ("send", "refresh", "cancel", "release", "resend", "resolve")
for _name in ACTIONS:
    _right, _post, _data = PAGES[f"message_{_name}"]
    PAGES[f"message_{_name}_selected"] = (_right, _post, _data)
# Shown alike whatever the method; a POST does nothing.
READ_ONLY = {name for name, (_get, post, _data) in PAGES.items() if not post}

POST_ONLY = {"message_export", "message_confirm"}
# A page without a message in its address.
ALONE: tuple[str, ...] = (
    *("_changelist", "_add", "_selected", "_review", "_report", "_export"),
    *("_compose", "_batches", "_preview", "_confirm", "_discard"),
    *("_batch", "_batch_resend", "_batch_cancel", "_guide"),
)

# The status of the message that an action would do something to.
STATUS = {
    "message_refresh": Status.ACCEPTED,
    "message_release": Status.HELD,
    "message_batch_resend": Status.REJECTED,
    "message_resend": Status.UNCERTAIN,
    "message_resolve": Status.UNCERTAIN,
    "message_reveal": Status.ACCEPTED,
}
MODELS = (Message, AccountState, SmsTemplate, OptOut)
CASES = [(role, page) for role in ROLES for page in PAGES]


def admin_pages() -> Iterator[str]:
    for model in MODELS:
        for url in site.get_model_admin(model).get_urls():
            if url.name:  # the last one redirects old addresses
                yield url.name.removeprefix("negin_sms_")


def log_in(role: str) -> Client:
    client = Client()
    rights = ROLES[role]
    if rights is None:
        return client
    user = get_user_model().objects.create_user(
        role, is_staff=True, is_superuser=role == "superuser"
    )
    if role != "superuser":
        found = Permission.objects.filter(codename__in=rights)
        assert len(found) == len(rights)
        user.user_permissions.set(found)
    client.force_login(user)
    return client


def may(role: str, right: str, model: str) -> bool:
    rights = ROLES[role] or set()
    return not right or {right, f"view_{model}"} <= rights


def target(page: str) -> Row:
    if page.startswith("accountstate"):
        return AccountState.objects.create(account="default")
    if page.startswith("smstemplate"):
        return SmsTemplate.objects.create(name="code", language="fa", text="{code}")
    if page.startswith("optout"):
        return OptOut.objects.create(mobile=OTHER, account="default", since=NOW)
    name = page.removesuffix("_selected")
    status = STATUS.get(name, Status.DRAFT)
    accepted = status == Status.ACCEPTED
    return make(
        status=status,
        sensitive=name == "message_reveal",
        group="batch",
        gateway_id="5001" if accepted else "",
        finished_at=None if status in WAITING else timezone.now(),
    )


def address(page: str, row: Row) -> str:
    url = reverse(
        f"admin:negin_sms_{page}", args=[] if page.endswith(ALONE) else [row.pk]
    )
    if page.startswith("message_batch"):
        return f"{url}?batch=batch"
    asks_of_a_batch = page in ("message_preview", "message_discard")
    return f"{url}?group=batch" if asks_of_a_batch else url


def wish(page: str) -> dict[str, Any]:
    """Return what the POST says; what somebody saw depends on the rows."""
    _get, _right, data = PAGES[page]
    if page.startswith(
        ("message_confirm", "message_send", "message_edit", "message_reschedule")
    ):
        return data | {"seen": digest(drafts_of("batch"))}
    if page.startswith("message_release"):
        return data | {"seen": digest(Message.objects.held())}
    return data


def everything() -> list[Any]:
    tables = (*MODELS, DeliveryState, LogEntry)
    return [list(table.objects.order_by("pk").values()) for table in tables]


def is_refused(role: str, response: Any) -> bool:
    if role == "anonymous":
        return response.status_code == 302 and "/login/" in response.url
    return bool(response.status_code == 403)


def test_every_page_of_the_admin_stands_in_the_matrix():
    assert set(admin_pages()) == set(PAGES)


@pytest.mark.parametrize(("role", "page"), CASES)
def test_get_opens_what_the_role_may_see_and_changes_nothing(role, page):
    row = target(page)
    client = log_in(role)
    before = everything()
    response = client.get(address(page, row))
    right, _post, _data = PAGES[page]
    if role != "anonymous" and may(role, right, page.split("_")[0]):
        if page in POST_ONLY:
            assert response.status_code == 405
            return
        # What needs a list of messages leads back to the list.
        assert response.status_code == (302 if page.endswith("_selected") else 200)
    elif not (page in POST_ONLY and response.status_code == 405):
        assert is_refused(role, response)
    assert (everything(), outbox) == (before, [])


@pytest.mark.parametrize(("role", "page"), CASES)
def test_post_does_what_the_role_may_do_and_no_more(role, page):
    row = target(page)
    client = log_in(role)
    before = everything()
    _get, right, _data = PAGES[page]
    response = client.post(address(page, row), wish(page) | {"ids": row.pk})
    if response.streaming:
        response.getvalue()
    changed = (everything(), outbox) != (before, [])
    if role != "anonymous" and right and may(role, right, page.split("_")[0]):
        assert response.status_code in (200, 302)
        assert changed
        return
    assert not changed
    if page not in READ_ONLY:
        assert is_refused(role, response)


@pytest.mark.parametrize("page", ["message_send", "message_send_selected"])
@pytest.mark.parametrize("lacks", ["", "send_message", "release_message"])
def test_what_is_held_is_sent_by_those_who_may_release_it(page, lacks, monkeypatch):
    rights = ROLES["operator"] or set()
    monkeypatch.setitem(ROLES, "operator", rights - {lacks})
    row = make(status=Status.HELD)
    data = {"ids": row.pk, "seen": digest(Message.objects.held())}
    response = log_in("operator").post(address(page, row), data)
    assert is_refused("operator", response) is bool(lacks)
    assert bool(outbox) is not bool(lacks)


@pytest.mark.parametrize("page", sorted(PAGES))
def test_post_from_another_site_is_refused(page):
    row = target(page)
    rightful = log_in("superuser")
    client = Client(enforce_csrf_checks=True)
    client.cookies = rightful.cookies
    before = everything()
    response = client.post(address(page, row), wish(page) | {"ids": row.pk})
    assert response.status_code == 403
    assert (everything(), outbox) == (before, [])


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("where", ["list", "object"])
def test_forged_action_asks_those_with_the_right_and_does_nothing(role, action, where):
    row = target(f"message_{action}")
    client = log_in(role)
    before = everything()
    prefix = "CHANGE_FORM-" if where == "object" else ""
    data = {f"{prefix}action": f"{action}_selected", "_selected_action": row.pk}
    page = "message_changelist" if where == "list" else "message_change"
    response = client.post(address(page, row), data)
    asked = b'name="ids"' in response.content
    native = where == "list" or django.VERSION >= (6, 1)
    allowed = role != "anonymous" and may(role, f"{action}_message", "message")
    assert asked is (allowed and native)
    assert (everything(), outbox) == (before, [])


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("model", MODELS)
def test_forged_bulk_deletion_takes_templates_from_those_with_the_right_only(
    model, role
):
    name = model._meta.model_name
    row = target(f"{name}_changelist")
    client = log_in(role)
    data = {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
    client.post(address(f"{name}_changelist", row), data)
    may_delete = role == "superuser" and model is SmsTemplate
    assert model.objects.filter(pk=row.pk).exists() is not may_delete


@pytest.mark.parametrize("role", ROLES)
def test_forged_end_of_opt_outs_needs_the_right(role):
    row = target("optout_changelist")
    data = {"action": "end_selected", "_selected_action": row.pk, "asked": row.pk}
    log_in(role).post(address("optout_changelist", row), data)
    may_end = "change_optout" in (ROLES[role] or ())
    assert OptOut.objects.filter(until__isnull=False).exists() is may_end


@pytest.mark.parametrize("action", [*ACTIONS, "reveal", "edit", "reschedule"])
def test_rights_are_asked_again_for_each_row(action, monkeypatch):
    """A project may hide single messages from some of its staff."""
    ours = site.get_model_admin(Message)
    monkeypatch.setattr(ours, "has_change_permission", lambda request, obj=None: False)
    monkeypatch.setattr(
        ours,
        "has_view_permission",
        lambda request, obj=None: obj is None or obj.group != "board",
    )
    client = log_in("superuser")
    rows = [target(f"message_{action}") for _ in range(2)]
    Message.objects.filter(pk=rows[1].pk).update(group="board")
    before = everything()
    _get, _right, data = PAGES[f"message_{action}"]
    both = data | {"ids": f"{rows[0].pk},{rows[1].pk}"}
    page = f"message_{action}"
    assert client.post(address(page, rows[1]), data).status_code == 403
    if action in ACTIONS:
        url = address(f"{page}_selected", rows[1])
        assert client.post(url, both).status_code == 403
    assert client.get(address(page, rows[1])).status_code == 403
    assert (everything(), outbox) == (before, [])


@pytest.mark.parametrize("role", ROLES)
def test_index_tells_each_what_they_may_see(role):
    make(status=Status.UNCERTAIN)
    AccountState.objects.create(account="default", reason="no credit", paused_at=NOW)
    response = log_in(role).get("/admin/negin_sms/")
    told = "1 message is uncertain" in response.text, "no credit" in response.text
    may_see = role in ("viewer", "operator", "superuser")
    assert told == (may_see, may_see)


NOW = timezone.now()


@pytest.mark.parametrize("role", ROLES)
def test_forged_box_to_ignore_the_caps_needs_a_right_of_its_own(role):
    row = target("message_confirm")
    data = wish("message_confirm") | {"ignore_caps": "1"}
    log_in(role).post(address("message_confirm", row), data)
    row.refresh_from_db()
    may_ignore = role == "superuser"
    status = Status.QUEUED if may_ignore else Status.DRAFT
    assert (row.ignores_caps, row.status) == (may_ignore, status)


@pytest.mark.parametrize("sensitive", [False, True])
def test_author_is_told_what_became_of_a_draft_while_its_page_was_open(
    monkeypatch, sensitive
):
    monkeypatch.setitem(ROLES, "operator", {"view_message", "edit_message"})
    client = log_in("operator")
    me = get_user_model().objects.get(username="operator")
    row = make(created_by=me, sensitive=sensitive)
    url = address("message_edit", row)
    page = client.get(url).text
    seen = re.findall(r'name="seen" value="([^"]+)"', page)
    Message.objects.update(status=Status.ACCEPTED, gateway_id="5001")
    words = WISH | {"text": "Another", "seen": seen}
    answer = client.post(url, words, follow=True)
    assert "nothing was done" in answer.text
    assert answer.redirect_chain[-1][0].startswith(address("message_change", row))
    assert Message.objects.get().text != "Another"


@pytest.mark.parametrize("page", ["message_send", "message_send_selected"])
def test_who_sends_what_was_held_meanwhile_is_told(monkeypatch, page):
    rights = ROLES["operator"] or set()
    monkeypatch.setitem(ROLES, "operator", rights - {"release_message"})
    row, client = make(status=Status.QUEUED), log_in("operator")
    seen = digest(Message.objects.all())
    Message.objects.update(status=Status.HELD)
    data = {"ids": row.pk, "seen": seen}
    answer = client.post(address(page, row), data, follow=True)
    assert "nothing was done" in answer.text
    assert not outbox


def test_who_deletes_what_left_meanwhile_is_told(monkeypatch):
    rights = {"view_message", "delete_message"}
    monkeypatch.setitem(ROLES, "operator", rights)
    row, client = make(), log_in("operator")
    url = address("message_delete", row)
    assert client.get(url).status_code == 200
    Message.objects.update(status=Status.QUEUED)
    answer = client.post(url, {"post": "yes"}, follow=True)
    assert "not a draft any more" in answer.text
    assert Message.objects.count() == 1
