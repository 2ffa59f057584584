"""Writing to a project's own people, from the list that its admin has of them.

::

    class PatientAdmin(SmsRecipientsMixin, admin.ModelAdmin):
        sms_mobile = "mobile"
        sms_columns = {"name": "full_name", "doctor": "doctor__name"}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.admin.exceptions import NotRegistered
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from negin_sms.error_reports import private_view
from negin_sms.models import Message
from negin_sms.services.submission.recipients.reader import write_sheet
from negin_sms.services.submission.recipients.tables import MOST_RECIPIENTS, Row
from negin_sms.texts import fold_name

from .composing import ComposingMixin
from .pages import AdminPart


class SmsRecipientsMixin(AdminPart):
    """An action "Write to these", which opens the compose page with them.

    ``sms_mobile`` is the field that holds the number, ``sms_columns`` what placeholders
    may stand for: the name of each, and the field or look-up of its value. Who is in
    the list is this admin's affair; writing takes the rights that composing takes.
    """

    sms_mobile: ClassVar[str] = "mobile"
    sms_columns: ClassVar[Mapping[str, str]] = {}

    def __init__(self, model: type[Model], admin_site: AdminSite) -> None:
        super().__init__(model, admin_site)
        if self.actions is not None:  # None: this list has none at all
            self.actions = [*self.actions, "write_sms"]

    def has_write_sms_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may write messages."""
        composing = self._composing()
        return composing is not None and composing.has_compose_permission(request)

    def get_sms_recipients(
        self, request: HttpRequest, queryset: QuerySet[Any]
    ) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield the number of each, and the values of its placeholders, as text."""
        fields = (self.sms_mobile, *self.sms_columns.values())
        for number, *values in queryset.values_list(*fields).iterator(chunk_size=2000):
            told = ("" if value is None else str(value) for value in values)
            yield str(number or ""), dict(zip(self.sms_columns, told, strict=True))

    @admin.action(
        description=gettext_lazy("Write to these…"), permissions=["write_sms"]
    )
    @private_view
    def write_sms(
        self, request: HttpRequest, queryset: QuerySet[Model]
    ) -> HttpResponse | None:
        """Open the compose page with those who were selected."""
        composing = self._composing()
        if composing is None:
            return None
        if queryset.count() > MOST_RECIPIENTS:
            words = _("Select at most %(limit)s at a time.")
            self._tell(request, words % {"limit": MOST_RECIPIENTS})
            return None
        found = list(self.get_sms_recipients(request, queryset))
        rows = [
            Row(0, number, {fold_name(name): value for name, value in values.items()})
            for number, values in found
            if number.strip()
        ]
        if left := len(found) - len(rows):
            words = ngettext(
                "%(count)s of them has no number, and was left out.",
                "%(count)s of them have no number, and were left out.",
                left,
            )
            self._tell(request, words % {"count": left})
        if not rows:
            return None
        return composing.compose_to(request, write_sheet(rows, [*self.sms_columns]))

    def _tell(self, request: HttpRequest, words: str) -> None:
        self.message_user(request, words, "WARNING")

    def _composing(self) -> ComposingMixin | None:
        """Return the admin of the messages in this site, if it has one."""
        try:
            found: Any = self.admin_site.get_model_admin(Message)
        except NotRegistered:
            return None
        return found if isinstance(found, ComposingMixin) else None
