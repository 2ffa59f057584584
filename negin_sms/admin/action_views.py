"""Our own pages behind the buttons: a question on GET, the service on POST."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message
from negin_sms.services.database import write_alias

from .actions import (
    ACTIONS,
    CANCEL,
    NOW,
    REFRESH,
    RELEASE,
    RESEND,
    RESOLVE,
    SEEN,
    SEND,
    MessageAction,
    Order,
    carry_out,
)
from .confirmation import ConfirmationMixin
from .paging import COUNT_LIMIT

_LIMITED = gettext_lazy("{label} (up to {limit})")
_LONGEST_KEY = 18  # digits; longer ones fit no primary key


def _list_action(action: MessageAction) -> Any:
    """Return the action that leads from the list to an action's question."""

    def ask(
        model_admin: Any, request: HttpRequest, queryset: QuerySet[Message]
    ) -> HttpResponse | None:
        answer: HttpResponse | None = model_admin.ask_for_selected(
            request, action, queryset
        )
        return answer

    ask.__name__ = f"{action.name}_selected"
    return admin.action(permissions=[action.name], **_wording(action))(ask)


def _wording(action: MessageAction) -> dict[str, Any]:
    """Return how an action is called; from Django 6.1 on, on a message's page, too."""
    label: Any = action.list_label
    if action.limit < COUNT_LIMIT:  # else the list itself offers no more
        label = format_lazy(_LIMITED, label=label, limit=action.limit)
    if not hasattr(admin, "ActionLocation"):
        return {"description": label}
    return {
        "description": action.label,
        "description_plural": label,
        "location": list(admin.ActionLocation),
    }


