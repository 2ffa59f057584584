"""Messages: drafts are written here, everything else is read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib import messages as notices
from django.contrib.admin.utils import flatten_fieldsets
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from negin_sms.choices import Status
from negin_sms.error_reports import hide_posted
from negin_sms.models import DeliveryState, Message
from negin_sms.services import health

from .actions import ACTIONS, SEND
from .composing import ComposingMixin
from .displays import ReportDisplays, offer
from .editing import SAVE_AND_SEND
from .exports import ExportMixin
from .filters import AccountFilter, GroupFilter, SentFilter, StateFilter
from .forms import DraftForm, lock_draft
from .guide import GuideMixin
from .newest_filters import CodeFilter, LineFilter, ScenarioFilter
from .pages import speak_persian
from .paging import BoundedList, KeyedChangeList
from .reports import ReportMixin
from .review import ReviewMixin

Fieldsets = list[Any]

_DRAFT_FACTS = ("parts", "source", "author", "shown_created_at")
_DRAFT_FIELDSETS: Fieldsets = [
    (None, {"fields": ["account", "mobile", "text", "sensitive"]}),
    (_("Sending"), {"fields": ["scenario", ("line", "line2"), "template"]}),
]
_TIME, _TIME_FIELDS = _("Time and order"), ["send_at", "priority"]
_SENT_FIELDS: list[Any] = [
    ("parts", "is_sensitive"),
    ("scenario", "account", "wished_lines"),
    ("status_badge", "state_badge"),
    "answer",
    "flag_words",
]
_SENT_FIELDSETS: Fieldsets = [
    (
        _("Sending"),
        {
            "fields": [
                ("gateway_number", "sent_line", "attempts"),
                ("priority", "shown_send_at", "shown_due_at"),
                ("shown_expires_at", "shown_finished_at", "exchange_time"),
                ("claim", "shown_claimed_until"),
            ]
        },
    ),
    (
        _("Delivery"),
        {"fields": [("shown_state_at", "shown_poll_at", "shown_settled_at")]},
    ),
    (
        _("Origin"),
        {
            "fields": [
                ("group_link", "source", "idempotency_key"),
                ("author", "shown_created_at"),
                ("original_link", "resend_link"),
            ]
        },
    ),
]


class DeliveryHistory(ReportDisplays, admin.TabularInline):
    """The reports of a message, as they came; append-only."""

    model = DeliveryState
    verbose_name_plural = _("delivery history")
    fields = ["code_badge", "shown_reported_at", "source"]
    readonly_fields = ["code_badge", "shown_reported_at", "source"]
    classes = ["negin-sms-history"]
    can_delete = False
    extra = max_num = 0

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow: who sees the message sees what became of it."""
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: the gateway reports."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: what was reported was reported."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a report goes when its message goes."""
        return False


class MessageAdminMixin(
    BoundedList, ComposingMixin, ReportMixin, ExportMixin, ReviewMixin, GuideMixin
):
    """The list, the drafts, and the page of a message, for any ``ModelAdmin``.

    ``class SmsAdmin(MessageAdminMixin, unfold.admin.ModelAdmin)`` puts them into a
    theme that does not draw our buttons: the actions stand in a field then.
    """

    shows_action_links = True
    form = DraftForm
    inlines = [DeliveryHistory]
    list_display = [
        "number",
        "masked_mobile",
        "text_preview",
        "status_badge",
        "state_badge",
        "listed_created_at",
        "group_link",
        "scenario",
        "account",
    ]
    list_filter = [
        "status",
        StateFilter,
        SentFilter,
        ScenarioFilter,
        AccountFilter,
        LineFilter,
        CodeFilter,
        "flag",
        "sensitive",
        GroupFilter,
    ]
    # The primary key is the order of time; no other column has an index to sort by.
    ordering = ["-id"]
    sortable_by = ["number"]

    class Media:
        css = {"all": ["negin_sms/admin.css"]}
        js = ["negin_sms/search.js", "negin_sms/ticked.js"]

    def get_urls(self) -> list[Any]:
        """Hide what is posted; let every page speak in the digits of its language."""
        return hide_posted(speak_persian(super().get_urls()))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        """Return the list that searches a large table once a page."""
        return KeyedChangeList

    def get_ordering(self, request: HttpRequest) -> Any:
        """Order by the index that finds the rows: old days lie deep in the table."""
        by_day = ["-finished_at", "-id"]
        return by_day if SentFilter.is_chosen(request.GET) else self.ordering

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow for drafts that the user may read: the rest is history, or hidden."""
        allowed = super().has_change_permission(request, obj)
        if obj is None or not allowed:
            return allowed
        return obj.status == Status.DRAFT and self.may_read_text(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow for drafts, one at a time: without an object nothing is offered."""
        is_draft = obj is not None and obj.status == Status.DRAFT
        return is_draft and super().has_delete_permission(request, obj)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Fieldsets:
        """Return the form of a draft, or what is shown of the others."""
        if obj is None:
            return [*_DRAFT_FIELDSETS, (_TIME, {"fields": [*_TIME_FIELDS, "group"]})]
        if self.has_change_permission(request, obj):
            links = ["action_links"] if self.shows_action_links else []
            origin = (_("Origin"), {"fields": ["group_link", _DRAFT_FACTS, *links]})
            return [*_DRAFT_FIELDSETS, (_TIME, {"fields": _TIME_FIELDS}), origin]
        number = self.may_read_number(request, obj)
        text = self.may_read_text(request, obj)
        seen = [
            *(["action_links"] if self.shows_action_links else []),
            "full_mobile" if number else "masked_mobile",
            "shown_text" if text else "hidden_text",
            *(["why_it_waits"] if obj.status in (Status.QUEUED, Status.HELD) else []),
        ]
        return [(None, {"fields": [*seen, *_SENT_FIELDS]}), *_SENT_FIELDSETS]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return everything, but for drafts that the user may change."""
        if obj is None:
            return []
        if self.has_change_permission(request, obj):
            return ["group_link", *_DRAFT_FACTS, "action_links"]
        return flatten_fieldsets(self.get_fieldsets(request, obj))

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Return the history, where there is one."""
        has_history = obj is not None and obj.states.exists()
        return super().get_inlines(request, obj) if has_history else []

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Say above the list what needs a person."""
        context = {
            "findings": SimpleLazyObject(health),  # asked while it is drawn
            "may_see_accounts": request.user.has_perm("negin_sms.view_accountstate"),
            "may_pause": request.user.has_perm("negin_sms.pause_accountstate"),
            "review_url": self.page_url("review"),
        }
        return super().changelist_view(request, context | (extra_context or {}))

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        """Offer the buttons that fit the message and the user."""
        buttons = self.action_buttons(request, obj) if obj else []
        context["action_buttons"] = buttons
        context["action_form"] = _without_ours(context.get("action_form"))
        if obj:
            offer(obj, buttons)
        context["show_save_and_send"] = self._may_save_and_send(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def save_model(
        self, request: HttpRequest, obj: Message, form: Any, change: bool
    ) -> None:
        """Save a draft; a new one is its author's."""
        if not change:
            obj.created_by_id = request.user.pk
            obj.source = "admin"
        super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: Message) -> None:
        """Delete a draft, unless somebody has just sent it."""
        if not lock_draft(obj.pk):
            raise PermissionDenied
        super().delete_model(request, obj)

    def response_add(
        self, request: HttpRequest, obj: Message, post_url_continue: Any = None
    ) -> HttpResponse:
        """Lead to the question whether to send, where that was the button."""
        return self._ask_to_send(request, obj) or super().response_add(
            request, obj, post_url_continue
        )

    def response_change(self, request: HttpRequest, obj: Message) -> HttpResponse:
        """Lead to the question whether to send, where that was the button."""
        return self._ask_to_send(request, obj) or super().response_change(request, obj)

    def _may_save_and_send(self, request: HttpRequest, obj: Any) -> bool:
        may_save = obj is None or self.has_change_permission(request, obj)
        return may_save and self.has_send_permission(request, obj)

    def _ask_to_send(self, request: HttpRequest, obj: Message) -> HttpResponse | None:
        # Saving is still part of this request's transaction, so the sending has to
        # be another request. Who has added a draft need not be able to change it.
        asked = SAVE_AND_SEND in request.POST
        if not asked or not self.has_send_permission(request, obj):
            return None
        words = _("Saved as a draft; it was not sent yet.")
        self.message_user(request, str(words), notices.INFO)
        return self.redirect(request, self.page_url(SEND.name, obj.pk))


@admin.register(Message)
class MessageAdmin(MessageAdminMixin, admin.ModelAdmin):
    """Messages in Django's own admin, with buttons above a message's page."""

    shows_action_links = False


def _without_ours(action_form: Any) -> Any:
    """Take our actions out of Django 6.1's choice of actions for one object.

    They stand beside it as buttons, those that fit. What a project adds stays.
    """
    if action_form is None:
        return None
    ours = {f"{action.name}_selected" for action in ACTIONS}
    action = action_form.fields["action"]
    action.choices = [choice for choice in action.choices if choice[0] not in ours]
    return action_form if any(name for name, _label in action.choices) else None
