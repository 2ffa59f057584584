"""Edit and reschedule: what a message that waits says, and when it leaves.

Both post what is wanted and the digest of what was seen; a new time is shown in both
calendars before it counts. Who edits a draft does so on its own page.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages as notices
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from negin_sms.characters import listed
from negin_sms.choices import Status
from negin_sms.dates import moment_words
from negin_sms.error_reports import private_view
from negin_sms.exceptions import InvalidMessage, NeginSmsError
from negin_sms.models import Message
from negin_sms.querysets import database_now
from negin_sms.services import edit
from negin_sms.services.database import write_alias
from negin_sms.services.dispatch.foresight import unreached
from negin_sms.services.operations.editing import changes_of
from negin_sms.services.operations.health.judgement import obstacles
from negin_sms.services.outbox.transitions import WAITING
from negin_sms.services.submission.seen import digest

from .action_views import ActionViewsMixin
from .actions import SEEN
from .forms import GONE, EditForm, RescheduleForm
from .preview_warnings import delay_warnings, reach_warnings
from .question_warnings import late_warnings

SAVE_AND_SEND = "_send"
# The buttons below a draft's form; an action of its page is posted there too.
_SAVES = {"_save", "_continue", "_addanother", SAVE_AND_SEND}
_SURE = "sure"  # posted by the page that shows a time in both calendars


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One of the two: its name in addresses and permissions, and what it asks."""

    name: str
    label: Promise
    title: Promise
    form: type[EditForm] | type[RescheduleForm]
    asks_twice: bool


EDIT = Change(
    name="edit",
    label=gettext_lazy("Edit"),
    title=gettext_lazy("Edit the message"),
    form=EditForm,
    asks_twice=False,
)
RESCHEDULE = Change(
    name="reschedule",
    label=gettext_lazy("Reschedule"),
    title=gettext_lazy("When is it to leave?"),
    form=RescheduleForm,
    asks_twice=True,
)
_CHANGES = (EDIT, RESCHEDULE)


