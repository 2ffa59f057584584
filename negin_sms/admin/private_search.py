"""Searches whose terms stay out of addresses, which servers and browsers write down.

``search.js`` posts the search form. The term is kept in the session, and the list's
address has a word that stands for it there.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.translation import gettext as _

from .pages import PagesMixin

_KEPT = "negin_sms_searches"
_MOST = 20
_MARK = "~"
_NO_FILTERS = ("csrfmiddlewaretoken", SEARCH_VAR)


class PrivateSearch(PagesMixin):
    """Take a posted search, and find by the word that stands for it."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead a posted search to its list."""
        if SEARCH_VAR in request.POST and "action" not in request.POST:
            return HttpResponseRedirect(_address(request))
        return super().changelist_view(request, extra_context)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Show what was searched for, not the word for it."""
        changelist: Any = super().get_changelist_instance(request)
        changelist.query = searched(request, changelist.query) or ""
        return changelist

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find what the word stands for, as far as the user may."""
        term = searched(request, search_term)
        if term is None:
            self.warn(request, _("This search is over; search again."))
            return queryset.none(), False
        if not term.strip():
            return queryset, False
        condition = self.condition_for(request, queryset, term)
        found = queryset.none() if condition is None else queryset.filter(condition)
        return found, False

    def condition_for(
        self, request: HttpRequest, queryset: QuerySet[Any], term: str
    ) -> Q | None:
        """Return what a term finds; None for nothing, as where no model says more."""
        return None


def searched(request: HttpRequest, term: str) -> str | None:
    """Return what a term stands for; None where it is a word of another session."""
    if not term.startswith(_MARK):
        return term
    kept: dict[str, str] = request.session.get(_KEPT, {})
    return kept.get(term)


def _address(request: HttpRequest) -> str:
    query = QueryDict(mutable=True)
    for name, values in request.POST.lists():
        if name not in _NO_FILTERS:
            query.setlist(name, values)
    if term := request.POST[SEARCH_VAR].strip():
        query[SEARCH_VAR] = _keep(request, term)
    return f"{request.path}?{query.urlencode()}"


def _keep(request: HttpRequest, term: str) -> str:
    kept = list(request.session.get(_KEPT, {}).items())
    word = next((w for w, t in kept if t == term), _MARK + secrets.token_hex(4))
    request.session[_KEPT] = dict([*kept, (word, term)][-_MOST:])
    return word
