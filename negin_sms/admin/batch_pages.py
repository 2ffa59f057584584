"""A batch's page: how far it has come, what failed and why, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages as notices
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_safe

from negin_sms.choices import State, Status
from negin_sms.digits import spoken
from negin_sms.models import Message
from negin_sms.services.statistics.batch_progress import (
    MOST_COUNTED,
    BatchProgress,
    batch_progress,
    failed_of,
    rows_of_batch,
    waiting_of,
)

from .actions import CANCEL, RESEND, MessageAction
from .editing import EditingMixin
from .pages import BATCH

_WORDS: dict[str, Any] = {
    **{status.value: status.label for status in Status},
    "on_its_way": gettext_lazy("Accepted, on its way"),
    "no_report": pgettext_lazy("delivery state", "No report"),
    "delivered": State.DELIVERED.label,
    "undelivered": State.UNDELIVERED.label,
    "refused": State.REFUSED.label,
}


class BatchMixin(EditingMixin):
    """The page of a group, and the two questions that are asked of a part of it."""

    def get_urls(self) -> list[Any]:
        """Add our pages."""
        views = (
            ("batch/", self.batch_view, "batch"),
            ("batch/resend/", self.resend_batch_view, "batch_resend"),
            ("batch/cancel/", self.cancel_batch_view, "batch_cancel"),
        )
        own = [self.own_path(route, require_safe(view), n) for route, view, n in views]
        return [*own, *super().get_urls()]

    def batch_view(self, request: HttpRequest) -> HttpResponse:
        """Show how far a batch has come."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        group = request.GET.get(BATCH, "")
        progress = batch_progress(self._batch(request, group))
        if not progress.total:
            self.warn(request, _("There is no message in this batch any more."))
            return HttpResponseRedirect(self.page_url("batches"))
        context = {
            "title": _("How far the batch is"),
            "group": group,
            "progress": progress,
            "limit": MOST_COUNTED,
            "standings": [
                (name, _WORDS[name], count)
                for name, count in progress.standings.items()
                if count
            ],
            "failures": self._failures(group, progress),
            "list_url": self._list_url(group),
            **self._ways_on(request, group, progress),
        }
        return self.draw(request, "message/batch.html", context)

    def resend_batch_view(self, request: HttpRequest) -> HttpResponse:
        """Ask whether to send again what failed, the oldest first."""
        group = self._group_for(request, RESEND)
        failed = failed_of(self._batch(request, group))
        return self._ask(request, RESEND, group, failed)

    def cancel_batch_view(self, request: HttpRequest) -> HttpResponse:
        """Ask whether to cancel what has not left."""
        group = self._group_for(request, CANCEL)
        waiting = waiting_of(self._batch(request, group))
        return self._ask(request, CANCEL, group, waiting)

    def _group_for(self, request: HttpRequest, action: MessageAction) -> str:
        self._refuse_unpermitted(request, action)
        return request.GET.get(BATCH, "")

    def _ask(
        self, request: HttpRequest, action: MessageAction, group: str, rows: Any
    ) -> HttpResponse:
        chosen: Sequence[Message] = list(rows[: action.limit + 1])
        if not chosen:
            self.warn(request, _("Nothing is left to do here."))
            return HttpResponseRedirect(self.batch_url(group))
        if len(chosen) > action.limit:
            words = _("These are the first %(limit)s; come again for the others.")
            self.message_user(request, words % {"limit": action.limit}, notices.INFO)
        return self.confirmation(request, action, chosen[: action.limit])

    def _batch(self, request: HttpRequest, group: str) -> Any:
        rows: Any = self.get_queryset(request)
        return rows_of_batch(rows, group)

    def _ways_on(
        self, request: HttpRequest, group: str, progress: BatchProgress
    ) -> dict[str, Any]:
        """Return the addresses of the buttons that fit the batch and the user."""
        resends = progress.to_resend and self._is_permitted(request, RESEND)
        cancels = progress.waiting and self._is_permitted(request, CANCEL)
        preview = f"{self.page_url('preview')}?{urlencode({'group': group})}"
        return {
            "resend_url": self.batch_url(group, "batch_resend") if resends else "",
            "cancel_url": self.batch_url(group, "batch_cancel") if cancels else "",
            "preview_url": preview if progress.standings[Status.DRAFT] else "",
        }

    def _failures(
        self, group: str, progress: BatchProgress
    ) -> list[tuple[object, str, int, str]]:
        """Return each failure with the address of its messages in the list."""
        return [
            (
                _WORDS[each.standing],
                spoken(each.reason or _("Without a reason")),
                each.count,
                self._list_url(group, **_filter_of(each.standing)),
            )
            for each in progress.failures
        ]

    def _list_url(self, group: str, **chosen: str) -> str:
        query = urlencode({"group": group, **chosen})
        return f"{self.page_url('changelist')}?{query}"


def _filter_of(standing: str) -> dict[str, str]:
    """Return what the list's filters say for a standing that is a failure."""
    states = {"undelivered": State.UNDELIVERED, "refused": State.REFUSED}
    if standing in states:
        return {"state": str(states[standing].value)}
    return {"status__exact": standing}
