"""Preview, confirm, discard: what a batch of drafts comes to, before it costs anything.

Confirming names what was seen, and is refused where that is not what would leave.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages as notices
from django.contrib.admin.models import CHANGE, DELETION
from django.core.exceptions import PermissionDenied
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from negin_sms.digits import spoken
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message
from negin_sms.services import confirm_batch
from negin_sms.services.database import write_alias
from negin_sms.services.dispatch.foresight import unreached
from negin_sms.services.operations.health.judgement import obstacles
from negin_sms.services.statistics.batch_progress import latest_batches, rows_of_batch
from negin_sms.services.submission import batches
from negin_sms.services.submission.batches import Batch

from .action_words import queued_count_words, scheduled_count_words
from .batch_pages import BatchMixin
from .displays import hidden_text, lines_of, ltr, message_text
from .estimates import batch_estimate
from .history import HistoryMixin
from .preview_warnings import (
    cap_warnings,
    delay_warnings,
    draft_warnings,
    length_warnings,
    opt_out_warnings,
    past_warnings,
    unlike_warnings,
)
from .waiting import is_scheduled, lifetime_words

_IGNORE_CAPS = "ignore_caps"  # in the form, and in the permission


class PreviewMixin(HistoryMixin, BatchMixin):
    """The pages of a batch of drafts, and of all that nobody confirmed yet."""

    def get_urls(self) -> list[Any]:
        """Add our pages; each checks its own permission."""
        return [
            self.own_path("batches/", self.batches_view, "batches"),
            self.own_path("preview/", self.preview_view, "preview"),
            self.own_path("preview/confirm/", self.confirm_view, "confirm"),
            self.own_path("preview/discard/", self.discard_view, "discard"),
            *super().get_urls(),
        ]

    def has_compose_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may write drafts, and see them then."""
        may = self.has_add_permission(request)
        return may and self.has_view_or_change_permission(request)

    def has_ignore_caps_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may let a batch leave in spite of the caps."""
        return self._may(request, _IGNORE_CAPS, None)

    def may_edit_batch(self, request: HttpRequest, group: str) -> bool:
        """Return whether the user may see, and so write anew, all of these drafts."""
        if not self.has_compose_permission(request):
            return False
        strangers = batches.drafts_of(group).exclude(created_by=request.user.pk)
        if not self.has_view_sensitive_permission(request):
            return not strangers.exists()
        return not strangers.filter(sensitive=True).exists()

    def batches_view(self, request: HttpRequest) -> HttpResponse:
        """List the batches that wait for somebody to confirm them, and the latest."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        waiting = [
            (batch, _with_group(self.page_url("preview"), batch.group))
            for batch in batches.unconfirmed()
        ]
        rows: Any = self.get_queryset(request)
        latest = [
            (batch, self.batch_url(batch.group)) for batch in latest_batches(rows)
        ]
        context = {
            "title": _("Batches"),
            "waiting": waiting,
            "is_capped": len(waiting) >= batches.LISTED,
            "latest": latest,
        }
        return self.draw(request, "message/batches.html", context)

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Show what a batch comes to, before somebody confirms it."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        group = request.GET.get("group", "")
        batch = batches.look_at(group)
        if batch is None:
            self.tell_that_nothing_is_left(request)
            return self.to_batch(group)
        return self._preview_page(request, batch)

    def confirm_view(self, request: HttpRequest) -> HttpResponse:
        """Queue a batch on POST, as it was shown."""
        if not self.has_send_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        ignores = _IGNORE_CAPS in request.POST
        if ignores and not self.has_ignore_caps_permission(request):
            raise PermissionDenied
        group, seen = (request.POST.get(name, "") for name in ("group", "seen"))
        leaves_at = batches.leaves_at(group)
        try:
            queued = confirm_batch(group, seen=seen, ignore_caps=ignores)
        except InvalidMessage as error:
            self.message_user(request, str(error.reason), notices.ERROR)
            return self.to_preview(group)
        words = _confirmed_words(queued, leaves_at, ignores=ignores)
        self._tell(request, CHANGE, group, words)
        return self.to_batch(group)

    def discard_view(self, request: HttpRequest) -> HttpResponse:
        """Ask on GET; on POST delete a batch's drafts."""
        if not self._may_discard(request):
            raise PermissionDenied
        group = request.POST.get("group", request.GET.get("group", ""))
        count = batches.drafts_of(group).count()
        if request.method != "POST" and count:
            return self._discard_page(request, group, count)
        gone = batches.discard(group) if request.method == "POST" else 0
        words = ngettext(
            "%(count)s draft was deleted.", "%(count)s drafts were deleted.", gone
        )
        self._tell(request, DELETION, group, words % {"count": gone} if gone else "")
        return HttpResponseRedirect(self.page_url("changelist"))

    def _may_discard(self, request: HttpRequest) -> bool:
        # has_delete_permission is for one draft at a time, and wants to see it.
        return self._may(request, "delete", None)

    def _discard_page(
        self, request: HttpRequest, group: str, count: int
    ) -> HttpResponse:
        context = {
            "title": _("Delete these drafts?"),
            "group": group,
            "count": count,
            "back_url": _with_group(self.page_url("preview"), group),
        }
        return self.draw(request, "message/discard.html", context)

    def _preview_page(self, request: HttpRequest, batch: Batch) -> HttpResponse:
        first = batch.samples[0]
        found = unreached(batches.drafts_of(batch.group), first.account)
        over_caps = cap_warnings(found)
        context = {
            "title": _("Preview"),
            "batch": batch,
            "first": first,
            "estimate": batch_estimate(batch),
            "waits": batches.leaves_at(batch.group) is not None,
            "first_leaves_at": first.send_at if is_scheduled(first) else None,
            "lifetime": lifetime_words(first.expires_at - first.begins_at),
            "facts": self._facts(first),
            "samples": [self._sample(request, each) for each in batch.samples],
            "unshown": batch.recipients - len(batch.samples),
            "obstacles": obstacles(first.account),
            "warnings": [
                *over_caps,
                *opt_out_warnings(found, first.account),
                *self._warnings(request, batch),
            ],
            "may_ignore_caps": over_caps and self.has_ignore_caps_permission(request),
            "may_confirm": self.has_send_permission(request),
            "discard_url": self._discard_url(request, batch.group),
            "edit_url": self._edit_url(request, batch.group),
        }
        return self.draw(request, "message/preview.html", context)

    def _warnings(self, request: HttpRequest, batch: Batch) -> list[str]:
        readable = [m.text for m in batch.samples if self.may_read_text(request, m)]
        first, drafts = batch.samples[0], batches.drafts_of(batch.group)
        return [
            *unlike_warnings(drafts, _("Shown is the first; each leaves as it is.")),
            *past_warnings(first),
            *delay_warnings(first),
            *draft_warnings(drafts, first),
            *length_warnings(readable),
        ]

    def _discard_url(self, request: HttpRequest, group: str) -> str:
        url = _with_group(self.page_url("discard"), group)
        return url if self._may_discard(request) else ""

    def _edit_url(self, request: HttpRequest, group: str) -> str:
        url = f"{self.page_url('compose')}?{urlencode({'edit': group})}"
        return url if self.may_edit_batch(request, group) else ""

    def _sample(self, request: HttpRequest, message: Message) -> dict[str, object]:
        number = self.may_read_number(request, message)
        text = self.may_read_text(request, message)
        hidden = self.may_reveal(request, message)
        return {
            "mobile": ltr(message.mobile if number else message.masked_mobile),
            "text": message_text(message) if text else hidden_text(message),
            "parts": message.parts,
            "reveal_url": self.page_url("reveal", message.pk) if hidden else "",
        }

    def _facts(self, message: Message) -> list[tuple[object, object]]:
        """Return what all messages of a batch have in common."""
        lines = [(ltr(line),) for line in lines_of(message) if line]
        number = message.template
        shown = [
            ("scenario", message.get_scenario_display()),
            ("line", format_html_join(" · ", "{}", lines)),
            ("template", "" if number is None else spoken(number)),
            ("account", message.account),
            ("priority", message.get_priority_display()),
            ("group", message.group),
        ]
        labels = {f.name: f.verbose_name for f in self.opts.fields}
        return [(labels[name], value) for name, value in shown if value]

    def _tell(self, request: HttpRequest, flag: int, group: str, words: str) -> None:
        """Say and write down what was done; no words mean that nothing was left."""
        if words:
            self.message_user(request, words, notices.SUCCESS)
            self.log_many(request, flag, group, words)
            return
        self.tell_that_nothing_is_left(request)

    def tell_that_nothing_is_left(self, request: HttpRequest) -> None:
        """Say why there is nothing to see or to do."""
        words = _(
            "No draft is left here: it was confirmed, cancelled, discarded or edited "
            "meanwhile. What was edited is under “Unconfirmed batches”."
        )
        self.message_user(request, words, notices.INFO)

    def to_preview(self, group: str) -> HttpResponse:
        """Lead to the preview of a batch."""
        return HttpResponseRedirect(self.preview_url(group))

    def preview_url(self, group: str) -> str:
        """Return the address of a batch's preview."""
        return _with_group(self.page_url("preview"), group)

    def to_batch(self, group: str) -> HttpResponse:
        """Lead to what became of a batch; to all of them where none of it is left."""
        is_left = rows_of_batch(Message.objects.using(write_alias()), group).exists()
        url = self.batch_url(group) if is_left else self.page_url("batches")
        return HttpResponseRedirect(url)


def _with_group(url: str, group: str) -> str:
    return f"{url}?{urlencode({'group': group})}"


def _confirmed_words(queued: int, leaves_at: datetime | None, *, ignores: bool) -> str:
    """Say how many were queued and when they leave; nothing where none was left."""
    if not queued:
        return ""
    words = queued_count_words(queued)
    if leaves_at:
        words = scheduled_count_words(queued, leaves_at)
    anyway = ngettext(
        "It leaves in spite of the caps.", "They leave in spite of the caps.", queued
    )
    return f"{words} {anyway}" if ignores else words
