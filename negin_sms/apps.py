"""Nothing is sent, asked or scheduled by loading the app."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks as django_checks
from django.utils.translation import gettext_lazy as _


class NeginSmsConfig(AppConfig):
    """The app; its checks are registered when it is ready."""

    name = "negin_sms"
    verbose_name = _("SMS (Negin)")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks."""
        from . import checks
        from .contrib.checks import check_code_fields

        checks.register_all()
        django_checks.register(check_code_fields, "negin_sms")
