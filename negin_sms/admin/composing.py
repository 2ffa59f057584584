"""Compose, preview, confirm: one message to many, looked at before it costs anything.

Composing writes drafts under a group of their own, which the preview shows and
somebody confirms. Nothing is sent in these requests: that is the dispatcher's.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages as notices
from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters

from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message
from negin_sms.services.operations.health import obstacles
from negin_sms.services.submission import batches
from negin_sms.services.submission.batches import Batch, Drafted

from .action_views import ActionViewsMixin
from .compose_form import ComposeForm
from .displays import hidden_text, ltr, message_text

_LONGEST_OBJECT_REPR = 200
_LISTED = 200
_LEAVE_OUT = "_leave_out"


class ComposingMixin(ActionViewsMixin):
    """The pages that write to many, and the buttons on them."""

    def get_urls(self) -> list[Any]:
        """Add our pages; each checks its own permission."""
        views = (
            ("compose/", self.compose_view, "compose"),
            ("preview/", self.preview_view, "preview"),
            ("preview/confirm/", self.confirm_view, "confirm"),
            ("preview/discard/", self.discard_view, "discard"),
        )
        own = [
            path(route, self.own_view(view), name=self.url_name(name))
            for route, view, name in views
        ]
        return [*own, *super().get_urls()]

    def has_compose_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may write drafts, and see them then."""
        may = self.has_add_permission(request)
        return may and self.has_view_or_change_permission(request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the way to the compose page."""
        context = {"may_compose": self.has_compose_permission(request)}
        return super().changelist_view(request, context | (extra_context or {}))

    @method_decorator(sensitive_post_parameters("recipients", "kept", "text"))
    def compose_view(self, request: HttpRequest) -> HttpResponse:
        """Ask on GET; on POST write drafts, or show what has to be corrected."""
        if not self.has_compose_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return self._compose_page(request, ComposeForm())
        form = ComposeForm(request.POST, request.FILES)
        drafted = None
        if form.is_valid():
            leave_out = _LEAVE_OUT in request.POST
            drafted = form.draft(by=request.user, leave_out=leave_out)
        if drafted is None:
            form.mention_file()
            return self._compose_page(request, form)
        if not drafted.group:
            return self._compose_page(request, form.to_correct(drafted), drafted)
        self._tell_drafted(request, drafted)
        return self._to_preview(drafted.group)

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Show what a batch comes to, before somebody confirms it."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        group = request.GET.get("group", "")
        batch = batches.look_at(group)
        if batch is None:
            words = _("No draft is left here: it was confirmed or discarded before.")
            self.message_user(request, words, notices.INFO)
            return self._to_list(group)
        return self._preview_page(request, batch)

    def confirm_view(self, request: HttpRequest) -> HttpResponse:
        """Queue a batch on POST, as it was shown."""
        if not self.has_send_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        group = request.POST.get("group", "")
        batch = batches.look_at(group)
        if batch and request.POST.get("seen") != _fingerprint(batch):
            words = _("Somebody changed these drafts; look at them again.")
            self.message_user(request, words, notices.WARNING)
            return self._to_preview(group)
        try:
            queued = batches.confirm(group)
        except InvalidMessage as error:
            self.message_user(request, str(error.reason), notices.ERROR)
            return self._to_preview(group)
        self._tell(request, CHANGE, group, _queued_words(queued) if queued else "")
        return self._to_list(group)

    def discard_view(self, request: HttpRequest) -> HttpResponse:
        """Delete a batch's drafts on POST."""
        if not self._may_discard(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        group = request.POST.get("group", "")
        gone = batches.discard(group)
        words = ngettext(
            "%(count)s draft was deleted.", "%(count)s drafts were deleted.", gone
        )
        self._tell(request, DELETION, group, words % {"count": gone} if gone else "")
        return HttpResponseRedirect(self.page_url("changelist"))

    def _may_discard(self, request: HttpRequest) -> bool:
        # has_delete_permission is for one draft at a time, and wants to see it.
        granted = request.user.has_perm(f"{self.opts.app_label}.delete_message")
        return granted and self.has_view_or_change_permission(request)

    def _compose_page(
        self, request: HttpRequest, form: ComposeForm, drafted: Drafted | None = None
    ) -> HttpResponse:
        adminform = AdminForm(form, form.fieldsets, {}, model_admin=self)  # type: ignore[arg-type]
        refused = drafted.refused if drafted else ()
        context = {
            "title": _("Write messages"),
            "form": form,
            "adminform": adminform,
            "media": self.media + adminform.media,
            "drafted": drafted,
            "listed": refused[:_LISTED],
            "unlisted": len(refused[_LISTED:]),
        }
        return self.draw(request, "compose.html", context)

    def _preview_page(self, request: HttpRequest, batch: Batch) -> HttpResponse:
        first = batch.samples[0]
        context = {
            "title": _("Preview"),
            "batch": batch,
            "first": first,
            "is_later": first.send_at is not None and first.send_at > timezone.now(),
            "facts": self._facts(first),
            "samples": [self._sample(request, each) for each in batch.samples],
            "unshown": batch.recipients - len(batch.samples),
            "obstacles": obstacles(first.account),
            "fingerprint": _fingerprint(batch),
            "may_confirm": self.has_send_permission(request),
            "may_discard": self._may_discard(request),
        }
        return self.draw(request, "preview.html", context)

    def _sample(self, request: HttpRequest, message: Message) -> dict[str, object]:
        number = self.may_read_number(request, message)
        text = self.may_read_text(request, message)
        return {
            "mobile": ltr(message.mobile if number else message.masked_mobile),
            "text": message_text(message) if text else hidden_text(message),
            "parts": message.parts,
        }

    def _facts(self, message: Message) -> list[tuple[object, object]]:
        """Return what all messages of a batch have in common."""
        lines = [line for line in (message.line, message.line2) if line]
        shown = [
            ("scenario", message.get_scenario_display()),
            ("line", ltr(", ".join(lines)) if lines else ""),
            ("template", message.template),
            ("account", message.account),
            ("priority", message.get_priority_display()),
            ("group", message.group),
        ]
        labels = {f.name: f.verbose_name for f in self.opts.fields}
        return [
            (labels[name], value) for name, value in shown if value not in (None, "")
        ]

    def _tell_drafted(self, request: HttpRequest, drafted: Drafted) -> None:
        count = len(drafted.kept)
        words = ngettext(
            "%(count)s draft was written.", "%(count)s drafts were written.", count
        )
        self._log(request, ADDITION, drafted.group, words % {"count": count})
        if merged := drafted.merged:
            words = ngettext(
                "%(count)s number stood there more than once; it gets one message.",
                "%(count)s lines repeated a number; each number gets one message.",
                merged,
            )
            self.message_user(request, words % {"count": merged}, notices.INFO)
        if left := len(drafted.refused):
            words = ngettext(
                "%(count)s line was left out.", "%(count)s lines were left out.", left
            )
            self.message_user(request, words % {"count": left}, notices.WARNING)

    def _tell(self, request: HttpRequest, flag: int, group: str, words: str) -> None:
        """Say and write down what was done; no words mean that nothing was left."""
        if words:
            self.message_user(request, words, notices.SUCCESS)
            self._log(request, flag, group, words)
            return
        words = _("No draft is left here: it was confirmed or discarded before.")
        self.message_user(request, words, notices.INFO)

    def _log(self, request: HttpRequest, flag: int, group: str, words: str) -> None:
        # One entry a batch, under its group: every message of it names that group.
        by: Any = request.user.pk
        LogEntry.objects.create(
            user_id=by,
            content_type=ContentType.objects.get_for_model(self.model),
            object_repr=group[:_LONGEST_OBJECT_REPR],
            action_flag=flag,
            change_message=words,
        )

    def _to_preview(self, group: str) -> HttpResponse:
        return HttpResponseRedirect(_with_group(self.page_url("preview"), group))

    def _to_list(self, group: str) -> HttpResponse:
        return HttpResponseRedirect(_with_group(self.page_url("changelist"), group))


def _with_group(url: str, group: str) -> str:
    return f"{url}?{urlencode({'group': group})}"


def _fingerprint(batch: Batch) -> str:
    """Return what a confirmation is good for: so many messages of so many parts."""
    return f"{batch.recipients}-{batch.total_parts}"


def _queued_words(count: int) -> str:
    words = ngettext(
        "%(count)s message was queued. It is sent by a running dispatcher "
        "(manage.py dispatch_sms_queue).",
        "%(count)s messages were queued. They are sent by a running dispatcher "
        "(manage.py dispatch_sms_queue).",
        count,
    )
    return words % {"count": count}
