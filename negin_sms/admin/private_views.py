"""The admin's own views of messages, kept out of error reports as ours are."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from negin_sms.error_reports import private_view

from .pages import AdminPart

_HIDDEN = sensitive_post_parameters("mobile", "text", "q")


@method_decorator(_HIDDEN, "changelist_view")
@method_decorator(_HIDDEN, "changeform_view")
class PrivateViews(AdminPart):
    """Hide what was posted, and every variable of every frame below."""

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
