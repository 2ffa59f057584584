"""Nothing is sent, asked or scheduled by loading the app."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class NeginSmsConfig(AppConfig):
    """The app; its checks are registered when it is ready."""

    name = "negin_sms"
    verbose_name = _("SMS (Negin)")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks."""
        import_module("negin_sms.checks")
        import_module("negin_sms.contrib.checks")
