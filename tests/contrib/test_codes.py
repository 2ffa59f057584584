"""send_code: at once or not at all, and one sentence for who waits for it."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import translation

from negin_sms.choices import Priority, Status
from negin_sms.contrib.codes import CodeNotSent, code_text, send_code
from negin_sms.exceptions import InvalidMessage, Vetoed
from negin_sms.models import Message
from negin_sms.segments import measure
from negin_sms.signals import pre_send

MOBILE = "09395213300"
NO_CREDIT, NO_ANSWER, INVALID = "09000000006", "09000000010", "09000000011"
NOBODY_LISTENS = "http://127.0.0.1:9/api"

pytestmark = pytest.mark.django_db(transaction=True)


def test_code_is_urgent_sensitive_and_short_lived(live):
    row = send_code(MOBILE, code_text("482913"))
    assert row.status == Status.ACCEPTED
    assert (row.priority, row.sensitive) == (Priority.URGENT, True)
    assert row.expires_at - row.due_at == timedelta(seconds=120)
    assert live.taken[0].form["message"].startswith("482913 ")


def test_callers_lifetime_and_other_fields_are_kept_but_not_their_secrecy(live):
    row = send_code(MOBILE, "1234", expires_in=30, source="login", sensitive=False)
    assert row.expires_at - row.due_at == timedelta(seconds=30)
    assert (row.source, row.sensitive) == ("login", True)


@pytest.mark.parametrize("mobile", [NO_CREDIT, INVALID, "+14155550100"])
def test_code_that_was_refused_says_the_same_whatever_the_reason(mobile, live):
    with pytest.raises(CodeNotSent) as caught:
        send_code(mobile, "1234")
    assert str(caught.value) == (
        "The code could not be sent. Ask for a new one in a few minutes."
    )
    assert not live.taken


def test_unreachable_gateway_cancels_the_row_and_names_it_in_the_log(
    use_account, caplog
):
    use_account(NOBODY_LISTENS)
    with caplog.at_level(logging.WARNING, "negin_sms"), pytest.raises(CodeNotSent):
        send_code(MOBILE, "1234")
    row = Message.objects.get()
    assert row.status == Status.CANCELLED
    assert f"NotSent, SMS {row.pk}: The gateway cannot be reached" in caplog.text
    assert "1234" not in caplog.text.replace(str(row.pk), "")
    assert "9395213300" not in caplog.text


def test_code_that_may_be_on_the_phone_is_no_failure(live):
    assert send_code(NO_ANSWER, "1234").status == Status.UNCERTAIN


def test_mistake_of_the_project_is_not_taken_for_bad_luck(live):
    with pytest.raises(InvalidMessage, match="account"):
        send_code(MOBILE, "1234", account="nowhere")


def test_code_of_work_that_rolls_back_does_not_leave(live):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        send_code(MOBILE, "1234")
        1 / 0  # noqa: B018
    assert not live.taken


def test_code_that_fails_after_the_commit_is_cancelled_and_logged(use_account, caplog):
    use_account(NOBODY_LISTENS)
    with transaction.atomic():
        row = send_code(MOBILE, "1234")
        assert "One-time password" not in caplog.text
    assert row.status == Status.CANCELLED
    assert f"One-time password not sent: Cancelled, SMS {row.pk}" in caplog.text
    assert "cannot be reached" in caplog.text


def test_code_that_is_refused_after_the_commit_is_logged_without_its_number(
    live, caplog
):
    with transaction.atomic():
        row = send_code(INVALID, "1234")
    assert f"One-time password not sent: Rejected, SMS {row.pk}" in caplog.text
    assert INVALID[1:] not in caplog.text


@pytest.mark.parametrize("after_commit", [False, True])
def test_reason_is_logged_without_what_a_receiver_of_ours_put_into_it(
    live, caplog, after_commit
):
    def veto(message, **_kwargs):
        raise Vetoed(f"0{message.mobile[3:]} moved, no {message.text}")

    pre_send.connect(veto)
    try:
        if after_commit:
            with transaction.atomic():
                send_code(MOBILE, "482913")
        else:
            with pytest.raises(CodeNotSent):
                send_code(MOBILE, "482913")
    finally:
        pre_send.disconnect(veto)
    assert "0••• moved, no •••" in caplog.text


def test_number_that_is_none_is_said_in_the_log(live, caplog):
    with pytest.raises(CodeNotSent):
        send_code("123", "482913")
    assert "InvalidMessage, SMS None: mobile: This is not" in caplog.text


def test_code_that_went_out_is_not_in_the_log(live, caplog):
    with transaction.atomic():
        send_code(MOBILE, "1234")
    send_code(MOBILE, "1234")
    assert "One-time password" not in caplog.text


@pytest.mark.parametrize("language", ["en", "fa"])
def test_text_takes_one_part_and_shows_its_code_first(language):
    with translation.override(language):
        text = code_text("482913")
    assert measure(text).parts == 1
    assert "482913" in text[:12]


def test_code_over_a_cap_is_not_sent(live, settings):
    account = settings.NEGIN_SMS["default"]
    settings.NEGIN_SMS = {"default": account | {"MOBILE_CAPS": {"day": 1}}}
    send_code(MOBILE, "1234")
    with pytest.raises(CodeNotSent):
        send_code(MOBILE, "5678")
    assert len(live.taken) == 1


def test_code_that_is_vetoed_is_not_sent(live):
    def refuse(**kwargs: object) -> None:
        raise Vetoed("not to this one")

    pre_send.connect(refuse)
    try:
        with pytest.raises(CodeNotSent):
            send_code(MOBILE, "1234")
    finally:
        pre_send.disconnect(refuse)
    assert Message.objects.get().status == Status.CANCELLED
    assert not live.taken
