"""The app's settings, named as django-otp names those of its own devices."""

from __future__ import annotations

from typing import Any

from django.conf import settings

DEFAULTS: dict[str, Any] = {
    "OTP_SMS_TOKEN_VALIDITY": 300,  # seconds in which a code can be used
    "OTP_SMS_COOLDOWN_DURATION": 60,  # seconds between two codes; 0: none
    "OTP_SMS_THROTTLE_FACTOR": 1,  # seconds, doubled at each wrong code; 0: never
    "OTP_SMS_FIELDS": {},  # more fields of send_sms
}


def get(name: str) -> Any:
    """Return a setting or its default."""
    return getattr(settings, name, DEFAULTS[name])
