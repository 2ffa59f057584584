"""The devices of users; their numbers for those who may see numbers."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.widgets import AdminTextInputWidget
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from negin_sms.error_reports import PrivateViews, hide_posted
from negin_sms.phones import mask_mobile

from .models import SMSDevice

SEE_NUMBERS = "negin_sms.view_sensitive_message"


@admin.register(SMSDevice)
class SMSDeviceAdmin(PrivateViews, admin.ModelAdmin):
    """Add and confirm devices; codes are shown to nobody, nor told by error reports."""

    list_display = ["user", "name", "masked", "confirmed"]
    list_filter = ["confirmed"]
    list_select_related = ["user"]
    raw_id_fields = ["user"]
    search_help_text = _("By the name of the user.")

    def get_urls(self) -> list[Any]:
        """Hide what is posted."""
        return hide_posted(super().get_urls())

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Allow the list's own filter: by any other a code is asked digit by digit."""
        return lookup in ("confirmed__exact", "confirmed__isnull")

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        """Search the users' names, whatever their model calls them."""
        return [f"user__{get_user_model().USERNAME_FIELD}"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the number in full only to those who may see numbers."""
        hidden = obj is not None and not request.user.has_perm(SEE_NUMBERS)
        return ["user", "name", "masked" if hidden else "mobile", "confirmed"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Nothing is typed into a number that is not shown."""
        return ["masked"]

    def formfield_for_dbfield(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        """Take long spellings of a number, and show it from left to right."""
        if db_field.name == "mobile":
            widget = AdminTextInputWidget(attrs={"dir": "ltr"})
            kwargs |= {"max_length": 64, "widget": widget}
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    @admin.display(description=_("mobile"))
    def masked(self, device: SMSDevice) -> SafeString:
        """Return the number as people recognise it and nobody can dial it."""
        return format_html('<span dir="ltr">{}</span>', mask_mobile(device.mobile))
