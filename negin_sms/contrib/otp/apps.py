"""The app beside django_otp in INSTALLED_APPS."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks
from django.utils.translation import gettext_lazy as _


class NeginSmsOtpConfig(AppConfig):
    """SMS devices of users."""

    name = "negin_sms.contrib.otp"
    label = "negin_sms_otp"
    verbose_name = _("One-time passwords by SMS")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the check of the settings."""
        from .checks import check_otp_settings

        checks.register(check_otp_settings, "negin_sms_otp")
