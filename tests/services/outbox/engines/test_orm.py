"""Claims by Django's own means."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.models import Message
from negin_sms.querysets import MessageQuerySet
from negin_sms.services.outbox import gate
from negin_sms.services.outbox.engines import engine_for
from tests.factories import MessageFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_engine")]


def claim(limit=10, name="me", **settings):
    account = conf.get_account()
    return engine_for("default").claim_due(
        account,
        name,
        limit,
        priorities=gate.open_priorities(account, "default"),
        lease=180,
        **settings,
    )


def test_claim_takes_no_more_than_asked():
    MessageFactory.create_batch(5)
    assert len(claim(3)) == 3
    assert Message.objects.filter(status=Status.QUEUED).count() == 2


def test_claim_leaves_other_accounts_and_what_is_not_due():
    now = timezone.now()
    MessageFactory(account="other")
    MessageFactory(due_at=now + timedelta(hours=1))
    MessageFactory(due_at=now - timedelta(days=2), expires_at=now - timedelta(days=1))
    assert claim() == []


def test_row_that_somebody_took_meanwhile_is_not_ours():
    """The compare-and-set holds where rows cannot be locked."""
    row = MessageFactory()

    class Racing(MessageQuerySet):
        def __iter__(self):
            found = list(super().__iter__())
            Message.objects.filter(pk=row.pk).update(
                status=Status.SENDING, claim="other"
            )
            return iter(found)

    rows = Racing(Message, using="default").filter(status=Status.QUEUED)
    assert (
        engine_for("default").claim_rows(
            rows, "me", 5, account=conf.get_account(), lease=180
        )
        == []
    )
    row.refresh_from_db()
    assert row.claim == "other"
