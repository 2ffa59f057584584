"""Text templates through the admin's pages, and on the compose page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.utils import translation
from django.utils.translation import override

from negin_sms.admin import text_templates
from negin_sms.admin.compose_fields import language_name
from negin_sms.admin.text_templates import SmsTemplateForm
from negin_sms.models import Message, SmsTemplate
from tests.admin.test_composing import (
    COMPOSE,
    PREVIEW,
    TABLE,
    compose,
    log_in,
    words_of,
)

pytestmark = pytest.mark.django_db

BASE = "/admin/negin_sms/smstemplate/"
WISH = {"name": "code", "language": "fa", "text": "Dear {name}: {code}"}


@pytest.fixture
def kept():
    return SmsTemplate.objects.create(name="code", language="fa", text="Dear {نام}")


def test_template_is_written_in_the_admin(admin_client):
    response = admin_client.post(BASE + "add/", WISH | {"text": "Dear\r\n{name}"})
    assert response.status_code == 302
    template = SmsTemplate.objects.get()
    assert (template.name, template.language) == ("code", "fa")
    assert template.text == "Dear\n{name}"


@pytest.mark.parametrize(("code", "name"), [("en-us", "English"), ("fa", "Persian")])
def test_new_text_is_in_the_language_of_the_page(admin_client, settings, code, name):
    with override(code):
        language: Any = SmsTemplateForm().fields["language"]
    assert language.initial in dict(language.choices)
    assert language_name(language.initial) == name


def test_languages_are_named(admin_client, kept):
    html = admin_client.get(BASE).text
    assert re.search(r'class="field-in_language[^>]*>Persian<', html)
    assert re.search(r'<a href="\?language=fa"[^>]*>\s*Persian\s*</a>', html)


@pytest.mark.parametrize("text", ["Dear {", "Dear {0}", "Dear {a.b}", "Dear {}"])
def test_brace_that_is_no_placeholder_is_refused(admin_client, text):
    response = admin_client.post(BASE + "add/", WISH | {"text": text})
    assert "The brace at character 6 belongs to no placeholder" in words_of(response)
    assert not SmsTemplate.objects.exists()


def test_text_that_no_account_could_send_is_refused_when_it_is_saved(admin_client):
    text = "Dear {name} " + "س" * 1000
    response = admin_client.post(BASE + "add/", WISH | {"text": text})
    assert "The text takes 16 parts; at most 10 parts are allowed." in words_of(
        response
    )
    assert not SmsTemplate.objects.exists()


def test_endless_text_that_came_otherwise_is_not_measured(admin_client, monkeypatch):
    SmsTemplate.objects.create(name="long", language="en", text="x" * 900_000)
    monkeypatch.setattr(text_templates, "measure", None)
    assert "…" in words_of(admin_client.get(BASE))


def test_name_and_language_are_unique_together(admin_client, kept):
    response = admin_client.post(BASE + "add/", WISH)
    assert "already exists" in words_of(response)
    assert (
        admin_client.post(BASE + "add/", WISH | {"language": "en"}).status_code == 302
    )


def test_list_shows_placeholders_and_parts(admin_client, kept):
    SmsTemplate.objects.create(name="long", language="en", text="x" * 161)
    SmsTemplate.objects.create(name="broken", language="en", text="Dear {")
    words = words_of(admin_client.get(BASE))
    assert "{نام} 1 (Persian (Unicode))" in words
    assert "2 (Latin)" in words
    assert "The brace at character 6" in words


def test_page_counts_while_somebody_types(admin_client, kept):
    html = admin_client.get(f"{BASE}{kept.pk}/change/").text
    assert "negin_sms/counter.js" in html
    assert 'class="negin-sms-counter"' in html
    assert "1 (Persian (Unicode))" in html


def test_new_template_is_in_the_language_of_the_page(admin_client):
    html = admin_client.get(BASE + "add/", headers={"accept-language": "fa"}).text
    assert '<option value="fa" selected>' in html


def test_language_that_the_settings_lost_is_kept(admin_client, kept, settings):
    settings.LANGUAGES = [("en", "English")]
    admin_client.post(f"{BASE}{kept.pk}/change/", WISH | {"text": "x"})
    kept.refresh_from_db()
    assert (kept.language, kept.text) == ("fa", "x")


@pytest.mark.parametrize(("right", "status"), [("view", 200), ("add", 403)])
def test_reading_takes_its_permission(kept, right, status):
    client = log_in()
    user = client.get("/admin/").wsgi_request.user
    codename = f"{right}_smstemplate"
    user.user_permissions.set(Permission.objects.filter(codename=codename))
    response = client.get(f"{BASE}{kept.pk}/change/")
    assert response.status_code == status
    if status == 200:
        assert "{نام}" in words_of(response)
        assert client.post(f"{BASE}{kept.pk}/change/", WISH).status_code == 403


def test_hostile_template_is_inert(admin_client):
    text = "<script>alert(1)</script>"
    hostile = SmsTemplate.objects.create(name="x", language="en", text=text)
    pages = [BASE, f"{BASE}{hostile.pk}/change/", COMPOSE]
    for page in pages:
        html = admin_client.get(page).text
        assert "alert(1)" in html
        assert text not in html


class TestComposing:
    def test_templates_are_offered_with_their_texts(self, kept):
        html = log_in("view", "add").get(COMPOSE).text
        assert 'data-fills="text"' in html
        assert 'data-text="Dear {نام}">code (Persian)</option>' in html

    def test_none_are_offered_where_there_are_none(self):
        client = log_in("view", "add")
        assert "text_template" not in client.get(COMPOSE).text
        assert "This field is required" in words_of(compose(client, text=""))

    def test_template_stands_in_for_an_empty_text(self, kept):
        client = log_in("view", "add")
        response = compose(
            client, text="", text_template=str(kept.pk), recipients=TABLE
        )
        assert response.url.startswith(PREVIEW)
        texts = Message.objects.order_by("pk").values_list("text", flat=True)
        assert list(texts) == ["Dear سارا", "Dear علی"]

    def test_text_that_was_typed_wins(self, kept):
        compose(log_in("view", "add"), text="Hello", text_template=str(kept.pk))
        assert Message.objects.get().text == "Hello"

    def test_neither_text_nor_template_is_refused(self, kept):
        response = compose(log_in("view", "add"), text=" ", text_template="")
        assert "This field is required" in words_of(response)
        assert not Message.objects.exists()


def test_template_says_what_it_is():
    with translation.override("en"):
        assert str(SmsTemplate(name="code", language="fa", text="x")) == "code (fa)"
