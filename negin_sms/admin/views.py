"""Our own pages behind the buttons: a question on GET, the service on POST.

They stand outside any transaction, whatever ATOMIC_REQUESTS says: what is sent
has to be durable first. The admin's own views are atomic, so an action or "Save
and send" only leads here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib import messages as notices
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.db import connections, transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from negin_sms.choices import Status
from negin_sms.models import Message

from .displays import ltr, shown_text, status_badge
from .operations import AT_ONCE, OPERATIONS, REFRESH, SEND, Operation, carry_out

_LISTED = 10
_LONGEST_KEY = 18  # digits; longer ones fit no primary key


class OperationsMixin(admin.ModelAdmin):
    """The operations as actions of the list and as buttons of a message's page."""

    actions = ["send_selected", "refresh_selected"]

    def get_urls(self) -> list[Any]:
        """Add a page for each operation, for one message and for many."""
        own = [url for each in OPERATIONS for url in self._operation_urls(each)]
        return [*own, *super().get_urls()]

    def has_send_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may send what they see."""
        return self._may(request, SEND, obj)

    def has_refresh_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may ask for the state of what they see."""
        return self._may(request, REFRESH, obj)

    @admin.action(
        permissions=["send"], description=gettext_lazy("Send selected messages")
    )
    def send_selected(
        self, request: HttpRequest, queryset: QuerySet[Message]
    ) -> HttpResponse | None:
        """Ask before the selected messages are sent."""
        return self._ask_for_selected(request, SEND, queryset)

    @admin.action(
        permissions=["refresh"], description=gettext_lazy("Refresh delivery state")
    )
    def refresh_selected(
        self, request: HttpRequest, queryset: QuerySet[Message]
    ) -> HttpResponse | None:
        """Ask before the gateway is asked about the selected messages."""
        return self._ask_for_selected(request, REFRESH, queryset)

    def operation_view(
        self, request: HttpRequest, operation: Operation, object_id: int
    ) -> HttpResponse:
        """Ask on GET, carry out on POST, for one message."""
        self._refuse_unpermitted(request, operation)
        message = self.get_object(request, str(object_id))
        if message is None:
            raise Http404
        self._refuse_unpermitted(request, operation, message)
        if request.method != "POST":
            page = self._page(operation.name, object_id)
            return self._question(request, operation, [message], page)
        self._carry_out(request, operation, [message])
        return self._redirect(request, self._page("change", object_id))

    def operation_on_selected_view(
        self, request: HttpRequest, operation: Operation
    ) -> HttpResponse:
        """Carry out on POST, for the messages of the hidden field."""
        self._refuse_unpermitted(request, operation)
        chosen = self._posted(request)
        for message in chosen:
            self._refuse_unpermitted(request, operation, message)
        if chosen:
            self._carry_out(request, operation, chosen)
        return self._redirect(request, self._page("changelist"))

    def operation_buttons(
        self, request: HttpRequest, message: Message
    ) -> list[dict[str, Any]]:
        """Return the buttons that fit a message and that the user may press."""
        return [
            {
                "label": each.label,
                "url": self.operation_url(request, each, message),
                "asks_first": each.asks_first,
            }
            for each in OPERATIONS
            if each.fits(message) and self._is_permitted(request, each, message)
        ]

    def operation_url(
        self, request: HttpRequest, operation: Operation, message: Message
    ) -> str:
        """Return the address of an operation's page, list filters included."""
        return self._filtered(request, self._page(operation.name, message.pk))

    def _operation_urls(self, operation: Operation) -> list[URLPattern]:
        name = operation.name
        extra = {"operation": operation}
        views = (
            (f"<int:object_id>/{name}/", self.operation_view, name),
            (f"{name}/", self.operation_on_selected_view, f"{name}_selected"),
        )
        return [
            path(route, self._own(view), extra, f"{self._base}_{suffix}")
            for route, view, suffix in views
        ]

    def _own(self, view: Any) -> Any:
        """Guard a view as the admin's, and keep it out of every transaction."""
        guarded = self.admin_site.admin_view(view)
        for alias in connections:
            guarded = transaction.non_atomic_requests(using=alias)(guarded)
        return guarded

    @property
    def _base(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}"

    def _page(self, name: str, *args: Any) -> str:
        address = f"admin:{self._base}_{name}"
        return reverse(address, args=args, current_app=self.admin_site.name)

    def _filtered(self, request: HttpRequest, url: str) -> str:
        filters = self.get_preserved_filters(request)
        return add_preserved_filters(
            {"opts": self.opts, "preserved_filters": filters}, url
        )

    def _redirect(self, request: HttpRequest, url: str) -> HttpResponse:
        return HttpResponseRedirect(self._filtered(request, url))

    def _may(self, request: HttpRequest, operation: Operation, obj: Any) -> bool:
        codename = get_permission_codename(operation.name, self.opts)
        granted = request.user.has_perm(f"{self.opts.app_label}.{codename}")
        return granted and self.has_view_or_change_permission(request, obj)

    def _is_permitted(
        self, request: HttpRequest, operation: Operation, obj: Message | None = None
    ) -> bool:
        return bool(getattr(self, f"has_{operation.name}_permission")(request, obj))

    def _refuse_unpermitted(
        self, request: HttpRequest, operation: Operation, obj: Message | None = None
    ) -> None:
        if not self._is_permitted(request, operation, obj):
            raise PermissionDenied

    def _posted(self, request: HttpRequest) -> list[Message]:
        keys = request.POST.get("ids", "").split(",")
        sane = [
            int(key)
            for key in keys
            if key.isascii() and key.isdigit() and len(key) <= _LONGEST_KEY
        ]
        return list(self.get_queryset(request).filter(pk__in=sane).order_by("pk"))

    def _carry_out(
        self, request: HttpRequest, operation: Operation, chosen: Sequence[Message]
    ) -> None:
        outcome = carry_out(operation, chosen)
        for level, words in outcome.notices:
            self.message_user(request, words, level)
        by: Any = request.user.pk
        for words, rows in outcome.history:
            entry = f"{operation.label}: {words}"
            LogEntry.objects.log_actions(by, rows, CHANGE, entry)

    def _ask_for_selected(
        self, request: HttpRequest, operation: Operation, queryset: QuerySet[Message]
    ) -> HttpResponse | None:
        chosen = list(queryset.order_by("pk")[: operation.limit + 1])
        if len(chosen) > operation.limit:
            words = _("Select at most %(limit)s messages at a time.")
            notice = words % {"limit": operation.limit}
            self.message_user(request, notice, notices.WARNING)
            return None
        page = self._page(f"{operation.name}_selected")
        return self._question(request, operation, chosen, page)

    def _question(
        self,
        request: HttpRequest,
        operation: Operation,
        chosen: Sequence[Message],
        page: str,
    ) -> HttpResponse:
        """Show what will be done to which messages, with the button that does it."""
        alone = chosen[0] if len(chosen) == 1 else None
        back = self._page("change", alone.pk) if alone else self._page("changelist")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
            "title": operation.question,
            "operation": operation,
            "ids": ",".join(str(message.pk) for message in chosen),
            "action_url": self._filtered(request, page),
            "back_url": self._filtered(request, back),
            "fields": self._details(request, alone) if alone else [],
            "statuses": Counter(m.get_status_display() for m in chosen).items(),
            "listed": chosen[:_LISTED],
            "unlisted": len(chosen) - len(chosen[:_LISTED]),
            "unfit": sum(not operation.fits(message) for message in chosen),
            "is_queued": operation is SEND and len(chosen) > AT_ONCE,
        }
        return TemplateResponse(
            request, "admin/negin_sms/message/question.html", context
        )

    def _details(
        self, request: HttpRequest, message: Message
    ) -> list[tuple[object, object]]:
        """Return what somebody has to see of a message before it goes out."""
        trusted = self.has_change_permission(request)
        draft = message.status == Status.DRAFT
        mobile = message.mobile if trusted else message.masked_mobile
        text = shown_text(message, sensitive=trusted and draft)
        shown = [
            ("mobile", ltr(mobile)),
            ("text", text),
            ("parts", message.parts),
            ("scenario", message.get_scenario_display()),
            ("account", message.account),
            ("line", ltr(message.line) if message.line else ""),
            ("line2", ltr(message.line2) if message.line2 else ""),
            ("send_at", message.send_at),
            ("status", status_badge(message)),
        ]
        labels = {f.name: f.verbose_name for f in self.opts.fields}
        return [(labels[name], value) for name, value in shown if value]
