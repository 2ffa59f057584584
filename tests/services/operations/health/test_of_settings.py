"""What the settings lack is a finding before anything is queued."""

from __future__ import annotations

import pytest

from .looking import find

pytestmark = pytest.mark.django_db


def test_no_account_at_all(settings):
    settings.NEGIN_SMS = {}
    assert find("settings").text.startswith("NEGIN_SMS is empty.")


def test_no_account_that_is_taken_where_none_is_named(settings):
    settings.NEGIN_SMS = {"shop": settings.NEGIN_SMS["default"]}
    assert 'has no account "default"' in find("settings").text


def test_backend_that_is_no_gateway(use_account):
    use_account(BACKEND="negin_sms.gateway.console")
    found = find("settings")
    assert (found.severity, found.account) == ("critical", "default")
    assert "names no gateway" in found.text
