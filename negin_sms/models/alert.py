"""What somebody was told of already."""

from __future__ import annotations

from django.db import models


class Alert(models.Model):
    """A finding that has begun and is not over; shared by all processes.

    ``told_at`` is empty until somebody was told, so that they are told once.
    """

    code = models.CharField(max_length=32)
    account = models.CharField(max_length=64, blank=True)
    severity = models.CharField(max_length=10)
    text = models.TextField()
    began_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["code", "account"], name="negin_sms_alert_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.account or '*'} {self.code}"
