"""send_sms and send_messages: how a send ends, and what becomes of its row."""

from __future__ import annotations

import functools
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from asgiref.sync import async_to_sync
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.exceptions import (
    AccountPaused,
    IdempotencyConflict,
    InvalidConfiguration,
    InvalidMessage,
    NotSent,
    OutcomeUnknown,
    Rejected,
)
from negin_sms.gateway import memory
from negin_sms.gateway.sandbox import Sandbox
from negin_sms.models import AccountState, Message
from negin_sms.services import asend_sms
from negin_sms.services.dispatch import sending
from negin_sms.services.outbox import claims, gate
from tests.factories import MessageFactory

from .test_after_commit import send_in_transaction

MOBILE = "09395213300"


def row_of(caught) -> Message:
    """Return the row that an error carries."""
    row: Message = caught.value.message
    return row


@pytest.mark.django_db
def test_ordinary_test_case_sends_with_the_memory_gateway():
    message = services.send_sms(MOBILE, "hello")
    assert message.status == Status.ACCEPTED
    assert [sent.text for sent in memory.outbox] == ["hello"]


@pytest.mark.django_db(transaction=True)
class TestOutsideATransaction:
    def test_accepted(self, live: Sandbox):
        message = services.send_sms(MOBILE, "سلام")
        assert message.status == Status.ACCEPTED
        assert message.gateway_id == live.taken[0].gateway_id
        assert message.used_line == "9830003300"
        assert (message.attempts, message.code) == (1, -1)
        assert message.poll_at > message.finished_at

    def test_sending_is_committed_before_the_request(self, use_account, settings):
        use_account(BACKEND="tests.services.dispatch.test_sending.LookingGateway")
        services.send_sms(MOBILE, "x")
        assert LookingGateway.seen == [Status.SENDING]

    @pytest.mark.usefixtures("live")
    def test_refusal(self):
        with pytest.raises(Rejected) as caught:
            services.send_sms("09000000011", "x")
        row = caught.value.message
        assert (row.status, row.code) == (Status.REJECTED, 1)
        assert row.poll_at is None

    @pytest.mark.usefixtures("live")
    def test_lost_answer_is_uncertain_and_not_sent_again(self, live):
        with pytest.raises(OutcomeUnknown) as caught:
            services.send_sms("09000000010", "x")
        assert caught.value.message.status == Status.UNCERTAIN
        services.dispatch_queue()
        assert len(live.taken) == 1

    def test_unreachable_gateway_leaves_the_row_queued_and_says_so(self, use_account):
        use_account("http://127.0.0.1:9/api")
        with pytest.raises(NotSent, match="do not send it again") as caught:
            services.send_sms(MOBILE, "x")
        row = caught.value.message
        assert row.status == Status.QUEUED
        assert row.due_at > row.created_at
        assert "cannot be reached" in row.detail

    def test_unreachable_gateway_tells_the_day_and_the_time_zone(
        self, use_account, settings
    ):
        settings.TIME_ZONE = "Asia/Tehran"
        use_account("http://127.0.0.1:9/api")
        with pytest.raises(NotSent) as caught:
            services.send_sms(MOBILE, "x")
        ends = row_of(caught).expires_at.astimezone(ZoneInfo("Asia/Tehran"))
        assert f"is tried until {ends:%Y-%m-%d %H:%M} +0330:" in str(caught.value)

    def test_row_that_was_not_sent_goes_out_later(self, use_account, sandbox):
        use_account("http://127.0.0.1:9/api")
        with pytest.raises(NotSent) as caught:
            services.send_sms(MOBILE, "x")
        use_account(sandbox.url)
        report = services.send_messages([row_of(caught)])
        assert (report.done, report.skipped) == (1, ())
        assert len(sandbox.taken) == 1

    def test_one_time_password_is_cancelled_instead(self, use_account):
        use_account("http://127.0.0.1:9/api")
        with pytest.raises(NotSent, match="cancelled") as caught:
            services.send_sms(MOBILE, "1234", on_not_sent="cancel")
        assert caught.value.message.status == Status.CANCELLED

    def test_fail_silently_returns_the_row(self, use_account):
        use_account("http://127.0.0.1:9/api")
        message = services.send_sms(MOBILE, "x", fail_silently=True)
        assert message.status == Status.QUEUED
        with pytest.raises(InvalidMessage):
            services.send_sms("0939", "x", fail_silently=True)

    def test_paused_account_posts_nothing(self, live: Sandbox):
        services.pause_account("default", reason="maintenance")
        with pytest.raises(AccountPaused, match="maintenance") as caught:
            services.send_sms(MOBILE, "x")
        assert caught.value.message.status == Status.QUEUED
        assert live.taken == []

    @pytest.mark.usefixtures("live")
    def test_no_credit_pauses_the_account_and_keeps_the_row(self):
        with pytest.raises(AccountPaused) as caught:
            services.send_sms("09000000006", "x")
        row = caught.value.message
        assert (row.status, row.code) == (Status.QUEUED, 14)
        assert AccountState.objects.get().is_paused

    @pytest.mark.parametrize("send", [services.send_sms, async_to_sync(asend_sms)])
    def test_gate_that_fails_leaves_nothing_claimed(self, live, monkeypatch, send):
        """It would be called uncertain later, and nothing of it was begun."""

        def fail(*args, **kwargs):
            raise RuntimeError("a rule of the gate failed")

        with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="rule"):
            patch.setattr(gate, "let_out", fail)
            send(MOBILE, "x")
        row = Message.objects.get()
        assert (row.status, row.claim, row.attempts) == (Status.QUEUED, "", 0)
        assert services.dispatch_queue().accepted == len(live.taken) == 1

    def test_what_cannot_be_put_back_either_tells_of_the_first_error(
        self, live, monkeypatch, caplog
    ):
        def fail(*args, **kwargs):
            raise RuntimeError("a rule of the gate failed")

        def fail_too(*args):
            raise ValueError

        monkeypatch.setattr(gate, "let_out", fail)
        monkeypatch.setattr(claims, "unclaim_all", fail_too)
        with pytest.raises(RuntimeError, match="rule"):
            services.send_sms(MOBILE, "x")
        assert "could not be put back: ValueError" in caplog.text

    def test_dispatch_off_keeps_the_row_and_sends_nothing(self, use_account, sandbox):
        use_account(sandbox.url, DISPATCH=False)
        assert services.send_sms(MOBILE, "x").status == Status.QUEUED
        assert services.dispatch_queue().sent == 0
        assert sandbox.taken == []

    def test_only_to_cancels_the_others(self, use_account, sandbox):
        use_account(sandbox.url, ONLY_TO=["0939 521 3300"])
        assert services.send_sms(MOBILE, "x").status == Status.ACCEPTED
        other = services.send_sms("09000000001", "x")
        assert other.status == Status.CANCELLED
        assert "ONLY_TO" in other.detail
        services.queue_sms("09000000001", "x")
        assert services.dispatch_queue().sent == 0
        assert len(sandbox.taken) == 1

    @pytest.mark.parametrize(
        "keys", [{"ONLY_TO": ["021"]}, {"BACKEND": "nowhere.Gateway"}], ids=str
    )
    def test_settings_that_cannot_work_leave_no_row_claimed(self, use_account, keys):
        use_account("http://127.0.0.1:9/api", **keys)
        waiting = MessageFactory()
        with pytest.raises(InvalidConfiguration):
            services.send_sms(MOBILE, "x")
        with pytest.raises(InvalidConfiguration):
            services.dispatch_queue()
        assert Message.objects.get() == waiting
        assert Message.objects.get().status == Status.QUEUED

    def test_key_of_a_row_that_waits_is_answered_in_whole_sentences(self, live):
        services.queue_sms(MOBILE, "x", idempotency_key="k")
        with pytest.raises(
            NotSent, match=r"queued it\. The message stays in the queue"
        ):
            services.send_sms(MOBILE, "x", idempotency_key="k")
        assert not live.taken

    def test_call_that_must_not_wait_cancels_what_its_key_has_queued(self, live):
        row = services.queue_sms(MOBILE, "x", idempotency_key="k")
        with pytest.raises(NotSent, match="cancelled"):
            services.send_sms(MOBILE, "x", idempotency_key="k", on_not_sent="cancel")
        row.refresh_from_db()
        assert row.status == Status.CANCELLED
        assert not live.taken

    def test_conflict_of_keys_gives_the_probe_back(self, live: Sandbox):
        services.queue_sms(MOBILE, "x", idempotency_key="k")
        past = timezone.now() - timedelta(seconds=1)
        AccountState.objects.create(
            account="default", paused_at=past, paused_until=past, pauses=1
        )
        with pytest.raises(IdempotencyConflict):
            services.send_sms(MOBILE, "y", idempotency_key="k")
        assert services.dispatch_queue().accepted == 1

    def test_dispatch_off_cancels_no_one_time_password(self, use_account):
        use_account("http://127.0.0.1:9/api", DISPATCH=False)
        for message in (
            services.send_sms(MOBILE, "1", on_not_sent="cancel"),
            send_in_transaction("2", on_not_sent="cancel"),
        ):
            message.refresh_from_db()
            assert message.status == Status.QUEUED

    @pytest.mark.parametrize("on_not_sent", ["queue", "cancel"])
    def test_dispatch_off_leaves_what_waits_where_the_call_comes_again(
        self, use_account, on_not_sent
    ):
        use_account("http://127.0.0.1:9/api", DISPATCH=False)
        call = functools.partial(
            services.send_sms,
            MOBILE,
            "1",
            idempotency_key="k",
            on_not_sent=on_not_sent,
        )
        assert call() == call()
        with transaction.atomic():
            call()
        assert Message.objects.get().status == Status.QUEUED

    def test_row_that_left_meanwhile_is_told_as_it_is(self, live, monkeypatch):
        services.queue_sms(MOBILE, "x", idempotency_key="k")
        claim = sending._claim

        def leave(*args):
            claim(*args)
            services.dispatch_queue()

        monkeypatch.setattr(sending, "_claim", leave)
        for on_not_sent in ("queue", "cancel"):
            row = services.send_sms(
                MOBILE, "x", idempotency_key="k", on_not_sent=on_not_sent
            )
            assert row.status == Status.ACCEPTED
        assert len(live.taken) == 1

    def test_answer_that_could_not_be_written_is_told_all_the_same(
        self, use_account, monkeypatch
    ):
        """The row still says that it is being sent: by this call, which has ended."""

        def fail(*args, **options):
            raise OperationalError("away")

        use_account("http://127.0.0.1:9/api")
        monkeypatch.setattr(sending, "record", fail)
        for on_not_sent in ("queue", "cancel"):
            with pytest.raises(NotSent) as caught:
                services.send_sms(MOBILE, "x", on_not_sent=on_not_sent)
            assert row_of(caught).status == Status.SENDING

    @pytest.mark.parametrize("in_transaction", [False, True])
    @pytest.mark.parametrize("kind", [RuntimeError, SystemExit])
    def test_code_is_cancelled_too_where_the_gate_breaks_off(
        self, live, monkeypatch, in_transaction, kind
    ):
        """A server ends a request by SystemExit, which no after-commit work catches."""

        def fail(*args, **options):
            raise kind("secret")

        monkeypatch.setattr(gate, "let_out", fail)
        if in_transaction and kind is RuntimeError:
            send_in_transaction("1234", on_not_sent="cancel")
        elif in_transaction:
            with pytest.raises(SystemExit):
                send_in_transaction("1234", on_not_sent="cancel")
        else:
            with pytest.raises(kind):
                services.send_sms(MOBILE, "1234", on_not_sent="cancel")
        row = Message.objects.get()
        assert row.status == Status.CANCELLED
        assert kind.__name__ in row.detail
        assert "secret" not in row.detail

    def test_code_is_cancelled_too_where_the_settings_cannot_be_read(self, use_account):
        use_account("http://127.0.0.1:9/api", ONLY_TO=["021"])
        row = send_in_transaction("1", on_not_sent="cancel")
        row.refresh_from_db()
        assert row.status == Status.CANCELLED

    def test_pause_that_lasts_longer_than_the_message_is_told(self, live):
        now = timezone.now()
        AccountState.objects.create(
            account="default",
            paused_at=now,
            paused_until=now + timedelta(hours=1),
            pauses=1,
        )
        with pytest.raises(AccountPaused, match="will not be sent by itself"):
            services.send_sms(MOBILE, "x", expires_in=60)
        with pytest.raises(AccountPaused, match="is tried until"):
            services.send_sms(MOBILE, "x", expires_in=7200)

    def test_autocommit_switched_off_only_queues(self, live: Sandbox):
        connection.set_autocommit(False)
        try:
            message = services.send_sms(MOBILE, "x")
            assert message.status == Status.QUEUED
            connection.commit()
        finally:
            connection.set_autocommit(True)
        assert live.taken == []
        assert services.dispatch_queue().accepted == 1

    def test_cost_in_queries(self, django_assert_num_queries, each_engine):
        services.send_sms(MOBILE, "warm up")
        # now, account state; begin, insert, savepoints; opt-outs; result; row. In steps
        # the result has a transaction, and a look for ids that are shared.
        with django_assert_num_queries(
            10 if each_engine == "the database's own engine" else 13
        ):
            services.send_sms(MOBILE, "x")


class LookingGateway(memory.MemoryGateway):
    """Look at the row through a connection of its own while it is being sent."""

    seen: list[str] = []

    def send(self, request, *, start_by=0.0):
        import threading

        def look():
            self.seen.append(Message.objects.get().status)
            connection.close()

        if connection.vendor == "sqlite":
            self.seen.append(Message.objects.get().status)
            assert not connection.in_atomic_block
        else:
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()
        return super().send(request)
