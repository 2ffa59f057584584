"""The report's numbers, whether its days were folded or not."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from negin_sms.choices import Status
from negin_sms.models import Message
from negin_sms.services import delivery_statistics
from negin_sms.services.statistics.daily_counts import (
    day_of,
    rollup_closed_days,
    rollup_day,
)
from negin_sms.services.statistics.report import LONGEST_REPORT
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db

NOW = timezone.now()
TODAY = day_of(NOW)
FIRST = TODAY - timedelta(days=9)


def fill(number: int = 120) -> None:
    chance = random.Random(5)
    for _number in range(number):
        ended = NOW - timedelta(hours=chance.randrange(24 * 9), minutes=1)
        wish: dict[str, Any] = chance.choice(
            [
                {"line": "98"},
                {"line": "99", "used_line": "97"},
                {"scenario": "service_line", "line": "", "template": 3},
            ]
        )
        ending: dict[str, Any] = chance.choice(
            [
                {
                    "state": 1,
                    "state_at": ended + timedelta(seconds=chance.random() * 90),
                },
                {"state": 2, "settled_at": ended},
                {"state": 8},
                {"settled_at": ended},
                {"status": Status.REJECTED, "code": chance.choice([1, 27])},
                {"status": Status.UNCERTAIN},
            ]
        )
        MessageFactory(
            **{
                "accepted": True,
                "created_at": ended,
                "account": chance.choice(["default", "bulk"]),
                "group": chance.choice(["", "sale", "news"]),
                "parts": chance.randint(1, 3),
                **wish,
                **ending,
            }
        )


def report(**options):
    return delivery_statistics(FIRST, TODAY, **options)


@pytest.mark.parametrize("account", [None, "bulk"])
def test_report_is_the_same_whether_days_were_folded_or_not(account):
    fill()
    fresh = report(account=account)
    rollup_closed_days(using="default", limit=3)
    assert report(account=account) == fresh
    rollup_closed_days(using="default")
    assert report(account=account) == fresh
    assert fresh.total.total == sum(c.total for _day, c in fresh.days) > 0


def test_purged_days_are_reported_still():
    fill()
    fresh = report()
    for number in range(9, 2, -1):
        day = TODAY - timedelta(days=number)
        rollup_day(day, using="default", freeze=True)
        Message.objects.filter(finished_at__lt=NOW - timedelta(days=number)).delete()
    assert Message.objects.count() < fresh.total.total
    assert report() == fresh


def test_every_breakdown_adds_up_to_the_whole():
    fill()
    whole = report()
    for rows in (whole.lines, whole.scenarios, whole.templates, whole.groups):
        assert sum(row.counts.total for row in rows) == whole.total.total
        assert sum(row.counts.parts for row in rows) == whole.total.parts
    assert sum(row.counts.rejected for row in whole.reasons) == whole.total.rejected


def test_accounts_add_up_to_the_whole():
    fill()
    parts = [report(account=alias).total for alias in ("default", "bulk")]
    assert sum(part.total for part in parts) == report().total.total


def test_days_without_messages_are_there_with_nothing():
    assert [day for day, _counts in report().days][::9] == [FIRST, TODAY]
    assert report().total.total == 0
    assert report().groups == ()


def test_largest_groups_are_shown_and_the_rest_together():
    for number in range(25):
        MessageFactory(accepted=True, group=f"g{number:02}")
    MessageFactory.create_batch(3, accepted=True, group="big")
    groups = report().groups
    assert (groups[0].value, groups[0].counts.total) == ("big", 3)
    assert len(groups) == 21
    assert (groups[-1].value, groups[-1].counts.total) == (None, 6)


def test_median_is_near_the_middle_of_the_times():
    for seconds in (7, 11, 12, 13, 14, 40, 3000):
        MessageFactory(
            accepted=True, state=1, state_at=timezone.now() + timedelta(seconds=seconds)
        )
    assert 10 <= report().total.median_seconds <= 15


def test_settled_days_cost_two_queries_all_together(django_assert_num_queries):
    fill(40)
    rollup_closed_days(using="default")
    # Not from FIRST on: at some hours of the day no message falls on it.
    oldest = Message.objects.earliest("finished_at").finished_at
    assert oldest is not None
    with django_assert_num_queries(2):
        delivery_statistics(day_of(oldest), TODAY - timedelta(days=3))


@pytest.mark.parametrize("days", [-1, LONGEST_REPORT])
def test_range_is_bounded(days):
    with pytest.raises(ValueError, match="1 to 92 days"):
        delivery_statistics(TODAY - timedelta(days=days), TODAY)
