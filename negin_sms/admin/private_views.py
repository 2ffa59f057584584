"""The admin's own views of messages, kept out of error reports as ours are."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from negin_sms.error_reports import private_view

from .pages import AdminPart


class PrivateViews(AdminPart):
    """Hide every variable of every frame below."""

    @private_view
    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Draw the list."""
        return super().changelist_view(request, *args, **kwargs)

    @private_view
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Draw a message, or save a draft."""
        return super().changeform_view(request, *args, **kwargs)

    @private_view
    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Delete a draft."""
        return super().delete_view(request, *args, **kwargs)

    @private_view
    def history_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Draw a message's history."""
        return super().history_view(request, *args, **kwargs)
