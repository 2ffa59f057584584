from __future__ import annotations

import contextlib
import io
import logging
import os
import tempfile
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from negin_sms import conf, services
from negin_sms.choices import Status
from negin_sms.services.outbox import claims, gate
from negin_sms.services.outbox.engines import engine_for
from tests.factories import MOBILE, MessageFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_engine")]


def claim(limit=10, name="me", **settings):
    account = conf.get_account()
    return engine_for("default").claim_due(
        account,
        name,
        limit,
        priorities=gate.open_priorities(account, "default"),
        lease=180,
        **settings,
    )


def test_claim_is_the_step_to_sending():
    row = MessageFactory()
    (claimed,) = claim()
    row.refresh_from_db()
    assert claimed == row
    assert (row.status, row.claim, row.attempts) == (Status.SENDING, "me", 1)
    left = row.claimed_until - timezone.now()
    assert left == pytest.approx(timedelta(seconds=180), abs=timedelta(seconds=5))


def test_claim_goes_by_priority_then_due_time_then_id():
    now = timezone.now() - timedelta(minutes=5)
    low = MessageFactory(priority=30, due_at=now - timedelta(minutes=9))
    second = MessageFactory(priority=20, due_at=now)
    third = MessageFactory(priority=20, due_at=now)
    first = MessageFactory(priority=20, due_at=now - timedelta(minutes=1))
    urgent = MessageFactory(priority=0, due_at=now)
    assert claim() == [urgent, first, second, third, low]


def test_unclaimed_rows_are_queued_as_they_were():
    row = MessageFactory()
    claim()
    assert claims.unclaim([row.pk], "me", "default") == 1
    row.refresh_from_db()
    assert (row.status, row.claim, row.attempts) == (Status.QUEUED, "", 0)
    assert row.claimed_until is None


def test_only_the_holder_unclaims():
    row = MessageFactory()
    claim()
    assert claims.unclaim([row.pk], "other", "default") == 0
    assert claims.unclaim_all("me", "default") == 1


def test_stale_claims_become_uncertain_and_never_queued(caplog):
    taken = timezone.now() - timedelta(days=2)  # and nobody looked since
    past = taken + timedelta(seconds=conf.get_account().lease)
    row = MessageFactory(sending=True, claim="web7:4242:abc", claimed_until=past)
    MessageFactory(sending=True)
    with caplog.at_level(logging.ERROR, "negin_sms"):
        assert services.expire_claims() == 1
    row.refresh_from_db()
    assert (row.status, row.claim) == (Status.UNCERTAIN, "web7:4242:abc")
    assert "web7" in row.detail
    assert "4242" in row.detail
    assert f"{taken:%Y-%m-%d %H:%M:%S} UTC" in row.detail
    assert row.finished_at is not None
    assert "1 SMS became uncertain" in caplog.text


def test_onlooker_leaves_to_others_what_a_journal_may_know(use_account, tmp_path):
    tmp_path.chmod(0o777)  # as little to be read as somebody else's
    use_account(STATE_DIR=str(tmp_path))
    past = timezone.now() - timedelta(seconds=1)
    row = MessageFactory(sending=True, claim="web7:4242:abc", claimed_until=past)
    assert services.expire_claims(as_onlooker=True) == 0
    with contextlib.suppress(SystemExit):
        call_command("sms_queue_status", stdout=io.StringIO())
    row.refresh_from_db()
    assert row.status == Status.SENDING
    assert services.expire_claims() == 1


def test_onlooker_leaves_to_another_user_what_the_usual_folder_may_know(
    use_account, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    use_account(STATE_DIR=None)
    past = timezone.now() - timedelta(seconds=1)
    MessageFactory(sending=True, claim="web7:4242:abc", claimed_until=past)
    (tmp_path / "negin-sms-8th_of_may").mkdir()  # of no user
    others = tmp_path / f"negin-sms-{os.geteuid() + 1}"
    others.mkdir()
    assert services.expire_claims(as_onlooker=True) == 0
    others.rmdir()
    assert services.expire_claims(as_onlooker=True) == 1


def test_overdue_rows_expire():
    row = MessageFactory(expires_at=timezone.now() - timedelta(seconds=1))
    MessageFactory()
    assert claims.expire_overdue(using="default") == 1
    row.refresh_from_db()
    assert (row.status, row.detail != "") == (Status.EXPIRED, True)


def test_claimed_message_has_what_is_sent_and_reads_the_rest(
    django_assert_num_queries,
):
    MessageFactory(text="hello", group="spring")
    (message,) = claim()
    with django_assert_num_queries(0):
        sent = (message.mobile, message.text, message.line, message.template)
        stand = (message.account, message.status, message.claim, message.attempts)
    assert sent == (MOBILE, "hello", "9830003300", None)
    assert stand == ("default", Status.SENDING, "me", 1)
    assert message.group == "spring"
