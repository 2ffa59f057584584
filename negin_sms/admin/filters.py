"""The message list's own filters; none of them asks the database for its choices."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from negin_sms import conf
from negin_sms.choices import FINAL_STATES, State, Status
from negin_sms.models import Message

_IS_FINAL = Q(state__in=FINAL_STATES)
_STATES = {
    # As the badges read: once polling has ended, a state that is not the last word
    # counts as "no report".
    **{
        str(code): Q(state=code)
        if code in FINAL_STATES
        else Q(state=code, settled_at__isnull=True)
        for code in State.values
    },
    "other": Q(state__isnull=False, settled_at__isnull=True)
    & ~Q(state__in=State.values),
    "no_report": Q(settled_at__isnull=False) & (Q(state__isnull=True) | ~_IS_FINAL),
    "none": Q(status=Status.ACCEPTED, state__isnull=True, settled_at__isnull=True),
}


class StateFilter(admin.SimpleListFilter):
    """By delivery state, with what is not a code besides."""

    title = _("delivery state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the known states, then the lack of one."""
        return [
            *((str(code), label) for code, label in State.choices),
            ("other", _("Unknown code")),
            ("no_report", pgettext_lazy("delivery state", "No report")),
            ("none", _("No state yet")),
        ]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Message]
    ) -> QuerySet[Message]:
        """Keep the messages of the chosen state."""
        condition = _STATES.get(self.value() or "")
        return queryset if condition is None else queryset.filter(condition)


class AccountFilter(admin.SimpleListFilter):
    """By configured account; hidden where there is only one."""

    title = _("account")
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the aliases of the settings: distinct values would read the table."""
        aliases = [account.alias for account in conf.get_accounts()]
        return [(alias, alias) for alias in aliases] if len(aliases) > 1 else []

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Message]
    ) -> QuerySet[Message]:
        """Keep the messages of the chosen account."""
        alias = self.value()
        return queryset if alias is None else queryset.filter(account=alias)
