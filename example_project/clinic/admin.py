"""The desk of the clinic: visits remind by themselves, patients are written to."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from negin_sms.admin import SmsRecipientsMixin

from .models import Patient, Visit
from .reminders import forget, readdress, remind


@admin.register(Patient)
class PatientAdmin(SmsRecipientsMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    """Select some, "Write to these…"; {name} stands for the name of each."""

    list_display = ["full_name", "mobile"]
    search_fields = ["full_name", "mobile"]
    sms_columns = {"name": "full_name"}

    def save_model(self, request: Any, obj: Patient, form: Any, change: bool) -> None:
        """Let what waits go to a new number, in the same transaction."""
        super().save_model(request, obj, form, change)
        if change and "mobile" in form.changed_data:
            readdress(obj, request.user)


@admin.register(Visit)
class VisitAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A visit that is new or changed is reminded of; one that is deleted is not."""

    list_display = ["patient", "begins_at"]

    def save_model(self, request: Any, obj: Visit, form: Any, change: bool) -> None:
        """Remind of the visit at its new time, in the same transaction."""
        super().save_model(request, obj, form, change)
        if form.changed_data:
            remind(obj)

    def delete_model(self, request: Any, obj: Visit) -> None:
        """Cancel what was not sent yet."""
        forget(obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: Any, queryset: Any) -> None:
        """Cancel what was not sent yet, of each."""
        for visit in queryset:
            forget(visit)
        super().delete_queryset(request, queryset)
