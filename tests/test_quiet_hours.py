from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from negin_sms.quiet_hours import never_leaves, quiet_until, tehran_is_current

TEHRAN = timezone.get_default_timezone()
NIGHT, NOON = (time(22), time(8)), (time(12), time(14))


def at(hour: int, minute: int = 0, day: int = 1) -> datetime:
    return datetime(2026, 12, day, hour, minute, tzinfo=TEHRAN)


@pytest.mark.parametrize(
    ("moment", "hours", "until"),
    [
        (at(22), NIGHT, at(8, day=2)),
        (at(23, 59), NIGHT, at(8, day=2)),
        (at(0), NIGHT, at(8)),
        (at(7, 59), NIGHT, at(8)),
        (at(8), NIGHT, None),
        (at(21, 59), NIGHT, None),
        (at(12), NOON, at(14)),
        (at(14), NOON, None),
        (at(11, 59), NOON, None),
        (at(23), None, None),
        (datetime(2026, 12, 1, 19, 0, tzinfo=UTC), NIGHT, at(8, day=2)),
    ],
)
def test_end_of_the_quiet_hours(moment, hours, until):
    assert quiet_until(moment, hours) == until
    with timezone.override("UTC"):  # a reader's zone changes nothing
        assert quiet_until(moment, hours) == until


@pytest.mark.parametrize(
    ("due_at", "lifetime", "never"),
    [
        (at(23), timedelta(hours=1), True),
        (at(23), timedelta(hours=9), True),
        (at(23), timedelta(hours=10), False),
        (at(20), timedelta(hours=4), False),
    ],
)
def test_message_that_lives_in_quiet_hours_only(due_at, lifetime, never):
    assert never_leaves(due_at, due_at + lifetime, NIGHT) == never
    assert not never_leaves(due_at, due_at + lifetime, None)


def test_iran_has_no_summer_time_any_more():
    assert tehran_is_current(2026)
    assert not tehran_is_current(2021)  # what data of 2021 say of every year
    assert not tehran_is_current(2026, ZoneInfo("Asia/Kabul"))
