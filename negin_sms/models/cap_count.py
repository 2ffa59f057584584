"""How much of a cap is used up."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from negin_sms.phones import mask_mobile


class CapCount(models.Model):
    """How many messages one period has seen, of a number or of an account."""

    account = models.CharField(_("account"), max_length=64)
    mobile = models.CharField(_("mobile"), max_length=16, blank=True)
    seconds = models.PositiveIntegerField(_("length in seconds"))
    began_at = models.DateTimeField(_("began at"), db_index=True)
    messages = models.PositiveIntegerField(_("messages"))

    class Meta:
        verbose_name = _("cap count")
        verbose_name_plural = _("cap counts")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["account", "mobile", "seconds", "began_at"],
                name="negin_sms_cap_period",
            )
        ]

    def __str__(self) -> str:
        whose = mask_mobile(self.mobile) if self.mobile else self.account
        return f"{whose}: {self.messages}"
