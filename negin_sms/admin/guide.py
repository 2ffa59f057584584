"""The guide for staff, in the language of the user.

Its text is in ``templates/admin/negin_sms/guide/``, a file for each language, without
template tags: the documentation shows the same files (``docs/_ext/from_guide.py``).
To add a language: a file with the same sections, and its name here.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language, get_language_info
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from .pages import PagesMixin

GUIDES = ("en", "fa")


class GuideMixin(PagesMixin):
    """The page behind "Guide", for those who may see messages."""

    def get_urls(self) -> list[Any]:
        """Add the page."""
        own = self.own_path("guide/", require_safe(self.guide_view), "guide")
        return [own, *super().get_urls()]

    def guide_view(self, request: HttpRequest) -> HttpResponse:
        """Show the guide in the user's language, or else in English."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        wanted = (get_language() or "").partition("-")[0]
        written_in = wanted if wanted in GUIDES else "en"
        context = {
            "title": _("Guide"),
            "text": f"admin/negin_sms/guide/{written_in}.html",
            "written_in": written_in,
            "direction": "rtl" if get_language_info(written_in)["bidi"] else "ltr",
        }
        return self.draw(request, "message/guide.html", context)
