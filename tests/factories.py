"""Rows for tests, as the services would have left them."""

from __future__ import annotations

from datetime import timedelta

import factory
from django.utils import timezone

from negin_sms.choices import Status
from negin_sms.models import Message

# The number of the vendor's guides.
MOBILE = "+989395213300"


class MessageFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Message
        skip_postgeneration_save = True

    mobile = MOBILE
    text = "سلام"
    line = "9830003300"
    status = Status.QUEUED
    created_at = factory.LazyFunction(timezone.now)
    due_at = factory.SelfAttribute("created_at")
    expires_at = factory.LazyAttribute(lambda row: row.due_at + timedelta(days=1))

    class Params:
        accepted = factory.Trait(
            status=Status.ACCEPTED,
            gateway_id=factory.Sequence(lambda n: str(5001 + n)),
            finished_at=factory.SelfAttribute("created_at"),
            poll_at=factory.SelfAttribute("created_at"),
        )
        uncertain = factory.Trait(
            status=Status.UNCERTAIN,
            claim="host:1:abc",
            finished_at=factory.SelfAttribute("created_at"),
        )
        sending = factory.Trait(
            status=Status.SENDING,
            claim="host:1:abc",
            attempts=1,
            claimed_until=factory.LazyAttribute(
                lambda row: row.created_at + timedelta(seconds=180)
            ),
        )
