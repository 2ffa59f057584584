"""send_sms inside a transaction: what is done when its caller has committed."""

from __future__ import annotations

import contextlib
import logging

import pytest
from django.db import transaction

from negin_sms import services
from negin_sms.choices import Priority, Status
from negin_sms.exceptions import (
    NeginSmsError,
)
from negin_sms.gateway.sandbox import Sandbox
from negin_sms.models import Message

MOBILE = "09395213300"


def send_in_transaction(text: str, **fields) -> Message:
    with transaction.atomic():
        return services.send_sms(MOBILE, text, **fields)


@pytest.mark.django_db(transaction=True)
class TestInsideATransaction:
    def test_rollback_sends_nothing(self, live: Sandbox):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            services.send_sms(MOBILE, "x")
            1 / 0  # noqa: B018
        assert live.taken == []
        assert not Message.objects.exists()

    def test_commit_sends_once(self, live: Sandbox):
        with transaction.atomic():
            message = services.send_sms(MOBILE, "x")
            assert message.status == Status.QUEUED
            assert live.taken == []
        assert len(live.taken) == 1
        assert message.status == Status.ACCEPTED
        assert services.dispatch_queue().sent == 0

    def test_savepoint_that_rolls_back_sends_nothing(self, live: Sandbox):
        with transaction.atomic():
            services.send_sms(MOBILE, "kept")
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                services.send_sms(MOBILE, "lost")
                1 / 0  # noqa: B018
        assert [taken.form["message"] for taken in live.taken] == ["kept"]

    def test_failure_after_the_commit_does_not_reach_the_caller(self, use_account):
        use_account("http://127.0.0.1:9/api")
        with transaction.atomic():
            message = services.send_sms(MOBILE, "x")
        assert message.status == Status.QUEUED
        assert "cannot be reached" in message.detail

    def test_one_time_password_is_cancelled_after_the_commit(self, use_account):
        use_account("http://127.0.0.1:9/api")
        with transaction.atomic():
            message = services.send_sms(MOBILE, "1234", on_not_sent="cancel")
        assert message.status == Status.CANCELLED

    def test_call_that_comes_again_is_tried_after_the_commit(self, live):
        """An error would undo here, by the caller's rollback, what it says."""
        services.queue_sms(MOBILE, "x", idempotency_key="k")
        row = send_in_transaction("x", idempotency_key="k", on_not_sent="cancel")
        row.refresh_from_db()
        assert row.status == Status.ACCEPTED

    def test_rolled_back_call_that_comes_again_leaves_its_row_alone(self, live):
        row = services.queue_sms(MOBILE, "x", idempotency_key="k")
        with contextlib.suppress(LookupError), transaction.atomic():
            services.send_sms(MOBILE, "x", idempotency_key="k", on_not_sent="cancel")
            raise LookupError
        row.refresh_from_db()
        assert (row.status, live.taken) == (Status.QUEUED, [])

    def test_same_code_twice_in_a_transaction_is_sent_once(self, live):
        with transaction.atomic():
            first, second = (
                services.send_sms(
                    MOBILE, "x", idempotency_key="k", on_not_sent="cancel"
                )
                for _ in range(2)
            )
        first.refresh_from_db()
        assert first == second
        assert (first.status, len(live.taken)) == (Status.ACCEPTED, 1)

    def test_waker_is_called_instead(self, use_account, sandbox):
        use_account(
            sandbox.url, WAKER="tests.services.dispatch.test_after_commit.note_waking"
        )
        woken.clear()
        with transaction.atomic():
            services.send_sms(MOBILE, "x")
            assert woken == []
        assert woken == ["default"]
        assert sandbox.taken == []

    @pytest.mark.parametrize(
        ("mobile", "status"), [(MOBILE, "accepted"), ("09000000006", "cancelled")]
    )
    def test_message_that_must_not_wait_is_not_left_to_a_waker(
        self, use_account, sandbox, mobile, status
    ):
        use_account(
            sandbox.url, WAKER="tests.services.dispatch.test_after_commit.note_waking"
        )
        woken.clear()
        with transaction.atomic():
            message = services.send_sms(mobile, "1234", on_not_sent="cancel")
            assert sandbox.taken == []
        assert (message.status, woken) == (status, [])

    def test_urgent_message_is_ahead_of_what_waits_already(self, use_account, sandbox):
        use_account(
            sandbox.url,
            WAKER="tests.services.dispatch.test_after_commit.note_waking",
            WORKERS=1,
        )
        services.queue_sms(MOBILE, "newsletter")
        send_in_transaction("1234", priority=Priority.URGENT)
        services.dispatch_queue(workers=1)
        assert sandbox.taken[0].form["message"] == "1234"

    def test_broken_waker_costs_delay_only(self, use_account, caplog):
        use_account(
            "http://127.0.0.1:9/api",
            WAKER="tests.services.dispatch.test_after_commit.fail_waking",
        )
        with caplog.at_level(logging.ERROR, "negin_sms"):
            assert services.queue_sms(MOBILE, "x").pk
        assert "waker" in caplog.text

    @pytest.mark.parametrize(
        "act",
        [
            lambda: services.send_messages([]),
            lambda: services.dispatch_queue(),
            lambda: services.refresh_states([]),
            lambda: services.poll_states(),
        ],
        ids=["send_messages", "dispatch_queue", "refresh_states", "poll_states"],
    )
    def test_what_must_be_durable_refuses_to_run(self, act):
        with (
            pytest.raises(NeginSmsError, match="inside a transaction"),
            transaction.atomic(),
        ):
            act()


woken: list[str] = []


def note_waking(alias: str) -> None:
    woken.append(alias)


def fail_waking(alias: str) -> None:
    raise ConnectionError(alias)
