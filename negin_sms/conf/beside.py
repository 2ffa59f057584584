"""The settings beside NEGIN_SMS: who is told of findings, how Persian pages look."""

from __future__ import annotations

from django.conf import settings

from negin_sms.exceptions import InvalidConfiguration

JALALI = "NEGIN_SMS_JALALI"
ALERTS = "NEGIN_SMS_ALERTS"
PERSIAN_DIGITS = "NEGIN_SMS_PERSIAN_DIGITS"

_MAIL_ADMINS = "negin_sms.services.operations.alerts.mail_admins"


def wants_jalali() -> bool:
    """Return whether Persian pages may have Jalali dates; NEGIN_SMS_JALALI says no."""
    return bool(getattr(settings, JALALI, True))


def wants_persian_digits() -> bool:
    """Return whether Persian pages may have Persian digits."""
    return bool(getattr(settings, PERSIAN_DIGITS, True))


def alerts() -> str | None:
    """Return the dotted path of what tells of findings; None where nobody is told."""
    path: str | None = getattr(settings, ALERTS, _MAIL_ADMINS)
    return path


def refuse_no_flags() -> None:
    """Raise InvalidConfiguration for a flag that is neither True nor False.

    "False", as an environment has it, would mean yes.
    """
    for name in (JALALI, PERSIAN_DIGITS):
        value = getattr(settings, name, True)
        if not isinstance(value, bool):
            raise InvalidConfiguration(
                f"{name} must be True or False. What stands there is not (its type: "
                f"{type(value).__name__})."
            )
