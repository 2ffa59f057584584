"""Who sees what: numbers, texts, and the search by number.

All of it takes the right ``view_sensitive_message``. Who writes a draft knows it, so
it is open to its author; a draft of somebody else is edited by those with the right.
The text of a message that is marked sensitive stays hidden even from them, until
they press a button, which is written into the message's history.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_variables

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.error_reports import PrivateViews
from negin_sms.models import Message

from .displays import message_text, status_badge
from .lookups import ListedLookups
from .private_search import PrivateSearch
from .search_terms import NEWEST, search_condition


class PrivacyMixin(ListedLookups, PrivateSearch, PrivateViews):
    """The rights to see, the search, and the page that reveals a text."""

    search_fields = ["mobile", "gateway_id"]
    search_help_text = gettext_lazy(
        "Its number, its gateway id, its batch, or the last four digits of the phone "
        "number. Whole numbers and texts are searched by those who may see them."
    )

    def get_urls(self) -> list[Any]:
        """Add the page that reveals a text."""
        own = self.own_path("<int:object_id>/reveal/", self.reveal_view, "reveal")
        return [own, *super().get_urls()]

    def has_view_sensitive_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may see numbers and texts of what they see."""
        granted = request.user.has_perm(f"{self.opts.app_label}.view_sensitive_message")
        return granted and self.has_view_or_change_permission(request)

    def may_read_number(self, request: HttpRequest, message: Message) -> bool:
        """Return whether the user sees the whole number of a message."""
        own = _is_own_draft(request, message)
        return own or self.has_view_sensitive_permission(request)

    def may_read_text(self, request: HttpRequest, message: Message) -> bool:
        """Return whether the user sees the text of a message without asking."""
        if _is_own_draft(request, message):
            return True
        return self.has_view_sensitive_permission(request) and not message.sensitive

    def may_reveal(self, request: HttpRequest, message: Message) -> bool:
        """Return whether there is a hidden text, and the user may ask for it."""
        hidden = message.sensitive and message.redacted_at is None
        hidden = hidden and not self.may_read_text(request, message)
        return hidden and self.has_view_sensitive_permission(request)

    @sensitive_variables()
    def reveal_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Ask on GET; on POST write it down and show the text, in this one answer."""
        if not self.has_view_sensitive_permission(request):
            raise PermissionDenied
        message = self.get_visible(request, object_id)
        if not self.may_reveal(request, message):
            self.warn(request, _("This message has no hidden text."))
            return self.redirect(request, self.page_url("change", object_id))
        revealed = request.method == "POST"
        if revealed:
            self.log(request, [message], _("The text was revealed."))
        context = {
            "title": _("Text of message %(pk)s") % {"pk": message.pk},
            "message_pk": message.pk,
            "status": status_badge(message),
            "masked_mobile": message.masked_mobile,
            "text": message_text(message) if revealed else None,
            "back_url": self.with_filters(request, self.page_url("change", object_id)),
        }
        return self.draw(request, "message/reveal.html", context)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Show texts to those who may see them, the account where there are several."""
        unseen = set() if len(conf.get_accounts()) > 1 else {"account"}
        if not self.has_view_sensitive_permission(request):
            unseen.add("text_preview")
        return [
            name for name in super().get_list_display(request) if name not in unseen
        ]

    def condition_for(
        self, request: HttpRequest, queryset: QuerySet[Message], term: str
    ) -> Q | None:
        """Search by what an operator has at hand, as far as they may see it."""
        numbers = self.has_view_sensitive_permission(request)
        return search_condition(term, queryset, numbers=numbers)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Say what can be searched for."""
        changelist: Any = super().get_changelist_instance(request)
        if self.has_view_sensitive_permission(request):
            changelist.search_help_text = _(
                "Its number, its gateway id, its batch, a phone number in any "
                "spelling, its last four to seven digits, or words of the text; the "
                "last two among the newest %(count)s messages."
            ) % {"count": f"{NEWEST:,}"}
        return changelist


def _is_own_draft(request: HttpRequest, message: Message) -> bool:
    return message.status == Status.DRAFT and message.created_by_id == request.user.pk
