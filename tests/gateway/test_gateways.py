"""Which gateway an account has: one for each process, made anew with the settings."""

from __future__ import annotations

import pytest

from negin_sms.exceptions import InvalidConfiguration
from negin_sms.gateway import get_gateway, make_ready, suspend_keep_alive


def test_unknown_backend_says_what_to_write(settings):
    settings.NEGIN_SMS = {"default": {"BACKEND": "nowhere.Gateway"}}
    with pytest.raises(InvalidConfiguration, match="NeginGateway"):
        get_gateway()


def test_gateway_is_made_once_and_again_when_settings_change(settings):
    first = get_gateway()
    assert get_gateway() is first
    settings.NEGIN_SMS = {**settings.NEGIN_SMS}
    assert get_gateway() is not first


def test_gateways_without_connections_have_nothing_to_suspend():
    suspend_keep_alive("default")


def test_gateways_without_threads_have_nothing_to_make_ready():
    make_ready("default")
