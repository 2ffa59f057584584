"""Compose: one message to many, looked at before it costs anything.

Composing writes drafts under a group of their own, which ``previews`` shows and
somebody confirms. Nothing is sent in these requests: that is the dispatcher's.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages as notices
from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.models import ADDITION
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from negin_sms import conf
from negin_sms.services.submission import batches
from negin_sms.services.submission.drafting import Drafted
from negin_sms.services.submission.reopening import reopen
from negin_sms.services.submission.seen import digest

from .actions import SEEN
from .compose_form import ComposeForm, remarks_on
from .pages import speak
from .preview_warnings import unlike_warnings
from .previews import PreviewMixin

_LISTED = 200
_LEAVE_OUT = "_leave_out"
_EDIT = "edit"


class ComposingMixin(PreviewMixin):
    """The page that writes to many, and the button that leads to it."""

    def get_urls(self) -> list[Any]:
        """Add our page, which checks its own permission."""
        own = self.own_path("compose/", self.compose_view, "compose")
        return [own, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the way to the compose page."""
        context = {"may_compose": self.has_compose_permission(request)}
        return super().changelist_view(request, context | (extra_context or {}))

    def compose_view(self, request: HttpRequest) -> HttpResponse:
        """Ask on GET; on POST write drafts, or show what has to be corrected.

        With ``edit``, a group, the page has what its drafts were written of.
        """
        if not self.has_compose_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return self._empty_page(request, request.GET.get(_EDIT, ""))
        form = ComposeForm(request.POST, request.FILES)
        drafted = None
        if form.is_valid():
            if not self.may_edit_batch(request, form.cleaned_data["replaces"]):
                raise PermissionDenied
            leave_out = _LEAVE_OUT in request.POST
            drafted = form.draft(by=request.user, leave_out=leave_out)
        if drafted is None:
            if form.has_error(NON_FIELD_ERRORS, SEEN):
                self._lead_back(request, form.cleaned_data["replaces"])
            form.mention_file()
            return self._compose_page(request, form)
        if not drafted.group:
            return self._compose_page(request, form.to_correct(drafted), drafted)
        self._tell_drafted(request, drafted)
        return self.to_preview(drafted.group)

    def compose_to(self, request: HttpRequest, recipients: str) -> HttpResponse:
        """Show the page with these recipients: a sheet as people would paste it."""
        if not self.has_compose_permission(request):
            raise PermissionDenied
        form = ComposeForm(initial={"recipients": recipients})
        page: HttpResponse = speak(self._compose_page(request, form))
        return page

    def _empty_page(self, request: HttpRequest, group: str) -> HttpResponse:
        if not group:
            return self._compose_page(request, ComposeForm())
        if not self.may_edit_batch(request, group):
            raise PermissionDenied
        rows = batches.drafts_of(group)
        # First: what is shown may be newer than the digest, and is refused then.
        seen = digest(rows)
        drafts = list(rows.order_by("pk"))
        if not drafts:
            self.tell_that_nothing_is_left(request)
            return self.to_batch(group)
        reopened = reopen(drafts, _footer_of(drafts[0].account))
        alike = _(
            "Here all of them have what the first one has; where one is sensitive, all are."
        )
        for remark in (*reopened.remarks, *unlike_warnings(rows, alike)):
            self.message_user(request, remark, notices.INFO)
        return self._compose_page(request, ComposeForm.of(drafts, seen, reopened))

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
            "remarks": remarks_on(drafted) if drafted else [],
            "listed": refused[:_LISTED],
            "unlisted": len(refused[_LISTED:]),
        }
        return self.draw(request, "message/compose.html", context)

    def _lead_back(self, request: HttpRequest, group: str) -> None:
        """Say where a batch can be edited anew that has changed since this page."""
        words = _(
            "This page cannot replace them any more. Press “Edit” on the preview again, "
            "and copy from here what you need:"
        )
        link = format_html(
            '{} <a href="{}">{}</a>', words, self.preview_url(group), _("Preview")
        )
        self.warn(request, link)

    def _tell_drafted(self, request: HttpRequest, drafted: Drafted) -> None:
        for remark in remarks_on(drafted):
            self.message_user(request, remark, notices.INFO)
        if drafted.is_repeat:
            return
        count = len(drafted.kept)
        words = ngettext(
            "%(count)s draft was written.", "%(count)s drafts were written.", count
        )
        self.log_many(request, ADDITION, drafted.group, words % {"count": count})
        if left := len(drafted.refused):
            words = ngettext(
                "%(count)s entry was left out.",
                "%(count)s entries were left out.",
                left,
            )
            self.message_user(request, words % {"count": left}, notices.WARNING)


def _footer_of(alias: str) -> str:
    """Return the footer of an account, which may not be configured any more."""
    footers = {account.alias: account.footer for account in conf.get_accounts()}
    return footers.get(alias, "")
