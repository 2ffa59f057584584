"""Filters by what has no index: they read the newest messages only, as searches do.

Where days are chosen, the newest of those days.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from negin_sms import conf
from negin_sms.choices import Scenario
from negin_sms.gateway.codes import CODES, code_meaning
from negin_sms.models import Message

from . import search_terms
from .displays import ltr
from .filters import SentFilter, rows_of_days
from .search_terms import among_newest

_MOST_CODE = 99  # those above stand for one fault of a list


class _NewestFilter(admin.SimpleListFilter, ABC):
    """Keep what meets ``condition`` among the newest messages."""

    @abstractmethod
    def condition(self, value: str) -> Q:
        """Return what a chosen value means."""

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Message]
    ) -> QuerySet[Message]:
        """Keep the messages of the chosen value."""
        value = self.value()
        known = {str(key) for key, _label in self.lookup_choices}
        if value not in known:
            return queryset
        if SentFilter.is_chosen(request.GET):
            rows = _newest_of(rows_of_days(request), queryset)
        else:
            rows = among_newest(queryset)
        return rows.filter(self.condition(str(value)))


def _newest_of(
    days: QuerySet[Message], queryset: QuerySet[Message]
) -> QuerySet[Message]:
    """Return those of the rows that are among the newest of some days.

    With all that ended in one moment with the last of them: cancelling a batch ends
    100,000 at once.
    """
    ended = days.order_by("-finished_at", "-pk").values_list("finished_at", flat=True)
    last = list(ended[search_terms.NEWEST - 1 : search_terms.NEWEST])
    return queryset.filter(finished_at__gte=last[0]) if last else queryset


class ScenarioFilter(_NewestFilter):
    """By the way on which a message was to go."""

    title = _("scenario")
    parameter_name = "scenario"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the five scenarios."""
        return list(Scenario.choices)

    def condition(self, value: str) -> Q:
        """Return the condition for a scenario."""
        return Q(scenario=value)


class CodeFilter(_NewestFilter):
    """By what the gateway answered to the sending."""

    title = _("gateway code")
    parameter_name = "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the codes that are known, with their meanings."""
        known = (code for code in sorted(CODES) if code <= _MOST_CODE)
        return [(str(code), f"{code}: {code_meaning(code)}") for code in known]

    def condition(self, value: str) -> Q:
        """Return the condition for a code."""
        return Q(code=int(value))


class LineFilter(_NewestFilter):
    """By the line that a message named, first or second; of those in the settings."""

    title = _("line")
    parameter_name = "line"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the lines of the accounts; hidden where there is only one."""
        found = {
            line for each in conf.get_accounts() for line in (each.line, each.line2)
        }
        lines = sorted(line for line in found if line)
        return [(line, ltr(line)) for line in lines] if len(lines) > 1 else []

    def condition(self, value: str) -> Q:
        """Return the condition for a line; one that nobody named is the account's."""
        named, accounts = Q(line=value) | Q(line2=value), conf.get_accounts()
        first = [each.alias for each in accounts if each.line == value]
        second = [each.alias for each in accounts if each.line2 == value]
        return (
            named
            | Q(line="", default_line=True, account__in=first)
            | Q(line2="", default_line2=True, account__in=second)
        )
