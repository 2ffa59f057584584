"""E008: what adapters add to a code is read before somebody wants to log in."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks

from negin_sms.contrib.checks import check_code_fields


class Adapter:
    """As allauth's or two-factor's adapters are written, for this check."""

    sms_fields = {"scenario": "service_line"}


class Mistaken:
    sms_fields = {"sender": "clinic"}


class Bare:
    """An adapter that sends no SMS, or none of ours."""


@pytest.mark.parametrize("name", ["ACCOUNT_ADAPTER", "TWO_FACTOR_SMS_GATEWAY"])
def test_e008_field_that_no_code_can_have(settings, name):
    setattr(settings, name, f"{__name__}.Mistaken")
    (found,) = [e for e in run_checks(tags=["negin_sms"]) if e.id == "negin_sms.E008"]
    assert found.msg.startswith(f"{__name__}.Mistaken.sms_fields cannot have sender")


@pytest.mark.parametrize("adapter", ["Adapter", "Bare", "NotThere"])
def test_fields_that_can_be_used_and_adapters_of_others(settings, adapter):
    settings.ACCOUNT_ADAPTER = f"{__name__}.{adapter}"
    assert check_code_fields(None) == []
