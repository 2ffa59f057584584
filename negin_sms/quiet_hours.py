"""Quiet hours: two times of the day between which messages of low priority wait.

They are those of the project's time zone, and may go over midnight.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone

Hours = tuple[time, time]

_IRAN_TIME = timedelta(hours=3, minutes=30)


def quiet_until(moment: datetime, hours: Hours | None) -> datetime | None:
    """Return when the quiet hours that an aware moment falls into end, else None."""
    if hours is None:
        return None
    start, end = hours
    local = timezone.localtime(moment, timezone.get_default_timezone())
    clock = local.time()
    inside = start <= clock < end if start < end else not end <= clock < start
    if not inside:
        return None
    day = local.date() + timedelta(days=clock >= end)
    return datetime.combine(day, end, local.tzinfo)


def quiet_since(moment: datetime, hours: Hours | None) -> datetime | None:
    """Return when the quiet hours that an aware moment falls into began, else None."""
    if hours is None or quiet_until(moment, hours) is None:
        return None
    start = hours[0]
    local = timezone.localtime(moment, timezone.get_default_timezone())
    day = local.date() - timedelta(days=local.time() < start)
    return datetime.combine(day, start, local.tzinfo)


def never_leaves(due_at: datetime, expires_at: datetime, hours: Hours | None) -> bool:
    """Return whether all of a message's life falls into the same quiet hours."""
    free = quiet_until(due_at, hours)
    return free is not None and expires_at <= free


def tehran_is_current(year: int, zone: ZoneInfo | None = None) -> bool:
    """Return whether the time zone data know that Iran gave up its summer time.

    It did in 2022. With older data every quiet hour of a summer is an hour off.
    """
    july = datetime(year, 7, 1, tzinfo=zone or ZoneInfo("Asia/Tehran"))
    return july.utcoffset() == _IRAN_TIME
