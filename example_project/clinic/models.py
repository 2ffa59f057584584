"""Patients and their visits."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from negin_sms.exceptions import InvalidMessage
from negin_sms.phones import normalize_mobile


def check_mobile(value: str) -> None:
    """Refuse in a form what no message could go to."""
    try:
        normalize_mobile(value)
    except InvalidMessage as error:
        raise ValidationError(str(error.reason)) from None


class Patient(models.Model):
    """Somebody with a number."""

    full_name = models.CharField(max_length=100)
    mobile = models.CharField(max_length=20, validators=[check_mobile])

    def __str__(self) -> str:
        return self.full_name


class Visit(models.Model):
    """An appointment; ``reminders.remind`` is called where one is new or changed."""

    # A cascade would delete visits whose reminders nobody cancels.
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    begins_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.patient}, {timezone.localtime(self.begins_at):%Y-%m-%d %H:%M}"

    @property
    def mobile(self) -> str:
        """Return the number that is reminded."""
        return self.patient.mobile
