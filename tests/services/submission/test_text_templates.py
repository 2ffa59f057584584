"""Texts kept by staff: chosen by name and language, filled, or refused unsaved."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.management import call_command
from django.utils import translation

from negin_sms import services
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message, SmsTemplate

pytestmark = pytest.mark.django_db

MOBILE = "09395213300"
CODE: dict[str, Any] = {
    "template_name": "code",
    "context": {"name": "Sara", "code": 1234},
}


@pytest.fixture(autouse=True)
def _templates():
    texts = {"en": "Dear {name}: {code}", "fa": "{name} عزیز: {code}"}
    for language, text in texts.items():
        SmsTemplate.objects.create(name="code", language=language, text=text)
    SmsTemplate.objects.create(name="thanks", language="de", text="Danke!")


def text_of(**fields) -> str:
    return services.queue_sms(MOBILE, **fields).text


def refusal(**fields) -> InvalidMessage:
    """Return the error, having seen that it saves nothing and shows no text."""
    with pytest.raises(InvalidMessage) as caught:
        services.queue_sms(MOBILE, **fields)
    assert not Message.objects.exists()
    assert "Dear" not in "".join(traceback.format_exception(caught.value))
    return caught.value


def test_template_is_filled(sms_outbox):
    message = services.send_sms(MOBILE, **CODE)
    assert message.text == sms_outbox[0].text == "Dear Sara: 1234"


def test_async_twins_take_templates():
    sent = async_to_sync(services.asend_sms)(MOBILE, **CODE)
    queued = async_to_sync(services.aqueue_sms)(MOBILE, **CODE, language="fa")
    assert (sent.text, queued.text) == ("Dear Sara: 1234", "Sara عزیز: 1234")


def test_many_messages_read_their_template_once(django_assert_num_queries):
    wishes = [
        {"mobile": MOBILE, "context": {"name": name, "code": 1}} for name in "abc"
    ]
    with django_assert_num_queries(5):  # now, the template, BEGIN, INSERT, COMMIT
        rows = services.queue_many(wishes, template_name="code")
    assert [row.text for row in rows] == ["Dear a: 1", "Dear b: 1", "Dear c: 1"]


@pytest.mark.parametrize(
    ("asked", "active", "default", "begins"),
    [
        ("fa", "en", "en", "Sara"),
        ("FA_ir", "en", "en", "Sara"),
        (None, "fa", "en", "Sara"),
        (None, "fa-ir", "en", "Sara"),
        ("de", "fa", "en", "Sara"),
        (None, "de", "fa", "Sara"),
        (None, None, "fa", "Sara"),
        (None, "de", "fr", "Dear"),  # any: the first by its code
    ],
)
def test_language_is_the_nearest_there_is(settings, asked, active, default, begins):
    settings.LANGUAGE_CODE = default
    with translation.override(active):
        assert text_of(**CODE, language=asked).startswith(begins)


def test_any_language_is_better_than_none():
    assert text_of(template_name="thanks") == "Danke!"


def test_name_is_exact():
    assert refusal(template_name="Code").field == "template_name"


def test_unknown_template_is_refused_with_the_known_ones():
    error = refusal(template_name="welcome")
    assert str(error.reason) == (
        "There is no text template “welcome”; there are: code, thanks."
    )


def test_known_templates_are_not_listed_for_ever():
    for number in range(30):
        SmsTemplate.objects.create(name=f"a{number:02}", language="en", text="x")
    assert "a19, …." in str(refusal(template_name="welcome").reason)
    SmsTemplate.objects.all().delete()
    assert "there are: none." in str(refusal(template_name="welcome").reason)


@pytest.mark.parametrize("context", [{"name": "Sara"}, {"name": "Sara", "code": " "}])
def test_missing_value_is_refused_with_its_placeholder(context):
    error = refusal(template_name="code", context=context)
    assert error.field == "context"
    assert "“code”: There is no value for {code}." in str(error.reason)


def test_broken_template_is_not_the_values_fault():
    SmsTemplate.objects.create(name="broken", language="en", text="Dear {")
    error = refusal(template_name="broken", context={"name": "Sara"})
    assert error.field == "template_name"
    assert "character 6" in str(error.reason)


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("template_name", {"text": "x", "template_name": "code"}),
        ("text", {}),
        ("context", {"text": "x", "context": {"name": "Sara"}}),
        ("language", {"text": "x", "language": "fa"}),
    ],
)
def test_text_or_template_is_given_not_both_or_half(field, fields):
    assert refusal(**fields).field == field


def test_refused_template_among_many_is_named_by_its_place():
    good, bad = CODE["context"], {"name": "Sara"}
    wishes = [{"mobile": MOBILE, "context": context} for context in (good, bad)]
    with pytest.raises(InvalidMessage) as caught:
        services.queue_many(wishes, template_name="code")
    assert (caught.value.position, caught.value.field) == (1, "context")
    assert not Message.objects.exists()


def test_filled_text_is_measured_and_limited(settings):
    settings.NEGIN_SMS = {"default": settings.NEGIN_SMS["default"] | {"MAX_PARTS": 1}}
    assert services.queue_sms(MOBILE, **CODE).parts == 1
    with pytest.raises(InvalidMessage, match="takes 2 parts"):
        services.queue_sms(
            MOBILE, template_name="code", context={"name": "x" * 160, "code": 1}
        )


class TestServiceTexts:
    """The vendor's numbered texts by name."""

    @pytest.fixture(autouse=True)
    def _named(self, settings):
        texts = {"SERVICE_TEXTS": {"otp": 3, "bill": 0}}
        settings.NEGIN_SMS = {"default": settings.NEGIN_SMS["default"] | texts}

    @pytest.mark.parametrize(("name", "number"), [("otp", 3), ("bill", 0), (7, 7)])
    def test_name_stands_for_the_number(self, sms_outbox, name, number):
        message = services.send_sms(MOBILE, "x", scenario="service_line", template=name)
        assert message.template == sms_outbox[0].template == number

    def test_unknown_name_is_refused_with_the_known_ones(self):
        error = refusal(text="x", scenario="service_line", template="code")
        assert (error.field, str(error.reason)) == (
            "template",
            "There is no “code” in SERVICE_TEXTS; there are: otp, bill.",
        )

    def test_scenario_without_a_template_refuses_the_name(self):
        assert "has no template" in str(refusal(text="x", template="otp").reason)

    @pytest.mark.parametrize("given", ["otp", "3"])
    def test_command_takes_names_and_numbers(self, sms_outbox, given):
        options = ["--scenario", "service_line", "--template", given]
        call_command("send_sms", MOBILE, "x", *options)
        assert sms_outbox[0].template == 3
