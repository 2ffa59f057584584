"""What the tests of the findings share: who was alive, and what is found."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from negin_sms import services
from negin_sms.models import AccountState


def ago(**kwargs: float) -> datetime:
    return timezone.now() - timedelta(**kwargs)


def seen(long_ago: timedelta, **fields: Any) -> None:
    """Let a dispatcher and a poller have come by so long ago."""
    at = timezone.now() - long_ago
    AccountState.objects.update_or_create(
        account="default",
        defaults={"dispatcher_seen_at": at, "poller_seen_at": at, **fields},
    )


def codes() -> list[str]:
    return [finding.code for finding in services.health()]


def find(code: str) -> services.Finding:
    (finding,) = (each for each in services.health() if each.code == code)
    return finding
