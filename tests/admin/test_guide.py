"""The guide for staff: shown in the language of the user, and one step away."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.utils.translation import override

import negin_sms
from negin_sms.admin.guide import GUIDES
from negin_sms.models import AccountState
from tests.admin.test_messages import make

pytestmark = pytest.mark.django_db

LIST = "/admin/negin_sms/message/"
GUIDE = f"{LIST}guide/"
TEXTS = Path(negin_sms.__file__).parent / "templates/admin/negin_sms/guide"


def text(language: str) -> str:
    return (TEXTS / f"{language}.html").read_text(encoding="utf-8")


def sections(language: str) -> list[str]:
    return re.findall(r'<section id="([\w-]+)">\n<h2>', text(language))


@pytest.mark.parametrize(
    ("asked", "shown", "direction"),
    [
        ("fa", "fa", "rtl"),
        ("fa-ir", "fa", "rtl"),
        ("en", "en", "ltr"),
        ("ar", "en", "ltr"),
    ],
)
def test_guide_speaks_the_language_of_the_user(
    admin_client, settings, asked, shown, direction
):
    settings.LANGUAGES = [(code, code) for code in ("en", "fa", "fa-ir", "ar")]
    with override(asked):
        html = admin_client.get(GUIDE, headers={"accept-language": asked}).text
    assert f'class="negin-sms-guide" lang="{shown}" dir="{direction}"' in html
    assert text(shown).strip() in html


@pytest.mark.parametrize(("digits", "one"), [(True, "۱"), (False, "1")])
def test_steps_are_numbered_in_the_digits_of_the_page(
    admin_client, settings, digits, one
):
    """By the style sheet, which reads them there."""
    settings.NEGIN_SMS_PERSIAN_DIGITS = digits
    with override("fa"):
        html = admin_client.get(GUIDE, headers={"accept-language": "fa"}).text
    assert f'data-one="{one}"' in html
    styles = TEXTS.parents[3] / "static/negin_sms/admin.css"
    assert '[data-one="۱"] ol' in styles.read_text(encoding="utf-8")


def test_guide_names_the_right_for_everything_that_people_do():
    rights = Permission.objects.filter(
        content_type__app_label="negin_sms",
        content_type__model__in=["message", "accountstate", "optout", "smstemplate"],
    )
    # Accounts come with the settings, and an opt-out is ended, never deleted.
    nobody = {f"{verb}_accountstate" for verb in ("add", "change", "delete")}
    named = set(rights.values_list("codename", flat=True)) - nobody - {"delete_optout"}
    for language in GUIDES:
        assert named - set(re.findall(r">(\w+)</code>", text(language))) == set()


def test_guides_have_the_same_sections():
    assert len(sections("fa")) == len(set(sections("fa"))) == 13
    assert all(sections(language) == sections("fa") for language in GUIDES)


@pytest.mark.parametrize("language", GUIDES)
def test_text_has_no_template_tags(language):
    # The documentation shows the file as it is.
    assert not re.search(r"\{[{%#]", text(language))


@pytest.mark.parametrize(
    ("page", "section"),
    [
        (LIST, ""),
        ("/admin/negin_sms/", ""),
        (f"{LIST}compose/", "writing"),
        (f"{LIST}preview/?group=batch", "preview"),
        (f"{LIST}batches/", "batches"),
        (f"{LIST}batch/?batch=batch", "batches"),
        (f"{LIST}review/", "uncertain"),
        (f"{LIST}report/", "reports"),
        ("/admin/negin_sms/optout/add/", "opt-outs"),
    ],
)
def test_pages_lead_to_their_section(admin_client, page, section):
    make(group="batch")
    html = admin_client.get(page).text
    assert f'href="{GUIDE}{section and "#" + section}"' in html
    assert not section or section in sections("en")


@pytest.mark.parametrize(
    ("page", "section"), [("change", "statuses"), ("reschedule", "time")]
)
def test_page_of_a_message_leads_to_its_section(admin_client, page, section):
    message = make(status="queued")
    html = admin_client.get(f"{LIST}{message.pk}/{page}/").text
    assert f'href="{GUIDE}#{section}"' in html
    assert section in sections("en")


def test_who_sees_no_messages_is_not_led_there(client, django_user_model):
    user = django_user_model.objects.create_user("enterer", is_staff=True)
    found = Permission.objects.filter(codename__in=["view_optout", "add_optout"])
    user.user_permissions.set(found)
    client.force_login(user)
    html = client.get("/admin/negin_sms/optout/add/").text
    assert 'name="recipients"' in html
    assert GUIDE not in html


@pytest.mark.parametrize("language", GUIDES)
@pytest.mark.parametrize(
    ("right", "page"),
    [
        ("pause_accountstate", "accountstate/{account}/pause/"),
        ("add_optout", "optout/add/"),
        ("view_message", "message/"),
        ("add_message", "message/compose/"),
    ],
)
def test_rights_that_stand_beside_an_operation_are_enough(
    client, django_user_model, language, right, page
):
    account = AccountState.objects.create(account="default")
    lines = re.findall(rf"<dd>.*>{right}<.*</dd>", text(language))
    line = min(lines, key=lambda each: each.index(f">{right}<"))  # its own
    codes = re.findall(r"<code[^>]*>(\w+)</code>", line)
    user = django_user_model.objects.create_user("granted", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codes))
    client.force_login(user)
    url = "/admin/negin_sms/" + page.format(account=account.pk)
    assert client.get(url).status_code == 200


@pytest.mark.parametrize("language", GUIDES)
def test_every_right_to_messages_is_named(language):
    rights = Permission.objects.filter(content_type__model="message")
    named = set(re.findall(r"<code[^>]*>(\w+)</code>", text(language)))
    assert {right.codename for right in rights} <= named


def test_filters_that_it_names_are_offered(admin_client):
    (named,) = re.findall(r"<p>با فیلترها فهرست را کوتاه کنید: (.+?)\.", text("fa"))
    response = admin_client.get(LIST, headers={"accept-language": "fa"})
    with override("fa"):
        offered = {str(each.title) for each in response.context["cl"].filter_specs}
    assert set(re.findall("«(.+?)»", named)) <= offered
