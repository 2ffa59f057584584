"""Ids that the gateway gave to several messages."""

from __future__ import annotations

import pytest

from negin_sms import services
from negin_sms.choices import Flag
from negin_sms.models import Message
from tests.badgateway import BadGateway

pytestmark = pytest.mark.django_db


def test_shared_id_ends_the_reuse_of_connections(use_account):
    """As with a proxy that repeats its answer late (R15)."""
    with BadGateway() as server:
        use_account(server.url)
        server.changes = {"message_id": 4711}
        for _ in range(2):
            services.send_sms("09395213300", "x")
        server.changes = {}
        for _ in range(2):
            services.send_sms("09395213300", "x")
        assert [entry.connection for entry in server.journal] == [1, 1, 2, 3]
    assert Message.objects.filter(flag=Flag.SHARED_ID).count() == 2
