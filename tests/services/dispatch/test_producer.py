"""One account's producer: how much it claims, and what it gives back."""

from __future__ import annotations

import pytest

from negin_sms import services
from negin_sms.models import Message
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
