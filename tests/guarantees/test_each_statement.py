"""The database is away for a moment at each statement of a run, one after the other.

Either it did not do the statement, or it did and could not say so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection

from negin_sms import services
from negin_sms.gateway import memory
from negin_sms.models import AccountState, Alert, CapCount, Message, OptOut
from negin_sms.services.outbox import gateway_binding
from tests.factories import MOBILE, MessageFactory

pytestmark = [pytest.mark.long, pytest.mark.django_db(transaction=True)]

CAPS = {"MOBILE_CAPS": {"hour": 5, "day": 5}, "ACCOUNT_CAPS": {"day": 50}}
# How savepoints end is the caller's affair.
FRAMES = ("BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK")


class Away:
    """Fail at one statement, counted from 1."""

    def __init__(self, at: int, *, is_done: bool) -> None:
        self.at = at
        self.is_done = is_done
        self.seen = 0

    def __call__(self, execute: Any, sql: str, *rest: Any) -> Any:
        self.seen += 1
        if self.seen != self.at:
            return execute(sql, *rest)
        if self.is_done and not sql.startswith(FRAMES):
            execute(sql, *rest)
        raise OperationalError("away")


@pytest.fixture(params=[False, True], ids=["not done", "done"])
def at_each_statement(request, use_account) -> Callable[..., None]:
    use_account(BACKEND="negin_sms.gateway.memory.MemoryGateway", **CAPS)

    def walk(prepare: Callable[[], Any], run: Callable[[], Any], check: Any) -> None:
        at = 0
        while True:
            at += 1
            for model in (Message, CapCount, AccountState, Alert, OptOut):
                model.objects.all().delete()
            memory.outbox.clear()
            gateway_binding._agreed_until.clear()
            prepare()
            away = Away(at, is_done=request.param)
            with connection.execute_wrapper(away):
                run()
            check()
            if away.seen < at:
                break
        assert at > 20

    return walk


def test_dispatcher_sends_and_counts_each_once(at_each_statement):
    def check() -> None:
        statuses = Message.objects.values_list("status", flat=True)
        counts = CapCount.objects.values_list("messages", flat=True)
        sent = sorted(each.text for each in memory.outbox)
        assert (sent, set(statuses), set(counts)) == (["1", "2"], {"accepted"}, {2})

    wishes = [{"mobile": MOBILE, "text": text} for text in "12"]
    at_each_statement(
        lambda: services.queue_many(wishes), services.dispatch_queue, check
    )


def test_refusal_is_written(at_each_statement):
    def prepare() -> None:
        memory.outbox.refuse(27)
        services.queue_sms(MOBILE, "x")

    def check() -> None:
        assert Message.objects.get().status == "rejected"

    at_each_statement(prepare, services.dispatch_queue, check)


def test_poller_goes_on(at_each_statement):
    def check() -> None:
        assert not Message.objects.due_for_poll().exists()

    at_each_statement(
        lambda: MessageFactory(accepted=True), services.poll_states, check
    )


def test_who_sends_now_knows_what_became_of_it(at_each_statement):
    """An error where nothing was sent; the row where something was."""

    def send() -> None:
        try:
            services.send_sms(MOBILE, "x")
        except OperationalError:
            assert not memory.outbox

    def check() -> None:
        statuses = list(Message.objects.values_list("status", flat=True))
        if memory.outbox:
            assert (len(memory.outbox), statuses) == (1, ["accepted"])
        else:
            assert statuses in ([], ["queued"])

    at_each_statement(lambda: None, send, check)
