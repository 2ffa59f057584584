"""When a dispatcher or a poller was last alive."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from negin_sms.models import AccountState
from negin_sms.services.heartbeat import heartbeat


@pytest.mark.django_db
@pytest.mark.parametrize("column", ["dispatcher_seen_at", "poller_seen_at"])
def test_heartbeat_is_now_and_of_one_account(column):
    AccountState.objects.create(account="other")
    heartbeat("default", column, using="default")
    seen = getattr(AccountState.objects.get(account="default"), column)
    assert abs(timezone.now() - seen) < timedelta(seconds=5)
    assert getattr(AccountState.objects.get(account="other"), column) is None
