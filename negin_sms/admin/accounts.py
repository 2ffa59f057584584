"""How the accounts stand: read here, paused and resumed by the services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib import messages as notices
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from negin_sms.dates import both_words
from negin_sms.exceptions import InvalidMessage
from negin_sms.gateway.cleaning import clean
from negin_sms.models import AccountState
from negin_sms.services import pause_account, resume_account

from .actions import SEEN
from .date_fields import EndField
from .datetime_columns import AccountMoments
from .displays import user_name
from .lookups import ListedLookups
from .pages import PagesMixin, speak_persian

# What a button wants. It says so, as the page may be older than what it shows.
_WANTED, _PAUSE, _RESUME = "wanted", "pause", "resume"
_SHOWN = (
    "account",
    "shown_paused_at",
    "shown_paused_until",
    "reason",
    "pauser",
    "failures",
    "pauses",
    "probe",
    "shown_probe_until",
    "shown_dispatcher_seen_at",
    "shown_poller_seen_at",
    "shown_poll_after",
    "poll_error",
)


class PauseForm(forms.Form):
    """Why an account is paused, and for how long."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        help_text=gettext_lazy("It is kept in the history: write no number."),
    )
    until = EndField(
        label=gettext_lazy("Until"),
        required=False,
        help_text=gettext_lazy("Empty: until somebody resumes it."),
    )

    def clean_reason(self) -> str:
        """Refuse what nobody would see."""
        reason = clean(self.cleaned_data["reason"])
        if not reason:
            raise forms.ValidationError(
                self.fields["reason"].error_messages["required"]
            )
        return reason

    def pause(self, account: str, *, by: Any) -> bool:
        """Pause the account; False, with the error in its place, where that fails."""
        try:
            pause_account(account, by=by, **self.cleaned_data)
        except InvalidMessage as error:
            self.add_error(error.field, str(error.reason))
            return False
        return True


class AccountStateAdminMixin(ListedLookups, PagesMixin, AccountMoments):
    """A list to read, with a page to pause or resume each account.

    For any ``ModelAdmin``, as MessageAdminMixin is.
    """

    list_display = [
        "account",
        "shown_paused_at",
        "shown_paused_until",
        "reason",
        "shown_dispatcher_seen_at",
        "shown_poller_seen_at",
    ]
    fields = readonly_fields = _SHOWN
    ordering = ["account"]
    show_full_result_count = False
    change_form_template = "admin/negin_sms/accountstate/change_form.html"

    class Media:
        css = {"all": ["negin_sms/admin.css"]}

    @admin.display(description=gettext_lazy("paused by"))
    def pauser(self, state: AccountState) -> str:
        """Return who paused the account, if a person did."""
        key = state.paused_by_id
        return str(self.get_empty_value_display()) if key is None else user_name(key)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: the services make these rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a pause is the services' business."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: without its row a paused account would go on."""
        return False

    def has_pause_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may pause and resume accounts."""
        may = request.user.has_perm("negin_sms.pause_accountstate")
        return may and self.has_view_permission(request)

    def get_urls(self) -> list[Any]:
        """Add the page that pauses or resumes."""
        view = self.admin_site.admin_view(self.pause_view)
        own = path("<int:object_id>/pause/", view, name=self.url_name("pause"))
        return speak_persian([own, *super().get_urls()])

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show the way to the pause page to those who may use it."""
        context["may_pause"] = self.has_pause_permission(request)
        return super().render_change_form(request, context, *args, **kwargs)

    def pause_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Ask on GET, pause or resume on POST."""
        if not self.has_pause_permission(request):
            raise PermissionDenied
        state = get_object_or_404(AccountState, pk=object_id)
        form = PauseForm(request.POST or None)
        answer = None
        if request.method == "POST":
            answer = self._do_what_is_wanted(request, state, form)
        return answer or self._pause_page(request, state, form)

    def _pause_page(
        self, request: HttpRequest, state: AccountState, form: PauseForm
    ) -> HttpResponse:
        context = {
            "media": self.media + form.media,
            "title": _("Resume sending?") if state.is_paused else _("Pause sending?"),
            "state": state,
            "seen": _seen(state),
            "form": form,
        }
        return self.draw(request, "accountstate/pause.html", context)

    def _do_what_is_wanted(
        self, request: HttpRequest, state: AccountState, form: PauseForm
    ) -> HttpResponse | None:
        """Pause or resume, as the button said; None where the form has to be corrected.

        Somebody else may have done it since the page was opened.
        """
        wanted = request.POST.get(_WANTED)
        by: Any = request.user
        if wanted == _RESUME and state.is_paused:
            if request.POST.get(SEEN) != _seen(state):
                self.warn(request, _("Somebody paused it anew meanwhile; look again."))
                return None
            resume_account(state.account, by=by)
            return self._done(request, state, _("The account sends again."))
        if wanted == _PAUSE and not state.is_paused:
            if form.is_valid() and form.pause(state.account, by=by):
                reason = form.cleaned_data["reason"]
                return self._done(request, state, _paused_words(form), reason)
            return None
        words = (
            _("The account is paused already; nothing was changed.")
            if state.is_paused
            else _("The account is not paused; nothing was changed.")
        )
        self.warn(request, words)
        return self._to_account(state)

    def _done(
        self, request: HttpRequest, state: AccountState, words: str, reason: str = ""
    ) -> HttpResponse:
        self.message_user(request, words, notices.SUCCESS)
        self.log_change(request, state, f"{words} {reason}".strip())
        return self._to_account(state)

    def _to_account(self, state: AccountState) -> HttpResponse:
        return HttpResponseRedirect(self.page_url("change", state.pk))


def _seen(state: AccountState) -> str:
    """Return what the page says of a pause, for the button to post."""
    began_at = state.paused_at.isoformat() if state.paused_at else ""
    return f"{began_at} {state.reason}"


def _paused_words(form: PauseForm) -> str:
    until = form.cleaned_data["until"]
    if until is None:
        return _("The account is paused.")
    return _("The account is paused until %(moment)s.") % {"moment": both_words(until)}


@admin.register(AccountState)
class AccountStateAdmin(AccountStateAdminMixin, admin.ModelAdmin):
    """Account states in Django's own admin."""
