"""What the app's settings must say: negin_sms_otp.E001.

A wrong one would show when somebody wants to log in, and to nobody else.
"""

from __future__ import annotations

import math
from typing import Any

from django.core import checks
from django.utils import timezone

from negin_sms.choices import Priority
from negin_sms.contrib.codes import EXPIRES_IN
from negin_sms.exceptions import InvalidConfiguration, InvalidMessage
from negin_sms.services.submission.compose import MessageOptions, compose

from . import conf

# One key for all codes would let the first one out, and no other.
_FIELDS = MessageOptions.__annotations__.keys() - {"idempotency_key"}
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
    fields = conf.get("OTP_SMS_FIELDS")
    if not isinstance(fields, dict):
        found.append("OTP_SMS_FIELDS must be a dictionary.")
    elif unknown := sorted(map(str, fields.keys() - _FIELDS)):
        known = ", ".join(sorted(_FIELDS))
        found.append(f"OTP_SMS_FIELDS cannot have {', '.join(unknown)}, only: {known}.")
    elif refusal := _refusal(fields):
        found.append(f"OTP_SMS_FIELDS cannot be used. {refusal}")
    return [checks.Error(words, id="negin_sms_otp.E001") for words in found]


def _refusal(fields: dict[str, Any]) -> str:
    """Return why no code can be sent with these fields, "" where one can."""
    options = {"expires_in": EXPIRES_IN, **fields}
    options |= {"priority": Priority.URGENT, "sensitive": True}
    try:
        compose("09000000000", "1", now=timezone.now(), **options)
    except InvalidMessage as error:
        return str(error)
    except InvalidConfiguration:
        return ""  # negin_sms.E001 says it
    return ""


def _is_number(value: Any, least: float) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value >= least
