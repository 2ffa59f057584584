"""A one-time password behind ten thousand bulk messages: how long does it wait?

Messages are committed in the worst of moments, right after a claim, when as many
rows are in hand as ever. What goes out before them is counted in requests, not in
seconds.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Commit:
    """An urgent message, and what had gone before when it was committed."""

    text: str
    begun: int
    claimed: int


class Hurry:
    """Commits urgent messages while the dispatcher runs, each right after a claim."""

    def __init__(self, requests: list[str]) -> None:
        self.requests = requests
        self.commits: list[Commit] = []
        self.stop = threading.Event()
        self._claims = 0

    def watch(self, execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if sql.startswith("UPDATE") and "attempts" in sql and Status.SENDING in params:
            self._claims += 1
            if self._claims % EVERY == 0 and len(self.commits) < URGENT:
                transaction.on_commit(self.queue)
        return result

    def queue(self) -> None:
        text = f"code {len(self.commits)}"
        services.queue_sms(MOBILE, text, priority=Priority.URGENT)
        bulk = Message.objects.filter(priority=Priority.LOW)
        claimed = bulk.exclude(status=Status.QUEUED).count()
        self.commits.append(Commit(text, len(self.requests), claimed))

    def end_when_all_are_out(self, _ended: int) -> None:
        out = [commit for commit in self.commits if commit.text in self.requests]
        if len(out) == URGENT:
            self.stop.set()

    def waits(self) -> Iterator[tuple[int, int]]:
        """Give for each the requests that began between its commit and its own.

        Those of messages that were in hand when it came, and others: these can
        only run beside it, in threads that were quicker to begin.
        """
        for commit in self.commits:
            between = self.requests[commit.begun : self.requests.index(commit.text)]
            in_hand = [t for t in between if t.isdigit() and int(t) < commit.claimed]
            yield len(in_hand), len(between) - len(in_hand)


def queue_bulk() -> None:
    one = MessageFactory.build(priority=Priority.LOW)
    rows = [copy.copy(one) for _ in range(BULK)]
    for number, row in enumerate(rows):
        row.text = str(number)
    Message.objects.bulk_create(rows, batch_size=500)


@pytest.mark.parametrize("workers", [4, 16])
def test_urgent_message_waits_for_what_is_in_hand_and_no_more(workers, requests):
    queue_bulk()
    hurry = Hurry(requests)
    with connection.execute_wrapper(hurry.watch):
        services.dispatch_queue(
            workers=workers, stop=hurry.stop, progress=hurry.end_when_all_are_out
        )
    waits = list(hurry.waits())
    assert len(waits) == URGENT
    assert all(in_hand <= 2 * workers for in_hand, _beside in waits), waits
    assert all(beside < workers for _in_hand, beside in waits), waits
    assert Message.objects.filter(status=Status.QUEUED).count() > BULK / 2
