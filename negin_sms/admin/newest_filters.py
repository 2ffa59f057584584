"""Filters by what has no index: they read the newest messages only, as searches do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from negin_sms import conf
from negin_sms.gateway.codes import CODES, code_meaning
from negin_sms.models import Message

from .displays import ltr
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
        return among_newest(queryset).filter(self.condition(str(value)))


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
        """Return the condition for a line."""
        return Q(line=value) | Q(line2=value)
