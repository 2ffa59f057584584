"""What the gateway reported of a message, in the order in which it came."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from negin_sms.choices import ReportSource, state_label

from .message import Message


class DeliveryState(models.Model):
    """One report of the gateway that differs from the last; append-only."""

    message = models.ForeignKey(
        Message,
        verbose_name=_("message"),
        on_delete=models.CASCADE,
        related_name="states",
    )
    code = models.IntegerField(_("state code"))
    reported_at = models.DateTimeField(_("reported at"))
    source = models.CharField(_("source"), max_length=10, choices=ReportSource.choices)

    class Meta:
        verbose_name = _("delivery state")
        verbose_name_plural = _("delivery states")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{state_label(self.code)} ({self.reported_at:%Y-%m-%d %H:%M:%S} UTC)"
