"""What is refused before anything is saved, and with which words."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import jdatetime
import pytest
from django.contrib.auth import get_user_model
from django.utils.functional import lazystr

from negin_sms import services
from negin_sms.choices import Priority, Scenario
from negin_sms.exceptions import (
    IdempotencyConflict,
    InvalidConfiguration,
    InvalidMessage,
)
from negin_sms.models import Message
from negin_sms.services.submission.compose import compose

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MOBILE = "09395213300"


def wish(text="سلام", **fields):
    return compose(fields.pop("mobile", MOBILE), text, now=NOW, **fields)


@pytest.mark.parametrize(
    ("field", "words", "fields"),
    [
        ("mobile", "not a mobile", {"mobile": "02122345678"}),
        ("text", "empty", {"text": "  "}),
        ("text", "empty", {"text": None}),
        ("text", "cannot be sent", {"text": "a\0b"}),
        ("text", "cannot be sent", {"text": "a\ud800"}),
        ("text", "at most 10 parts", {"text": "س" * 671}),
        ("account", "no SMS account 'bulk'", {"account": "bulk"}),
        ("scenario", "these values: single", {"scenario": "pigeon"}),
        ("scenario", "did you mean “single”", {"scenario": "singel"}),
        ("priority", r"0 \(Urgent\), .+, 30 \(Low\)", {"priority": 40}),
        ("priority", r"30 \(Low\)", {"priority": "low"}),
        (
            "line2",
            "needs a second line",
            {"scenario": Scenario.SECOND_LINE, "line2": ""},
        ),
        ("line", "needs a line", {"line": ""}),
        ("line", "has no line", {"scenario": Scenario.SERVICE_LINE, "line": "98"}),
        ("template", "has no template", {"template": 3}),
        ("template", "number from 0", {"template": 3.0}),
        ("template", "there are: none", {"template": "otp"}),
        ("line", "up to 20 digits", {"line": "98-300"}),
        ("line2", "another line", {"scenario": "second_line", "line2": "9830003300"}),
        ("priority", "these values: 0 ", {"priority": 7}),
        ("priority", "these values", {"priority": True}),
        ("expires_in", "above 0", {"expires_in": 0}),
        ("expires_in", "above 0", {"expires_in": "soon"}),
        ("expires_in", "above 0", {"expires_in": timedelta(days=99999)}),
        ("group", "at most 64", {"group": "x" * 65}),
        ("idempotency_key", "one line", {"idempotency_key": "a\nb"}),
    ],
)
def test_unfit_wish_is_refused_with_field_and_words(field, words, fields):
    with pytest.raises(InvalidMessage, match=words) as caught:
        wish(**fields)
    assert caught.value.field == field


def test_misspelt_field_is_an_error():
    with pytest.raises(TypeError, match="expire_in"):
        wish(expire_in=5)


def test_missing_settings_are_not_the_messages_fault(settings):
    del settings.NEGIN_SMS
    with pytest.raises(InvalidConfiguration, match="NEGIN_SMS = "):
        wish()


def lines(message):
    return (message.line, message.line2, message.default_line, message.default_line2)


def test_lines_that_nobody_named_are_the_account_s_where_the_scenario_uses_them():
    assert lines(wish()) == ("", "", True, False)
    assert lines(wish(line="9830003309")) == ("9830003309", "", False, False)
    assert lines(wish(scenario=Scenario.SERVICE_LINE)) == ("", "", False, False)
    assert lines(wish(scenario=Scenario.SECOND_LINE)) == ("", "", True, True)


def test_times_follow_from_the_wish():
    later = NOW + timedelta(hours=2)
    message = wish(send_at=later, expires_in=60)
    assert (message.due_at, message.send_at) == (later, later)
    assert message.expires_at == later + timedelta(seconds=60)
    past = wish(send_at=NOW - timedelta(hours=2))
    assert past.due_at == NOW
    assert past.expires_at == NOW + timedelta(days=1)


def test_naive_time_is_in_the_current_zone():
    message = wish(send_at=datetime(2026, 11, 23, 9, 0))
    assert message.due_at == datetime(2026, 11, 23, 5, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "wished",
    ["1405/09/02 09:00", "۱۴۰۵/۰۹/۰۲ ۰۹:۰۰", jdatetime.datetime(1405, 9, 2, 9, 0)],
)
def test_jalali_time_is_understood(wished):
    assert wish(send_at=wished).due_at == datetime(2026, 11, 23, 5, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "unfit",
    [datetime(1405, 9, 2), date(2026, 11, 23), "soon", 1700000000, "1404/09/02"],
)
def test_unfit_time_is_refused_before_anything_is_saved(unfit):
    with pytest.raises(InvalidMessage) as caught:
        wish(send_at=unfit)
    assert caught.value.field == "send_at"


def test_expiry_on_some_day_needs_its_time():
    assert wish(expires_at="2026-11-24 09:00").expires_at == NOW.replace(
        day=24, hour=5, minute=30
    )
    with pytest.raises(InvalidMessage, match="A day alone") as caught:
        wish(expires_at="2026-11-24")
    assert caught.value.field == "expires_at"


def test_text_is_read_before_it_is_measured():
    message = wish(lazystr("a\r\nb"))
    assert (message.text, message.parts) == ("a\nb", 1)
    with pytest.raises(InvalidMessage, match="of type bytes"):
        wish(b"text")


def test_parts_and_persian_line_digits_are_worked_out():
    message = wish("س" * 71, line="۹۸۳۰۰۰۳۳۰۰", priority=Priority.URGENT)
    assert (message.parts, message.line) == (2, "9830003300")


@pytest.mark.django_db
def test_creator_is_kept():
    user = get_user_model()._default_manager.create(username="staff")
    assert services.queue_sms(MOBILE, "x", created_by=user).created_by == user


@pytest.mark.django_db
class TestIdempotency:
    def test_same_key_and_content_is_the_same_row(self):
        first = services.queue_sms(MOBILE, "x", idempotency_key="k")
        again = services.queue_sms("+98 939 521 3300", "x", idempotency_key="k")
        assert again == first
        assert Message.objects.count() == 1

    @pytest.mark.parametrize("change", [{"text": "y"}, {"line": "9830003309"}])
    def test_same_key_and_other_content_conflicts(self, change):
        services.queue_sms(MOBILE, "x", idempotency_key="k")
        fields, (name,) = {"text": "x", **change}, change
        with pytest.raises(IdempotencyConflict, match=f"has another {name}. Choose"):
            services.queue_sms(
                MOBILE, fields.pop("text"), idempotency_key="k", **fields
            )

    def test_key_that_only_the_collation_takes_for_equal_is_never_reused(self):
        first = services.queue_sms(MOBILE, "x", idempotency_key="Key")
        try:
            other = services.queue_sms(MOBILE, "x", idempotency_key="key")
        except IdempotencyConflict as error:
            assert "collation" in str(error)  # noqa: PT017
            return  # MariaDB and MySQL: equal without case
        assert other != first

    def test_sent_key_sends_nothing_again(self):
        first = services.send_sms(MOBILE, "x", idempotency_key="k")
        again = services.send_sms(MOBILE, "x", idempotency_key="k")
        assert (again.pk, again.status) == (first.pk, "accepted")
        from negin_sms.gateway import memory

        assert len(memory.outbox) == 1


class TestFooter:
    @pytest.fixture(autouse=True)
    def _footer(self, settings):
        own = {**settings.NEGIN_SMS["default"], "FOOTER": "لغو۱۱", "MAX_PARTS": 1}
        settings.NEGIN_SMS = {"default": own, "plain": {**own, "FOOTER": ""}}

    @pytest.mark.parametrize("wanted", [None, False])
    def test_is_left_out_unless_it_is_asked_for(self, wanted):
        assert wish("x", footer=wanted).text == "x"

    def test_is_appended_and_counted(self):
        row = wish("س" * 60, footer=True)
        assert row.text.endswith("س\nلغو۱۱")
        assert row.parts == 1
        assert wish(row.text, footer=True).text == row.text

    @pytest.mark.parametrize(
        ("field", "options"),
        [
            ("footer", {"sensitive": True}),
            ("footer", {"account": "plain"}),
            ("footer", {"footer": "لغو۱۱"}),
            ("text", {"text": "س" * 66}),
        ],
    )
    def test_is_refused_where_it_cannot_be(self, field, options):
        with pytest.raises(InvalidMessage) as caught:
            wish(**{"text": "x", "footer": True} | options)
        assert caught.value.field == field
