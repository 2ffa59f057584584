"""The uncertain messages: what is known of each, and the two ways out."""

from __future__ import annotations

from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from negin_sms.choices import Status
from negin_sms.models import Message
from negin_sms.querysets import MessageQuerySet

from .action_views import ActionViewsMixin
from .actions import RESEND, RESOLVE
from .confirmation import REVIEWING
from .displays import MessageDisplays, duration, status_badge

_PAGE = 50
_LONGEST_KEY = 18


class ReviewMixin(MessageDisplays, ActionViewsMixin):
    """A page of the uncertain messages, newest first, by primary key."""

    def get_urls(self) -> list[Any]:
        """Add the page."""
        own = self.own_path("review/", self.review_view, "review")
        return [own, *super().get_urls()]

    def review_view(self, request: HttpRequest) -> HttpResponse:
        """Show a page of uncertain messages; ``before`` is where the last one ended.

        Those that were sent again are left out unless ``resent`` asks for them.
        """
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        with_resent = "resent" in request.GET
        rows = list(self._uncertain(request, with_resent)[: _PAGE + 1])
        shown, more = rows[:_PAGE], rows[_PAGE:]
        context = {
            "title": _("Uncertain messages"),
            "lines": self._lines(request, shown),
            "with_resent": with_resent,
            "is_first": "before" not in request.GET,
            "older": shown[-1].pk if more else None,
            "list_url": self.page_url("changelist"),
        }
        return self.draw(request, "message/review.html", context)

    def _uncertain(
        self, request: HttpRequest, with_resent: bool
    ) -> QuerySet[Message, Message]:
        rows = cast("MessageQuerySet", self.get_queryset(request))
        rows = rows.filter(status=Status.UNCERTAIN)
        if not with_resent:
            rows = rows.not_resent()
        before = request.GET.get("before", "")
        if before.isascii() and before.isdigit() and len(before) <= _LONGEST_KEY:
            rows = rows.filter(pk__lt=int(before))
        return rows.order_by("-pk").defer("text")

    def _lines(
        self, request: HttpRequest, rows: list[Message]
    ) -> list[dict[str, object]]:
        """Return what the page shows of each message."""
        children = Message.objects.resends_of(row.pk for row in rows)
        resent = {child.resend_of_id: child for child in children.defer("text")}
        return [
            {
                "pk": row.pk,
                "url": self.page_url("change", row.pk),
                "mobile": row.masked_mobile,
                "finished_at": row.finished_at,
                "took": duration(row.exchange_seconds),
                "answer": self.answer(row),
                "resent": self._resend(resent.get(row.pk)),
                "ways_out": self._ways_out(request, row, row.pk in resent),
            }
            for row in rows
        ]

    def _resend(self, child: Message | None) -> dict[str, object] | None:
        if child is None:
            return None
        url = self.page_url("change", child.pk)
        return {"pk": child.pk, "url": url, "status": status_badge(child)}

    def _ways_out(
        self, request: HttpRequest, message: Message, was_resent: bool
    ) -> list[dict[str, Any]]:
        fitting = (RESOLVE,) if was_resent else (RESOLVE, RESEND)
        back = f"?{REVIEWING}=1"
        return [
            {"label": each.label, "url": self.page_url(each.name, message.pk) + back}
            for each in fitting
            if each.fits(message) and self._is_permitted(request, each, message)
        ]
