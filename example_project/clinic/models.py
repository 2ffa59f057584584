"""Patients and their visits."""

from __future__ import annotations

from django.db import models


class Patient(models.Model):
    """Somebody with a number."""

    full_name = models.CharField(max_length=100)
    mobile = models.CharField(max_length=20)

    def __str__(self) -> str:
        return self.full_name


class Visit(models.Model):
    """An appointment; ``reminders.remind`` is called where one is new or changed."""

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE)
    begins_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.patient}, {self.begins_at:%Y-%m-%d %H:%M}"

    @property
    def mobile(self) -> str:
        """Return the number that is reminded."""
        return self.patient.mobile
