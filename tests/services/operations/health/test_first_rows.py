"""What is made of the first rows of a query, and of no more of them."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.db.models import F

from negin_sms.models import Message
from negin_sms.services.operations.health.first_rows import Count, Earliest
from tests.factories import MessageFactory

from .looking import ago

pytestmark = pytest.mark.django_db


@pytest.fixture
def moments(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """Let three be the most that is looked at, of five."""
    for kind in (Count, Earliest):
        monkeypatch.setattr(kind, "limit", "3")
    moments = [ago(minutes=minutes) for minutes in range(5)]
    for moment in moments:
        MessageFactory(due_at=moment)
    return moments


def test_no_more_are_counted(moments):
    rows = Message.objects.order_by("pk").values("pk")
    two = rows.filter(due_at__gte=moments[1])
    found = Message.objects.values(all=Count(rows), two=Count(two))[0]
    assert found == {"all": 3, "two": 2}


def test_earliest_is_that_of_the_first(moments):
    rows = Message.objects.order_by("pk").values(moment=F("due_at"))
    found = Message.objects.values(earliest=Earliest(rows))[0]
    assert found == {"earliest": moments[2]}
