"""From a list of the project's own people to the compose page."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import path, reverse

from negin_sms.admin import SmsRecipientsMixin, recipients
from negin_sms.models import Message
from tests.admin.test_messages import WISH

pytestmark = pytest.mark.django_db
USERS = "/admin/auth/user/"
COMPOSE = "/admin/negin_sms/message/compose/"


class People(SmsRecipientsMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    """Users, whose names are their numbers."""

    sms_mobile = "username"
    sms_columns = {"Name": "first_name", "mail": "email"}
    actions = ["shout"]

    @admin.action(description="Shout")
    def shout(self, request, queryset):
        """Do nothing; it was there before."""


@pytest.fixture(autouse=True)
def _people(monkeypatch, settings) -> None:
    site = admin.site
    people = People(get_user_model(), site)
    monkeypatch.setitem(site._registry, get_user_model(), people)
    settings.ROOT_URLCONF = (path("admin/", site.urls),)  # made of what is now


@pytest.fixture
def patients() -> list[int]:
    create = get_user_model().objects.create_user
    sara = create("09395213300", "sara@example.com", first_name='Sara, "the" {first}')
    ali = create("0939 521 3301", "ali@example.com", first_name="علی")
    return [sara.pk, ali.pk]


def write_to(client: Client, keys: list[int], **more: str):
    posted = {"action": "write_sms", "_selected_action": keys, **more}
    return client.post(USERS, posted, follow=True)


def log_in(*rights: str) -> Client:
    user = get_user_model().objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    return client


def test_page_opens_with_them_and_writes_to_them(admin_client, patients):
    page = write_to(admin_client, patients)
    assert page.templates[0].name == "admin/negin_sms/message/compose.html"
    assert f'action="{COMPOSE}"' in page.text
    form = page.context["form"]
    text = "{name}: {mail}"
    answers = {**WISH, "mobile": "", "text": text, "token": form["token"].value()}
    answers["recipients"] = form["recipients"].value()
    told = admin_client.post(COMPOSE, answers)
    assert told.status_code == 302
    assert sorted(Message.objects.values_list("mobile", "text")) == [
        ("+989395213300", 'Sara, "the" {first}: sara@example.com'),
        ("+989395213301", "علی: ali@example.com"),
    ]
    assert set(Message.objects.values_list("status", flat=True)) == {"draft"}


def test_who_has_no_number_is_left_out_and_said(admin_client, patients):
    get_user_model().objects.filter(pk=patients[1]).update(username=" ")
    page = write_to(admin_client, patients)
    assert "1 of them has no number" in page.text
    assert "علی" not in page.context["form"]["recipients"].value()
    page = write_to(admin_client, patients[1:])
    assert page.redirect_chain == [(USERS, 302)]


def test_too_many_are_said(admin_client, patients, monkeypatch):
    monkeypatch.setattr(recipients, "MOST_RECIPIENTS", 1)
    assert "Select at most 1 at a time" in write_to(admin_client, patients).text


@pytest.mark.parametrize("missing", ["view_user", "add_message", "view_message"])
def test_both_rights_are_asked(patients, missing):
    rights = {"view_user", "add_message", "view_message"} - {missing}
    client = log_in(*rights)
    page = write_to(client, patients)
    assert "0939" not in (page.text if missing == "view_user" else "")
    assert "form" not in (page.context or {})
    shown = client.get(USERS)
    assert "Write to these" not in shown.text


def test_who_has_the_rights_is_offered_it_beside_the_rest(patients):
    client = log_in("view_user", "change_user", "add_message", "view_message")
    shown = client.get(USERS).text
    assert "Write to these" in shown
    assert "Shout" in shown
    assert "form" in write_to(client, patients).context


def test_site_without_our_admin_offers_nothing(patients):
    site = admin.AdminSite("other")
    people = People(get_user_model(), site)
    assert not people.has_write_sms_permission(None)  # type: ignore[arg-type]


def test_list_without_actions_keeps_none():
    class Bare(SmsRecipientsMixin, admin.ModelAdmin):  # type: ignore[type-arg]
        actions = None

    assert Bare(get_user_model(), admin.site).actions is None


def test_nothing_is_written_by_opening(admin_client, patients):
    write_to(admin_client, patients)
    assert not Message.objects.exists()
    assert not LogEntry.objects.exists()
    assert reverse("admin:negin_sms_message_compose") == COMPOSE
