"""Why messages wait, as ``sms_queue_status`` says it."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone, translation

from negin_sms import services
from negin_sms.management.commands._waiting import waiting
from negin_sms.models import Message
from tests.factories import MOBILE, MessageFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def told() -> Callable[..., str]:
    """Return what the command prints, whatever its verdict."""

    def tell(*args: object) -> str:
        out = io.StringIO()
        with contextlib.suppress(SystemExit):
            call_command("sms_queue_status", *map(str, args), stdout=out)
        return out.getvalue()

    return tell


def test_first_few_of_the_queue_are_told_reason_by_reason(told):
    soon = timezone.now() + timedelta(hours=1)
    for _ in range(14):
        MessageFactory(due_at=soon, expires_at=soon + timedelta(days=1))
    assert "10 of the first 10 queued wait: It is not due yet. (until " in told()
    until = f"{timezone.localtime(soon):%Y-%m-%d %H:%M:%S}"
    assert f"(until {until})" in told()
    (found,) = json.loads(told("--json"))["waiting"]
    assert (found["messages"], found["of"], found["account"]) == (10, 10, "default")


def test_what_leaves_with_the_next_run_is_not_told(told):
    MessageFactory()
    assert "queued wait" not in told()


def test_oldest_message_that_is_due_is_told(told):
    assert "oldest message due" not in told()
    row = MessageFactory()
    since = timezone.localtime(row.due_at)
    assert f"oldest message due since {since:%Y-%m-%d %H:%M:%S}" in told()


def test_pause_is_told_once(told):
    for _ in range(3):
        MessageFactory()
    services.pause_account("default", reason="maintenance")
    assert told().count("3 of the first 3 queued wait") == 1


def test_what_lasts_longest_is_told(told):
    soon = timezone.now() + timedelta(minutes=1)
    MessageFactory(due_at=soon, detail="No credit.")
    services.pause_account("default", reason="maintenance")
    assert "1 of the first 1 queued wait: The account" in told()
    assert "No credit." not in told()


def test_settings_that_cannot_be_read_are_critical(settings):
    settings.NEGIN_SMS = {"default": {"WORKER": 3}}
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("sms_queue_status", "--list", "uncertain", stdout=out)
    assert ended.value.code == 2
    assert out.getvalue().startswith('CRITICAL: NEGIN_SMS["default"]["WORKER"]')


def test_cost_does_not_grow_with_the_queue(django_assert_max_num_queries):
    services.queue_many([{"mobile": MOBILE, "text": str(n)} for n in range(60)])
    with django_assert_max_num_queries(60):
        waiting("default")


class TestOne:
    def test_queued(self, told):
        row = services.queue_sms(
            MOBILE, "x", send_at=timezone.now() + timedelta(days=1)
        )
        words = told("--message", row.pk)
        assert f"Message {row.pk} (Queued): It is not due yet. (until " in words
        one = json.loads(told("--message", row.pk, "--json"))["message"]
        assert (one["id"], one["status"], len(one["waits"])) == (row.pk, "queued", 1)

    def test_nothing_keeps_it(self, told):
        row = services.queue_sms(MOBILE, "x")
        assert f"{row.pk} (Queued): Nothing keeps it" in told("--message", row.pk)

    def test_held(self, told):
        row = services.queue_sms(MOBILE, "x")
        services.hold_queue(reason="restored")
        assert f"Message {row.pk} (Held): Held: restored" in told("--message", row.pk)

    def test_what_it_is_cancelled_for_is_said_to_cancel_it(self, told):
        row = services.queue_sms(MOBILE, "x")
        services.opt_out(MOBILE, reason="asked")
        words = told("--message", row.pk)
        assert "account default: asked (it is cancelled when it is its turn)" in words

    def test_reasons_and_statuses_are_in_the_language_of_the_site(self, told):
        row = services.queue_sms(MOBILE, "x")
        with translation.override("fa"):
            words = told("--message", row.pk)
        assert f"Message {row.pk} (در صف): مانعی ندارد" in words

    def test_what_has_left_or_is_gone(self, told, capsys):
        row = MessageFactory(accepted=True)
        assert f"{row.pk} (Accepted): It does not wait" in told("--message", row.pk)
        Message.objects.all().delete()
        for more in ([], ["--json"]):
            with pytest.raises(SystemExit) as ended:
                call_command("sms_queue_status", f"--message={row.pk}", *more)
            assert ended.value.code == 3
            out = capsys.readouterr().out
            if not more:
                assert out.startswith(f"UNKNOWN: There is no message {row.pk}.\n")
        assert json.loads(out)["severity"] == "unknown"