class ActionViewsMixin(ConfirmationMixin):
    """The operations as actions of the list and as buttons of a message's page."""

    actions = [_list_action(each) for each in ACTIONS]

    def get_urls(self) -> list[Any]:
        """Add a page for each action, for one message and for many."""
        own = [url for each in ACTIONS for url in self._action_urls(each)]
        return [*own, *super().get_urls()]

    def has_send_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may send what they see; what is held they release."""
        may_leave = (
            obj is None or not obj.is_held or self._may(request, RELEASE.name, obj)
        )
        return may_leave and self._may(request, SEND.name, obj)

    def has_refresh_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may ask for the state of what they see."""
        return self._may(request, REFRESH.name, obj)

    def has_cancel_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may cancel what they see."""
        return self._may(request, CANCEL.name, obj)

    def has_release_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may let what is held leave."""
        return self._may(request, RELEASE.name, obj)

    def has_resend_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may send what they see once more."""
        return self._may(request, RESEND.name, obj)

    def has_resolve_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may decide what an uncertain message was."""
        return self._may(request, RESOLVE.name, obj)

    def action_view(
        self, request: HttpRequest, action: MessageAction, object_id: int
    ) -> HttpResponse:
        """Ask on GET, carry out on POST, for one message."""
        self._refuse_unpermitted(request, action)
        message = self.get_visible(request, object_id)
        if not self._is_permitted(request, action, message):
            return self.refuse(request, [message])
        if request.method != "POST":
            if action is RESEND and _was_resent(message):
                # Asked in vain: nothing would be sent.
                self.warn(request, _("It was sent again already."))
                return HttpResponseRedirect(self.way_back(request, message))
            return self.confirmation(request, action, [message])
        answer = self._carry_out(request, action, [message])
        return answer or HttpResponseRedirect(self.way_back(request, message))

    def action_on_selected_view(
        self, request: HttpRequest, action: MessageAction
    ) -> HttpResponse:
        """Carry out on POST, for the messages of the hidden field."""
        self._refuse_unpermitted(request, action)
        chosen = self._posted(request, action)
        if not all(self._is_permitted(request, action, each) for each in chosen):
            return self.refuse(request, chosen)
        answer = self._carry_out(request, action, chosen) if chosen else None
        return answer or HttpResponseRedirect(self.way_back(request, None))

    def ask_for_selected(
        self, request: HttpRequest, action: MessageAction, queryset: QuerySet[Message]
    ) -> HttpResponse | None:
        """Show the question for the rows that were chosen in the list."""
        chosen = list(queryset.order_by("pk")[: action.limit + 1])
        if len(chosen) > action.limit:
            words = _("Select at most %(limit)s messages at a time.")
            self.warn(request, words % {"limit": action.limit})
            return None
        allowed = [m for m in chosen if self._is_permitted(request, action, m)]
        if refused := len(chosen) - len(allowed):
            words = ngettext(
                "%(count)s message is left out: you have no right to do this to it.",
                "%(count)s messages are left out: you have no right to do this to them.",
                refused,
            )
            self.warn(request, words % {"count": refused})
        return self.confirmation(request, action, allowed) if allowed else None

    def action_buttons(
        self, request: HttpRequest, message: Message
    ) -> list[dict[str, Any]]:
        """Return the buttons that fit a message and that the user may press."""
        buttons = [
            self._button(request, each.label, each.name, message, each.asks_first)
            for each in ACTIONS
            if each.fits(message)
            and self._is_permitted(request, each, message)
            and not (each is RESEND and _was_resent(message))
        ]
        if self.may_reveal(request, message):
            label = _("Reveal the text")
            buttons.append(self._button(request, label, "reveal", message, False))
        return buttons

    def _button(
        self,
        request: HttpRequest,
        label: object,
        page: str,
        message: Message,
        asks_first: bool,
    ) -> dict[str, Any]:
        url = self.with_filters(request, self.page_url(page, message.pk))
        return {"label": label, "page_url": url, "asks_first": asks_first}

    def _action_urls(self, action: MessageAction) -> list[URLPattern]:
        name = action.name
        one = (f"<int:object_id>/{name}/", self.action_view, name)
        many = (f"{name}/", self.action_on_selected_view, f"{name}_selected")
        return [self.own_path(*each, action=action) for each in (one, many)]

    def _may(self, request: HttpRequest, name: str, obj: Any) -> bool:
        codename = get_permission_codename(name, self.opts)
        granted = request.user.has_perm(f"{self.opts.app_label}.{codename}")
        return granted and self.has_view_or_change_permission(request, obj)

    def _is_permitted(
        self, request: HttpRequest, action: MessageAction, obj: Message | None = None
    ) -> bool:
        return bool(getattr(self, f"has_{action.name}_permission")(request, obj))

    def _refuse_unpermitted(self, request: HttpRequest, action: MessageAction) -> None:
        if not self._is_permitted(request, action):
            raise PermissionDenied

    def _posted(self, request: HttpRequest, action: MessageAction) -> list[Message]:
        keys = request.POST.get("ids", "").split(",")
        sane = [
            int(key)
            for key in keys
            if key.isascii() and key.isdigit() and len(key) <= _LONGEST_KEY
        ]
        rows = self.get_queryset(request).filter(pk__in=sane[: action.limit])
        return list(rows.order_by("pk"))

    def _carry_out(
        self, request: HttpRequest, action: MessageAction, chosen: Sequence[Message]
    ) -> HttpResponse | None:
        """Do it and tell; ask again where the form, or what was seen, is not valid."""
        posted = request.POST
        decision: dict[str, Any] = {SEEN: posted.get(SEEN, ""), NOW: NOW in posted}
        if action.form:
            form = action.form(request.POST, chosen=chosen)
            if not form.is_valid():
                return self.confirmation(request, action, chosen, form)
            decision = form.cleaned_data
        try:
            outcome = carry_out(action, Order(chosen, request.user, decision))
        except InvalidMessage as changed:
            self.warn(request, changed.reason)
            keys = [message.pk for message in chosen]
            fresh = self.get_queryset(request).filter(pk__in=keys).order_by("pk")
            return self.confirmation(request, action, list(fresh) or chosen)
        for level, words in outcome.notices:
            self.message_user(request, words, level)
        for words, rows in outcome.history:
            self.log(request, rows, f"{action.label}: {words}")
        return None


def _was_resent(message: Message) -> bool:
    return Message.objects.using(write_alias()).filter(resend_of=message.pk).exists()
