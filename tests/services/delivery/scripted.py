"""A gateway that says of states what a test wants, and what tests do with it."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from negin_sms import services
from negin_sms.exceptions import Effect, Rejected
from negin_sms.gateway import memory
from negin_sms.models import Message


class Scripted(memory.MemoryGateway):
    """Answer from ``codes``, with ``strays`` beside; refuse a batch with a poison id.

    Fail with ``error``, or with each of ``errors`` once.
    """

    def __init__(self, account):
        super().__init__(account)
        self.codes: dict[str, int] = {}
        self.poison: set[str] = set()
        self.error: Exception | None = None
        self.errors: list[Exception] = []
        self.asked: list[list[str]] = []
        self.strays: dict[str, dict[str, int]] = {}

    def states(self, ids):
        self.asked.append(list(ids))
        if self.errors:
            raise self.errors.pop()
        if self.error is not None:
            raise self.error
        if self.poison & set(ids):
            raise Rejected("id", code=24, effect=Effect.SUCCESS)
        known = {key: self.codes[key] for key in ids if key in self.codes}
        return known | self.strays.get(ids[-1], {})


def codes_of(row) -> list[int]:
    return list(row.states.values_list("code", flat=True))


def poll(gateway, row, code):
    gateway.codes[row.gateway_id] = code
    Message.objects.filter(pk=row.pk, poll_at__isnull=False).update(
        poll_at=timezone.now() - timedelta(seconds=1)
    )
    report = services.poll_states()
    row.refresh_from_db()
    return report
