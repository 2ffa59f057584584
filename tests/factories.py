"""Rows for tests, as the services would have left them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Protocol, cast

import factory.django
from django.utils import timezone
from factory.declarations import (
    LazyAttribute,
    LazyFunction,
    SelfAttribute,
    Sequence,
    Trait,
)

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.gateway.wire import SendReply, SendRequest
from negin_sms.models import Message
from negin_sms.services.outbox.jobs import SendJob, SendResult

# The number of the vendor's guides.
MOBILE = "+989395213300"
OTHER_MOBILE = "+989390000000"


class _MessageFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Message
        skip_postgeneration_save = True

    mobile = MOBILE
    text = "سلام"
    line = "9830003300"
    status = Status.QUEUED
    # SQLite's clock knows milliseconds: what is due now must not be so a moment later.
    created_at = LazyFunction(lambda: timezone.now() - timedelta(milliseconds=2))
    due_at = SelfAttribute("created_at")
    begins_at = SelfAttribute("due_at")
    expires_at = LazyAttribute(lambda row: row.due_at + timedelta(days=1))

    class Params:
        accepted = Trait(
            status=Status.ACCEPTED,
            gateway_id=Sequence(lambda n: str(5001 + n)),
            finished_at=SelfAttribute("created_at"),
            poll_at=SelfAttribute("created_at"),
        )
        uncertain = Trait(
            status=Status.UNCERTAIN,
            claim="host:1:abc",
            finished_at=SelfAttribute("created_at"),
        )
        sending = Trait(
            status=Status.SENDING,
            claim="host:1:abc",
            attempts=1,
            claimed_until=LazyAttribute(
                lambda row: row.created_at + timedelta(seconds=180)
            ),
        )


class _Makes(Protocol):
    """What the tests use of the factory, with the types that factory-boy lacks."""

    def __call__(self, **fields: Any) -> Message: ...

    def build(self, **fields: Any) -> Message: ...

    def create_batch(self, size: int, **fields: Any) -> list[Message]: ...


MessageFactory: _Makes = cast(Any, _MessageFactory)


def acceptance_of(row: Message, gateway_id: str = "7001", **reply: Any) -> SendResult:
    """Return the result of a row that is being sent, as the gateway accepts it."""
    request = SendRequest(mobile=row.mobile, text=row.text, line=row.line)
    job = SendJob(row.pk, row.claim, row.attempts, conf.get_account(), request, 0.0)
    values = {"used_line": "98", "mobile": row.mobile[1:], "code": -1, "msg": "success"}
    return SendResult(job, SendReply(gateway_id=gateway_id, **{**values, **reply}))
