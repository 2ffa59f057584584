"""The gateway of these tests."""

from __future__ import annotations

import pytest

from negin_sms.gateway import get_gateway
from tests.services.delivery.scripted import Scripted


@pytest.fixture
def gateway(use_account) -> Scripted:
    use_account(BACKEND="tests.services.delivery.scripted.Scripted")
    return get_gateway()  # type: ignore[return-value]
