"""The reminders of visits; docs/howto/reminders.rst says why they are as they are."""

from __future__ import annotations

import contextlib
from datetime import datetime, time, timedelta
from typing import Any

from django.utils import timezone

from negin_sms.exceptions import NeginSmsError
from negin_sms.models import Message
from negin_sms.services import cancel, edit, queue_sms

from .models import Patient, Visit

MORNING = time(9, 30)
TOO_LATE = timedelta(hours=1)


def remind(visit: Visit) -> Message | None:
    """Queue the reminder of a visit that is new or has changed."""
    forget(visit)
    ends = visit.begins_at - TOO_LATE
    if ends <= timezone.now():
        return None  # whoever books this late remembers
    return queue_sms(
        visit.mobile,
        f"Your visit is on {timezone.localtime(visit.begins_at):%d %B at %H:%M}.",
        send_at=leaves_at(visit),
        expires_at=ends,
        group="reminders",
        source=f"visit-{visit.pk}",
    )


def forget(visit: Visit) -> None:
    """Cancel what was not sent yet of a visit: it was moved, or called off."""
    cancel(_waiting(visit))


def put_off(visit: Visit, days: int, user: Any) -> None:
    """Move a visit and the reminder that waits, which keeps its text."""
    visit.begins_at += timedelta(days=days)
    for message in _waiting(visit):
        ends = visit.begins_at - TOO_LATE
        edit(message, send_at=leaves_at(visit), expires_at=ends, by=user)


def readdress(patient: Patient, user: Any) -> None:
    """Let the reminders that wait go to the number that a patient has now."""
    for visit in patient.visit_set.all():
        for message in _waiting(visit):
            with contextlib.suppress(NeginSmsError):  # it has left meanwhile
                edit(message, mobile=patient.mobile, by=user)


def leaves_at(visit: Visit) -> datetime:
    """Return the morning of the day before; now, where that is over."""
    day_before = timezone.localtime(visit.begins_at).date() - timedelta(days=1)
    morning = timezone.make_aware(datetime.combine(day_before, MORNING))
    return max(morning, timezone.now())


def _waiting(visit: Visit) -> list[Message]:
    source = f"visit-{visit.pk}"
    rows = Message.objects.filter(group="reminders", source=source)
    return list(rows.filter(status__in=["queued", "held"]))
