from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from negin_sms.quiet_hours import (
    never_leaves,
    quiet_since,
    quiet_until,
    tehran_is_current,
)

TEHRAN = timezone.get_default_timezone()
NIGHT, NOON = (time(22), time(8)), (time(12), time(14))


def at(hour: int, minute: int = 0, day: int = 1) -> datetime:
    return datetime(2026, 12, day, hour, minute, tzinfo=TEHRAN)


@pytest.mark.parametrize(
    ("moment", "hours", "since", "until"),
    [
        (at(22, day=2), NIGHT, at(22, day=2), at(8, day=3)),
        (at(23, 59, day=2), NIGHT, at(22, day=2), at(8, day=3)),
        (at(0, day=2), NIGHT, at(22), at(8, day=2)),
        (at(7, 59, day=2), NIGHT, at(22), at(8, day=2)),
        (at(8), NIGHT, None, None),
        (at(21, 59), NIGHT, None, None),
        (at(12), NOON, at(12), at(14)),
        (at(14), NOON, None, None),
        (at(11, 59), NOON, None, None),
        (at(23), None, None, None),
        (datetime(2026, 12, 1, 19, 0, tzinfo=UTC), NIGHT, at(22), at(8, day=2)),
    ],
)
def test_beginning_and_end_of_the_quiet_hours(moment, hours, since, until):
    assert (quiet_since(moment, hours), quiet_until(moment, hours)) == (since, until)
    with timezone.override("UTC"):  # a reader's zone changes nothing
        assert quiet_since(moment, hours) == since
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
