"""How many of some messages will be over a cap, asked beforehand."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from negin_sms import conf, services
from negin_sms.models import Message
from negin_sms.services.outbox.gate.cap_forecast import count_over
from tests.factories import MOBILE, OTHER_MOBILE, MessageFactory

MEMORY = "negin_sms.gateway.memory.MemoryGateway"

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_over_is_counted_by_number_and_by_account(use_account):
    use_account(
        BACKEND=MEMORY, MOBILE_CAPS={"hour": 3, "day": 2}, ACCOUNT_CAPS={"day": 4}
    )
    for number in range(2):
        services.send_sms(MOBILE, str(number))
    others = [f"+98939521330{number}" for number in range(1, 4)]
    for mobile in (MOBILE, *others):
        MessageFactory(mobile=mobile, group="batch", status="draft")
    drafts = Message.objects.filter(group="batch")
    account, now = conf.get_account(), timezone.now()
    assert count_over(drafts, account, now) == (1, 1)
    services.queue_messages(drafts)
    assert services.dispatch_queue().accepted == 2  # as it was foretold
    assert count_over(drafts, account, now + timedelta(days=2)) == (0, 0)
    use_account(BACKEND=MEMORY)
    assert count_over(drafts, conf.get_account(), now) == (0, 0)


def test_of_several_to_one_number_those_after_the_first_are_foretold(use_account):
    """The question about four of them said nothing, and two were kept back."""
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"minute": 9, "day": 2})
    for number in range(4):
        services.queue_sms(MOBILE, str(number))
    services.queue_sms(OTHER_MOBILE, "x")
    rows, at = Message.objects.all(), timezone.now()
    account = conf.get_account()
    assert count_over(rows, account, at) == (2, 0)
    first, fourth = rows.order_by("pk")[0], rows.order_by("pk")[3]
    for ignoring, over in [(fourth, 1), (first, 2)]:  # it takes a place all the same
        rows.update(ignores_caps=False)
        rows.filter(pk=ignoring.pk).update(ignores_caps=True)
        assert count_over(rows, account, at) == (over, 0)
    rows.filter(mobile=MOBILE).update(counted_for=at)
    assert count_over(rows, account, at) == (0, 0)  # each has its place
    rows.update(counted_for=None)
    report = services.dispatch_queue()
    assert (report.accepted, report.put_off) == (3, 2)  # as it was foretold
    # Sent again, a message has no place, and ignores no caps.
    assert count_over(rows.filter(status="accepted"), account, at) == (2, 0)