class EditingMixin(ActionViewsMixin):
    """The pages behind the two buttons of a message that waits."""

    def get_urls(self) -> list[Any]:
        """Add a page for each."""
        own = [
            self.own_path(
                f"<int:object_id>/{each.name}/",
                self.change_wish_view,
                each.name,
                change=each,
            )
            for each in _CHANGES
        ]
        return [*own, *super().get_urls()]

    @private_view
    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Say of a draft that left while its page was open that it did."""
        gone = self._gone(request, object_id) if request.POST.keys() & _SAVES else None
        return gone or super().change_view(request, object_id, *args, **kwargs)

    @private_view
    def delete_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Say so, too, where it was to be deleted."""
        gone = self._gone(request, object_id) if request.method == "POST" else None
        return gone or super().delete_view(request, object_id, *args, **kwargs)

    def _gone(self, request: HttpRequest, object_id: str) -> HttpResponse | None:
        row: Message | None = self.get_object(request, unquote(object_id))
        if row is None or row.status == Status.DRAFT:
            return None
        if not self.has_view_or_change_permission(request, row):
            raise PermissionDenied
        self.warn(request, GONE)
        return self.redirect(request, self.page_url("change", row.pk))

    def has_edit_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may edit what they see, number and text included."""
        if not self._may(request, EDIT.name, obj):
            return False
        return obj is None or (
            self.may_read_number(request, obj) and self.may_read_text(request, obj)
        )

    def has_reschedule_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may let what they see leave at another time."""
        return self._may(request, RESCHEDULE.name, obj)

    def action_buttons(
        self, request: HttpRequest, message: Message
    ) -> list[dict[str, Any]]:
        """Add the two buttons, where they fit."""
        buttons = super().action_buttons(request, message)
        if message.status not in WAITING:
            return buttons
        may = {
            EDIT: self.has_edit_permission(request, message)
            and not self.has_change_permission(request, message),  # its page is a form
            RESCHEDULE: self.has_reschedule_permission(request, message),
        }
        own = [
            self._button(request, each.label, each.name, message, True)
            for each in _CHANGES
            if may[each]
        ]
        return [*buttons, *own]

    def change_wish_view(
        self, request: HttpRequest, change: Change, object_id: int
    ) -> HttpResponse:
        """Show a form on GET; on POST do what it says, or ask whether that is sure."""
        may = getattr(self, f"has_{change.name}_permission")
        if not may(request):
            raise PermissionDenied
        # First: what is shown may be newer than the digest, and is shown again then.
        seen = digest(Message.objects.using(write_alias()).filter(pk=object_id))
        message = self.get_visible(request, object_id)
        if not may(request, message):
            return self.refuse(request, [message])
        if request.method != "POST":
            return self._form_page(request, change, message, None, seen)
        form = change.form(request.POST, instance=message)
        answer = (
            self._change(request, change, message, form) if form.is_valid() else None
        )
        seen = request.POST.get(SEEN, "")
        return answer or self._form_page(request, change, message, form, seen)

    def _change(
        self,
        request: HttpRequest,
        change: Change,
        message: Message,
        form: EditForm | RescheduleForm,
    ) -> HttpResponse | None:
        """Do it, or ask again; return None where the form has errors now."""
        before = {name: getattr(message, name) for name in (*form.fields, "due_at")}
        try:
            if change.asks_twice and _SURE not in request.POST:
                return self._sure_page(request, change, message, form)
            user: Any = request.user
            seen = request.POST.get(SEEN, "")
            edit(message, by=user, seen=seen, **form.wish())
        except InvalidMessage as error:
            if error.field == SEEN:
                self.warn(request, error.reason)
                return self.redirect(request, self.page_url(change.name, message.pk))
            known = error.field if error.field in form.fields else None
            form.add_error(known, str(error.reason))
            return None
        except NeginSmsError as error:
            self.warn(request, error)
        else:
            names = [n for n, value in before.items() if value != getattr(message, n)]
            if names[1:]:  # it moves along with what somebody wrote
                names = [name for name in names if name in form.fields]
            self._tell_changed(request, change, message, names)
        return self.redirect(request, self.page_url("change", message.pk))

    def _tell_changed(
        self, request: HttpRequest, change: Change, message: Message, names: list[str]
    ) -> None:
        """Say and write down which fields were changed, never what they say."""
        if not names:
            words = _("Nothing was changed: the message says this already.")
            self.message_user(request, words, notices.INFO)
            return
        labels = [self.opts.get_field(n).verbose_name for n in names]  # type: ignore[union-attr]
        words = _("Changed: %(fields)s.") % {"fields": listed(labels)}
        self.message_user(request, words, notices.SUCCESS)
        self.log(request, [message], f"{change.label}: {words}")

    def _sure_page(
        self, request: HttpRequest, change: Change, message: Message, form: Any
    ) -> HttpResponse:
        changed = changes_of(message, form.wish(), database_now(write_alias()))
        moved: dict[str, datetime] = {
            name: changed.get(name, getattr(message, name))
            for name in ("due_at", "expires_at")
        }
        rows = Message.objects.using(write_alias()).filter(pk=message.pk)
        found = unreached(rows, message.account, at=moved["due_at"])
        send_at = form.cleaned_data["send_at"]
        is_over = send_at is not None and send_at <= timezone.now()
        more = {
            "moved": moved,
            "is_now": send_at is None or is_over,
            "is_draft": message.status == Status.DRAFT,
            "obstacles": obstacles(message.account),
            "warnings": [
                *([_is_over(send_at)] if is_over else []),
                *reach_warnings(found, message.account),
                *delay_warnings(message, **moved),
            ],
        }
        seen = request.POST.get(SEEN, "")
        return self._form_page(request, change, message, form, seen, more)

    def _form_page(
        self,
        request: HttpRequest,
        change: Change,
        message: Message,
        form: Any,
        seen: str,
        more: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if message.status not in WAITING:
            words = _("Only what still waits can be changed; this is “%(status)s”.")
            self.warn(request, words % {"status": message.get_status_display()})
            return self.redirect(request, self.page_url("change", message.pk))
        form = form or change.form(instance=message)
        context = {
            "title": change.title,
            "change": change,
            "message": message,
            "fields": self._details(request, message) if change is RESCHEDULE else [],
            "form": form,
            "media": self.media + form.media,
            "seen": seen,
            "warnings": late_warnings([message]) if change is EDIT else [],
            "action_url": self.with_filters(
                request, self.page_url(change.name, message.pk)
            ),
            "back_url": self.way_back(request, message),
        }
        return self.draw(request, "message/editing.html", context | (more or {}))


def _is_over(send_at: datetime) -> str:
    return _("The time given is over (%(moment)s).") % {"moment": moment_words(send_at)}
