"""How many of some messages will be over a cap, asked beforehand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from negin_sms import conf, services
from negin_sms.models import CapCount, Message
from negin_sms.querysets import MessageQuerySet
from negin_sms.services.outbox.gate.cap_forecast import Asking, Over, count_over
from tests.factories import MOBILE, OTHER_MOBILE, MessageFactory

MEMORY = "negin_sms.gateway.memory.MemoryGateway"

pytestmark = pytest.mark.django_db(transaction=True)


def over(rows: MessageQuerySet, at: datetime, *, is_stopped: bool = False) -> Over:
    """Return how many of these are over a cap when they come at one moment."""
    asking = [
        Asking(row.mobile, at, row.counted_for, row.ignores_caps, is_stopped)
        for row in rows.in_queue_order()
    ]
    return count_over(asking, conf.get_account(), "default")


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
    now = timezone.now()
    assert over(drafts, now) == (1, 1)
    services.queue_messages(drafts)
    assert services.dispatch_queue().accepted == 2  # as it was foretold
    assert over(drafts, now + timedelta(days=2)) == (0, 0)
    use_account(BACKEND=MEMORY)
    assert over(drafts, now) == (0, 0)


def test_of_several_to_one_number_those_after_the_first_are_foretold(use_account):
    """The question about four of them said nothing, and two were kept back."""
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"minute": 9, "day": 2})
    for number in range(4):
        services.queue_sms(MOBILE, str(number))
    services.queue_sms(OTHER_MOBILE, "x")
    rows, at = Message.objects.all(), timezone.now()
    assert over(rows, at) == (2, 0)
    first, fourth = rows.order_by("pk")[0], rows.order_by("pk")[3]
    for ignoring, most in [(fourth, 1), (first, 2)]:  # it takes a place all the same
        rows.update(ignores_caps=False)
        rows.filter(pk=ignoring.pk).update(ignores_caps=True)
        assert over(rows, at) == (most, 0)
    rows.filter(mobile=MOBILE).update(counted_for=at)
    assert over(rows, at) == (0, 0)  # each has its place
    rows.update(counted_for=None)
    report = services.dispatch_queue()
    assert (report.accepted, report.put_off) == (3, 2)  # as it was foretold


def test_each_is_judged_by_when_it_comes(use_account):
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"day": 1}, ACCOUNT_CAPS={"hour": 2})
    services.send_sms(MOBILE, "x")
    now = timezone.now()
    days = [0, 2, 0, 2, 3]  # the second of each day is over
    asking = [Asking(MOBILE, now + timedelta(days=n), None, False, False) for n in days]
    account = conf.get_account()
    assert count_over(asking, account, "default") == (3, 0)
    assert MOBILE not in repr(asking)
    (today,) = CapCount.objects.exclude(mobile="")
    began_at = today.began_at + timedelta(days=3)
    CapCount.objects.create(
        account="default", mobile=MOBILE, seconds=86400, began_at=began_at, messages=1
    )
    assert count_over(asking, account, "default") == (4, 0)
    others = [replace(each, mobile=f"+9893900{n:05}") for n, each in enumerate(asking)]
    assert count_over(others, account, "default") == (0, 1)


def test_what_is_stopped_takes_no_place_and_waits_for_a_full_account(use_account):
    use_account(BACKEND=MEMORY, ACCOUNT_CAPS={"day": 1}, MOBILE_CAPS={"day": 1})
    MessageFactory.create_batch(2, mobile=MOBILE)
    rows, now = Message.objects.all(), timezone.now()
    assert over(rows, now, is_stopped=True) == (0, 0)
    services.send_sms(OTHER_MOBILE, "x")
    rows = rows.filter(mobile=MOBILE)
    assert over(rows, now, is_stopped=True) == (0, 2)
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"day": 1})
    services.send_sms(MOBILE, "x")
    assert over(rows, now) == (2, 0)  # beside the one that has left
    assert over(rows, now, is_stopped=True) == (0, 0)


def test_who_comes_first_takes_the_account_s_place(use_account):
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"hour": 1}, ACCOUNT_CAPS={"day": 2})
    noon = datetime(2027, 1, 1, 12, tzinfo=UTC)
    late = [Asking(MOBILE, noon, None, False, False)] * 2
    early = Asking(OTHER_MOBILE, noon - timedelta(hours=2), None, False, False)
    account = conf.get_account()
    assert count_over(late, account, "default") == (1, 0)  # until one o'clock
    assert count_over([*late, early], account, "default") == (0, 1)  # until tomorrow
