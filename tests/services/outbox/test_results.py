"""The write after the exchange: what each result leaves on its row."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError, InternalError, OperationalError, connection
from django.utils import timezone

from negin_sms import conf
from negin_sms.choices import Flag, Status
from negin_sms.exceptions import (
    Effect,
    NotSent,
    OutcomeUnknown,
    Rejected,
    Throttled,
)
from negin_sms.gateway.wire import SendReply, SendRequest
from negin_sms.models import AccountState, Message
from negin_sms.services.database import LastMoment, is_away, retry_on_disconnect
from negin_sms.services.outbox.engines import engine_for
from negin_sms.services.outbox.jobs import SendJob, SendResult
from negin_sms.services.outbox.results import record
from tests.factories import MOBILE, MessageFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_engine")]


DOWN = NotSent("down")


def job_of(row) -> SendJob:
    request = SendRequest(mobile=row.mobile, text=row.text, line=row.line)
    account = conf.get_account()
    return SendJob(row.pk, "host:1:abc", row.attempts, account, request, 0.0)


def result(row, *, error=None, **reply) -> SendResult:
    values: dict[str, Any] = {
        "gateway_id": "7001",
        "used_line": "98",
        "mobile": "989395213300",
    }
    values |= {"code": -1, "msg": "success", **reply}
    return SendResult(job_of(row), None if error else SendReply(**values), error)


def written(row, **how):
    record([result(row, **how)], using="default")
    row.refresh_from_db()
    return row


def seconds_until(moment) -> float:
    left: timedelta = moment - timezone.now()
    return left.total_seconds()


def test_accepted_row_will_be_asked_about():
    row = written(MessageFactory(sending=True))
    assert (row.status, row.gateway_id, row.used_line) == ("accepted", "7001", "98")
    assert (row.code, row.detail, row.flag) == (-1, "", "")
    assert row.claimed_until is None
    assert 5 < seconds_until(row.poll_at) < 15


def test_rejected_row_keeps_code_and_words():
    error = Rejected("opted out", code=27, detail="blacklist", effect=Effect.SUCCESS)
    row = written(MessageFactory(sending=True), error=error)
    assert (row.status, row.code, row.poll_at) == (Status.REJECTED, 27, None)
    assert row.detail == "opted out (blacklist)"


def test_uncertain_row_keeps_its_claim():
    row = written(MessageFactory(sending=True), error=OutcomeUnknown("lost"))
    assert (row.status, row.claim) == (Status.UNCERTAIN, "host:1:abc")


def test_exchange_s_length_is_kept_where_it_was_not_accepted():
    row = MessageFactory(sending=True)
    lost = SendResult(job_of(row), None, OutcomeUnknown("lost"), seconds=2.00049)
    record([lost], using="default")
    row.refresh_from_db()
    assert row.exchange_seconds == 2.0
    assert written(MessageFactory(sending=True)).exchange_seconds is None


def test_row_that_was_not_sent_comes_back_later():
    row = written(MessageFactory(sending=True), error=NotSent("down"))
    assert (row.status, row.claim, row.finished_at) == (Status.QUEUED, "", None)
    assert 0 < seconds_until(row.due_at) < 4


def test_throttled_row_waits_at_least_five_seconds():
    row = written(MessageFactory(sending=True), error=Throttled("slow"))
    assert 4 < seconds_until(row.due_at) < 8


@pytest.mark.parametrize("echo", ["989120000000", "+1", "nonsense"])
def test_other_number_in_the_answer_is_flagged(echo):
    assert written(MessageFactory(sending=True), mobile=echo).flag == Flag.OTHER_MOBILE


@pytest.mark.parametrize("echo", ["", "09395213300", "+989395213300", "9395213300"])
def test_same_number_in_another_spelling_is_not(echo):
    assert written(MessageFactory(sending=True), mobile=echo).flag == ""


def test_accepted_under_another_negative_code_is_flagged():
    row = written(MessageFactory(sending=True), code=-7, msg="odd")
    assert (row.status, row.flag, row.detail) == ("accepted", "unknown_code", "odd")


def test_unknown_code_is_warned_about_once(caplog):
    error = OutcomeUnknown("?", code=777)
    with caplog.at_level(logging.ERROR, "negin_sms"):
        for _ in range(3):
            row = written(MessageFactory(sending=True), error=error)
    assert row.flag == Flag.UNKNOWN_CODE
    assert caplog.text.count("777") == 1


def test_shared_id_is_flagged_on_both_and_asked_about_no_more():
    old = MessageFactory(accepted=True, gateway_id="7001")
    row = written(MessageFactory(sending=True))
    old.refresh_from_db()
    assert row.flag == old.flag == Flag.SHARED_ID
    assert row.poll_at is old.poll_at is None
    assert row.settled_at is not None


def test_id_given_twice_at_once_is_flagged_on_both():
    rows = [MessageFactory(sending=True) for _ in range(2)]
    record([result(row) for row in rows], using="default")
    for row in rows:
        row.refresh_from_db()
        assert (row.status, row.flag) == (Status.ACCEPTED, Flag.SHARED_ID)
        assert row.poll_at is None


def test_row_that_somebody_else_is_sending_is_left_alone():
    row = written(MessageFactory(sending=True, claim="other:1:x"))
    assert (row.status, row.gateway_id) == (Status.SENDING, "")


def test_mixed_results_are_written_each_in_its_way():
    rows = [MessageFactory(sending=True) for _ in range(3)]
    ways: list[dict[str, Any]] = [
        {"gateway_id": "7001"},
        {"error": OutcomeUnknown("lost")},
        {"gateway_id": "7003", "used_line": "9830003301"},
    ]
    results = [result(row, **how) for row, how in zip(rows, ways, strict=True)]
    assert record(results, using="default") == 0
    found = Message.objects.order_by("pk").values_list("status", "gateway_id")
    assert list(found) == [
        ("accepted", "7001"),
        ("uncertain", ""),
        ("accepted", "7003"),
    ]


def test_id_that_comes_round_after_days_is_not_shared():
    long_ago = timezone.now() - timedelta(days=30)
    old = {"accepted": True, "gateway_id": "7001", "finished_at": long_ago}
    MessageFactory(**old, poll_at=None)
    MessageFactory(accepted=True, gateway_id="7001", account="other")
    assert written(MessageFactory(sending=True)).flag == ""


def test_old_message_that_is_still_asked_about_shares_its_id():
    long_ago = timezone.now() - timedelta(days=30)
    old = MessageFactory(accepted=True, gateway_id="7001", finished_at=long_ago)
    row = written(MessageFactory(sending=True))
    old.refresh_from_db()
    assert row.flag == old.flag == Flag.SHARED_ID
    assert old.poll_at is None


class TestLateResult:
    def test_heals_the_row_it_belongs_to(self):
        row = written(MessageFactory(uncertain=True))
        assert (row.status, row.gateway_id) == (Status.ACCEPTED, "7001")

    def test_of_another_claim_changes_nothing(self):
        row = written(MessageFactory(uncertain=True, claim="other:1:x"))
        assert row.status == Status.UNCERTAIN

    def test_after_a_resend_changes_nothing(self):
        old = MessageFactory(uncertain=True)
        MessageFactory(resend_of=old)
        assert written(old).status == Status.UNCERTAIN

    def test_that_was_not_sent_never_queues_again(self):
        row = written(MessageFactory(uncertain=True), error=NotSent("down"))
        assert row.status == Status.UNCERTAIN

    def test_never_changes_what_a_person_decided(self):
        row = written(MessageFactory(uncertain=True, status=Status.REJECTED))
        assert row.status == Status.REJECTED

    @pytest.mark.parametrize("decided", ["rejected by hand", "sent again"])
    def test_that_contradicts_a_person_is_flagged_and_told_once(self, decided, caplog):
        row = MessageFactory(uncertain=True)
        if decided == "sent again":
            MessageFactory(resend_of=row)
        else:
            Message.objects.update(status=Status.REJECTED, detail="not in the panel")
        before = Message.objects.get(pk=row.pk)
        for _try in range(2):
            row = written(row)
        assert (row.status, row.flag) == (before.status, Flag.LATE_ANSWER)
        assert (row.gateway_id, row.detail) == ("", before.detail)
        (said,) = [each.getMessage() for each in caplog.records]
        assert said.startswith(f"SMS {row.pk} was accepted by the gateway (id 7001)")
        assert MOBILE[1:] not in said

    def test_of_another_id_than_a_person_found_is_flagged(self, caplog):
        row = written(MessageFactory(accepted=True, claim="host:1:abc"))
        assert row.flag == Flag.LATE_ANSWER
        assert "a person has decided otherwise" in caplog.text

    def test_of_what_another_claim_sent_too_is_flagged_and_told_once(self, caplog):
        row = MessageFactory(accepted=True, claim="other:1:x")
        for _try in range(2):
            row = written(row)
        assert (row.gateway_id != "7001", row.flag) == (True, Flag.SENT_TWICE)
        (said,) = [each.getMessage() for each in caplog.records]
        assert said.startswith(f"SMS {row.pk} was accepted by the gateway before, too")
        assert "7001" in said

    def test_of_what_another_claim_sends_now_stops_the_account(self, caplog):
        row = MessageFactory(sending=True, claim="other:1:x")
        assert record([result(row)], using="default") == 1
        row.refresh_from_db()
        assert (row.status, row.claim) == (Status.SENDING, "other:1:x")
        assert "was the database restored?" in AccountState.objects.get().reason
        assert "SMS result not saved" in caplog.text

    def test_that_agrees_with_a_person_is_no_contradiction(self, caplog):
        row = MessageFactory(uncertain=True, status=Status.REJECTED)
        error = Rejected("no", code=1, effect=Effect.SUCCESS)
        assert written(row, error=error).flag == ""
        row = MessageFactory(accepted=True, gateway_id="", poll_at=None)
        assert written(row).flag == ""
        assert not caplog.records


@pytest.mark.django_db(transaction=True)
class TestAwayDatabase:
    def test_is_tried_again_on_a_new_connection(self):
        tries = []

        def flaky():
            tries.append(connection.connection is None)
            if len(tries) < 3:
                connection.ensure_connection()
                raise OperationalError("gone")
            return "done"

        assert retry_on_disconnect(flaky, using="default", seconds=5) == "done"
        assert tries[1:] == [True, True] or connection.vendor == "sqlite"

    def test_that_stays_away_is_given_up(self):
        def broken():
            raise OperationalError("gone")

        with pytest.raises(OperationalError):
            retry_on_disconnect(broken, using="default", seconds=0.1)

    def test_leaves_a_line_to_repair_the_row_from(self, caplog, settings):
        settings.NEGIN_SMS = {
            "default": {**settings.NEGIN_SMS["default"], "RESULT_RETRY": 0.2}
        }
        row = MessageFactory(sending=True, text="my secret")

        def refuse(execute, sql, params, many, context):
            if sql.startswith("UPDATE"):
                raise OperationalError("gone")
            return execute(sql, params, many, context)

        with (
            caplog.at_level(logging.CRITICAL, "negin_sms"),
            connection.execute_wrapper(refuse),
        ):
            assert record([result(row)], using="default") == 1
        line = f"message={row.pk} claim=host:1:abc status=accepted gateway_id=7001"
        assert line in caplog.text
        assert MOBILE[3:] not in caplog.text
        assert "secret" not in caplog.text

    def test_is_waited_for_once_whatever_there_is_to_write(self, settings, monkeypatch):
        settings.NEGIN_SMS = {
            "default": {**settings.NEGIN_SMS["default"], "RESULT_RETRY": 0.5}
        }
        slept: list[float] = []

        def sleep(self: LastMoment, seconds: float) -> None:
            slept.append(seconds)
            time.sleep(seconds)

        monkeypatch.setattr(LastMoment, "sleep", sleep)

        def refuse(*_args):
            raise OperationalError("gone")

        row = MessageFactory(sending=True)
        results = [result(row), result(row, error=DOWN)]
        with connection.execute_wrapper(refuse):
            assert record(results, using="default") == 2
        assert 0 < sum(slept) <= 0.5

    @pytest.mark.parametrize("state", ["25006", "57P01", "53100", "58030"])
    def test_server_that_takes_no_writes_is_away_too(self, state):
        """PostgreSQL's read-only standby comes as Django's InternalError (R3)."""
        error = InternalError("cannot execute UPDATE in a read-only transaction")
        error.__cause__ = ReadOnly(state)
        tries = []

        def flaky():
            tries.append(1)
            if len(tries) == 1:
                raise error
            return "done"

        assert retry_on_disconnect(flaky, using="default", seconds=5) == "done"

    def test_error_of_the_statement_is_no_absence(self):
        error = InternalError("syntax")
        error.__cause__ = ReadOnly("42601")
        assert not is_away(error)
        assert is_away(InternalError(1290, "running with --read-only"))

    def test_one_result_that_cannot_be_written_costs_the_others_nothing(self, caplog):
        rows = [MessageFactory(pk=987650 + n, sending=True) for n in range(4)]
        bad = rows[1].pk
        results = [
            result(row, **({"gateway_id": str(7001 + n)} if n % 2 else {"error": DOWN}))
            for n, row in enumerate(rows)
        ]

        def refuse(execute, sql, params, many, context):
            told = f"{params}"
            if sql.lstrip().startswith(("UPDATE", "WITH")) and f"{bad}" in told:
                raise DataError("out of range")
            return execute(sql, params, many, context)

        with connection.execute_wrapper(refuse):
            assert record(results, using="default") == 1
        assert f"message={bad} " in caplog.text
        left = Message.objects.filter(status="sending").values_list("pk", flat=True)
        assert list(left) == [bad]

    def test_whatever_the_engine_raises_they_are_written_one_by_one(self, monkeypatch):
        rows = [MessageFactory(sending=True) for _ in range(2)]

        def fail(self, accepted):
            raise ValueError("not what a database raises")

        monkeypatch.setattr(type(engine_for("default")), "accept", fail)
        results = [result(row, gateway_id=f"700{n}") for n, row in enumerate(rows)]
        assert record(results, using="default") == 0
        assert Message.objects.filter(status="accepted").count() == 2


class ReadOnly(Exception):
    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


class TestRowThatDoesNotKnow:
    """Evidence beats a lost claim: a restored backup, a failover (R8)."""

    @pytest.mark.parametrize("status", ["queued", "held", "expired", "cancelled"])
    def test_says_what_the_gateway_said_and_stops_the_account(self, status, caplog):
        ended = timezone.now() if status in ("expired", "cancelled") else None
        row = written(MessageFactory(status=status, finished_at=ended))
        assert (row.status, row.gateway_id) == (Status.ACCEPTED, "7001")
        assert AccountState.objects.get().is_paused
        assert "restored or failed over" in caplog.text

    def test_that_somebody_else_sends_now_is_left_and_told(self, caplog):
        row = MessageFactory(sending=True, claim="other:2:def")
        assert record([result(row)], using="default") == 1
        row.refresh_from_db()
        assert row.status == Status.SENDING
        assert f"message={row.pk} claim=host:1:abc" in caplog.text

    def test_that_was_written_by_a_commit_whose_answer_was_lost(self, caplog):
        row = MessageFactory(sending=True)
        for _try in range(2):
            assert record([result(row)], using="default") == 0
        assert "SMS" not in caplog.text

    def test_that_is_gone_leaves_its_line(self, caplog):
        """R13: rows deleted under a dispatcher."""
        row = MessageFactory(sending=True)
        told = result(row)
        pk = row.pk
        Message.objects.all().delete()
        assert record([told], using="default") == 1
        assert f"message={pk} claim=host:1:abc" in caplog.text
