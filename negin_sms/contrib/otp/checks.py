"""What the app's settings must say: negin_sms_otp.E001.

A wrong one would show when somebody wants to log in, and to nobody else.
"""

from __future__ import annotations

import math
from typing import Any

from django.core import checks

from negin_sms.contrib.codes import unfit_fields

from . import conf

_LEAST = {
    "OTP_SMS_TOKEN_VALIDITY": 1,
    "OTP_SMS_COOLDOWN_DURATION": 0,
    "OTP_SMS_THROTTLE_FACTOR": 0,
}


def check_otp_settings(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """E001: the OTP_SMS settings can be used."""
    found = [
        f"{name} must be a number, at least {least}, not {conf.get(name)!r}."
        for name, least in _LEAST.items()
        if not _is_number(conf.get(name), least)
    ]
    if why := unfit_fields(conf.get("OTP_SMS_FIELDS")):
        found.append(f"OTP_SMS_FIELDS {why}")
    return [checks.Error(words, id="negin_sms_otp.E001") for words in found]


def _is_number(value: Any, least: float) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value >= least
