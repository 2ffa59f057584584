"""Who did what: of a message alone, and of the batch that it came with."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import PAGE_VAR
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q
from django.http import HttpRequest, HttpResponse

from negin_sms.error_reports import private_view
from negin_sms.models import Message

from .pages import LONGEST_NAME, PagesMixin

# Between the database's clock, by which a message was made, and this machine's.
_CLOCKS_DIFFER = timedelta(minutes=1)
_A_PAGE = 100  # as many as Django's own page of a history has


class HistoryMixin(PagesMixin):
    """The history's page, with the entries that a batch has as a whole."""

    @private_view
    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Show what was done to a message, its batch's writing and sending included."""
        message: Message | None = self.get_object(request, unquote(object_id))
        context = self._entries(request, message) if message and message.group else {}
        return super().history_view(
            request, object_id, extra_context=context | (extra_context or {})
        )

    def _entries(self, request: HttpRequest, message: Message) -> dict[str, Any]:
        # What was done before it was there was done to others. Of one that came with
        # the batch, the writing stands there a moment later.
        since = message.created_at
        if message.resend_of_id is None:
            since -= _CLOCKS_DIFFER
        name = message.group[:LONGEST_NAME]
        of_batch = Q(object_id=None, object_repr=name, action_time__gte=since)
        of_model = ContentType.objects.get_for_model(self.model)
        entries = LogEntry.objects.filter(content_type=of_model)
        entries = entries.filter(Q(object_id=str(message.pk)) | of_batch)
        entries = entries.select_related("user", "content_type")
        paginator = self.get_paginator(
            request, entries.order_by("action_time"), _A_PAGE
        )
        page = paginator.get_page(request.GET.get(PAGE_VAR, 1))
        return {
            "action_list": page,
            "page_range": paginator.get_elided_page_range(page.number),
            "pagination_required": paginator.count > _A_PAGE,
        }
