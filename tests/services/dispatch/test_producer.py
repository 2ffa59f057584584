"""One account's producer: how much it claims, and what it gives back."""

from __future__ import annotations

from typing import Any

import pytest

from negin_sms import services
from negin_sms.gateway import memory
from negin_sms.models import Message
from negin_sms.services.dispatch import producer
from negin_sms.services.dispatch.worker_pool import WorkerPool
from tests.badgateway import wait_until
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db(transaction=True)


def test_limit_is_what_is_claimed_at_most(live):
    MessageFactory.create_batch(5)
    assert services.dispatch_queue(limit=3).sent == 3
    assert Message.objects.filter(status="queued", claim="", attempts=0).count() == 2


def test_account_that_may_not_send_claims_nothing(use_account, sandbox):
    use_account(sandbox.url, DISPATCH=False)
    MessageFactory()
    services.dispatch_queue()
    assert Message.objects.get().attempts == 0


def test_what_workers_have_is_never_queued_again(use_account, monkeypatch):
    """The run is interrupted as it hands jobs over, and their results are lost."""
    use_account(BACKEND="negin_sms.gateway.memory.MemoryGateway")
    submit = WorkerPool.submit

    def submit_last(pool: Any, job: Any) -> None:
        submit(pool, job)
        wait_until(lambda: bool(memory.outbox), 10)
        raise KeyboardInterrupt

    monkeypatch.setattr(WorkerPool, "submit", submit_last)
    monkeypatch.setattr(producer, "record", lambda results, *_args, **_o: len(results))
    MessageFactory()
    with pytest.raises(KeyboardInterrupt):
        services.dispatch_queue()
    assert len(memory.outbox) == 1
    assert Message.objects.get().status == "sending"
