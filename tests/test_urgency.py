"""A one-time password behind ten thousand bulk messages: how long does it wait?

Messages are committed in the worst of moments, right after a claim, when as many
rows are in hand as ever. What then goes out before them is counted in requests,
not in seconds.
"""

from __future__ import annotations

import copy
import threading
import time

import pytest
from django.db import connection, transaction

from negin_sms import services
from negin_sms.choices import Priority, Status
from negin_sms.gateway import memory
from negin_sms.models import Message
from tests.factories import MOBILE, MessageFactory

pytestmark = pytest.mark.django_db(transaction=True)

BULK = 10_000
URGENT = 5
EVERY = 12  # claims from one urgent message to the next


class Journalling(memory.MemoryGateway):
    """Note each request as it begins, and take ten milliseconds."""

    requests: list[str] = []

    def send(self, request, *, start_by=0.0):
        self.requests.append(request.text)
        time.sleep(0.01)
        return super().send(request)


@pytest.fixture
def requests(use_account) -> list[str]:
    use_account(BACKEND="tests.test_urgency.Journalling")
    Journalling.requests.clear()
    return Journalling.requests


class Hurry:
    """Commits urgent messages while the dispatcher runs, each right after a claim."""

    def __init__(self, requests: list[str]) -> None:
        self.requests = requests
        self.begun_before: dict[str, int] = {}
        self.stop = threading.Event()
        self._claims = 0

    def watch(self, execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if sql.startswith("UPDATE") and "attempts" in sql and Status.SENDING in params:
            self._claims += 1
            if self._claims % EVERY == 0 and len(self.begun_before) < URGENT:
                transaction.on_commit(self.queue)
        return result

    def queue(self) -> None:
        text = f"code {len(self.begun_before)}"
        services.queue_sms(MOBILE, text, priority=Priority.URGENT)
        self.begun_before[text] = len(self.requests)

    def end_when_all_are_out(self, _ended: int) -> None:
        if len(self.begun_before) == URGENT and set(self.begun_before) <= set(
            self.requests
        ):
            self.stop.set()


@pytest.mark.parametrize("workers", [4, 16])
def test_urgent_message_waits_for_no_more_than_what_is_in_hand(workers, requests):
    one = MessageFactory.build(text="bulk", priority=Priority.LOW)
    Message.objects.bulk_create((copy.copy(one) for _ in range(BULK)), batch_size=500)
    hurry = Hurry(requests)
    with connection.execute_wrapper(hurry.watch):
        services.dispatch_queue(
            workers=workers, stop=hurry.stop, progress=hurry.end_when_all_are_out
        )
    waits = {text: requests.index(text) - n for text, n in hurry.begun_before.items()}
    assert len(waits) == URGENT
    assert max(waits.values()) <= 2 * workers, waits
    assert "bulk" in requests[-4 * workers :]
    assert Message.objects.filter(status=Status.QUEUED).count() > BULK / 2
