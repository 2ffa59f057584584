"""The message list's own filters; none of them asks the database for its choices."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from negin_sms.choices import FINAL_STATES, State, Status
from negin_sms.dates import day_words
from negin_sms.models import Message
from negin_sms.services.statistics.daily_counts import day_bounds, day_of
from negin_sms.written_dates import read_day

from .date_fields import SANE_DAYS, DayField
from .way_fields import account_choices


def _is_none_of(codes: Collection[int]) -> Q:
    """Return the condition as ranges, which an index can read; NOT IN it cannot."""
    edges = sorted(codes)
    found = Q(state__isnull=True) | Q(state__lt=edges[0]) | Q(state__gt=edges[-1])
    for low, high in pairwise(edges):
        found |= Q(state__gt=low, state__lt=high)
    return found


# What is asked about still: few of many messages, and the poller's index knows them.
# As a range: SQLite looks for no "IS NOT NULL" in an index.
_IS_POLLED = Q(poll_at__gt=datetime(1970, 1, 2, tzinfo=UTC), settled_at__isnull=True)
# Compared, not looked up: nearly all are.
_IS_ACCEPTED = Exact(Coalesce("status", Value("")), Status.ACCEPTED)
_STATES = {
    # As the badges read: once polling has ended, a state that is not the last word
    # counts as "no report".
    **{
        str(code): Q(state=code) if code in FINAL_STATES else Q(state=code) & _IS_POLLED
        for code in State.values
    },
    "other": Q(state__isnull=False) & _IS_POLLED & ~Q(state__in=State.values),
    "no_report": Q(settled_at__isnull=False) & _is_none_of(FINAL_STATES),
    # Accepted by a person's decision, without an id, it is never asked about.
    "none": Q(_IS_ACCEPTED, state__isnull=True, settled_at__isnull=True)
    & (_IS_POLLED | Q(gateway_id="")),
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
        accounts = account_choices()
        return accounts if len(accounts) > 1 else []

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Message]
    ) -> QuerySet[Message]:
        """Keep the messages of the chosen account."""
        alias = self.value()
        return queryset if alias is None else queryset.filter(account=alias)


class DaysForm(forms.Form):
    """The first and the last of some days, either left open."""

    sent_from = DayField(label=_("From"), required=False, validators=SANE_DAYS)
    sent_to = DayField(label=_("To"), required=False, validators=SANE_DAYS)

    def clean(self) -> dict[str, Any]:
        """Refuse days that are reversed."""
        cleaned = super().clean() or self.cleaned_data
        first, last = cleaned.get("sent_from"), cleaned.get("sent_to")
        if first and last and last < first:
            self.add_error("sent_to", gettext("The last day is before the first."))
        return cleaned


class SentFilter(admin.SimpleListFilter):
    """By the days on which the sending ended, in the project's time zone.

    ``?sent=7`` are the last seven; ``?sent=2026-11-01..2026-11-07``, which the report
    links to, is any range, in either calendar; so are ``sent_from`` and ``sent_to`` of
    the form.
    """

    title = _("finished at")
    parameter_name = "sent"
    template = "admin/negin_sms/days_filter.html"
    _typed = ("sent_from", "sent_to")

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], *args: Any, **kwargs: Any
    ) -> None:
        days = {name: params.pop(name, [""])[-1] for name in self._typed}
        super().__init__(request, params, *args, **kwargs)
        self.is_typed = any(days.values())
        self.form = DaysForm(days) if self.is_typed else DaysForm()
        self.kept: list[tuple[str, str]] = []

    @classmethod
    def is_chosen(cls, asked: QueryDict) -> bool:
        """Return whether an address asks for days."""
        return any(asked.get(name) for name in (cls.parameter_name, *cls._typed))

    def expected_parameters(self) -> list[str | None]:
        """Return what this filter reads of the address."""
        return [self.parameter_name, *self._typed]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the periods that are asked for most."""
        return [
            ("1", _("Today")),
            ("7", _("Last 7 days")),
            ("30", _("Last 30 days")),
        ]

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Add the range that a link has chosen, to be seen and to be undone."""
        own = self.expected_parameters()
        self.kept = [
            (name, value)
            for name, values in changelist.filter_params.items()
            if name not in own
            for value in values
        ]
        value = "" if self.is_typed else self.value() or ""
        shown = [(key, label) for key, label in self.lookup_choices]
        if value:
            period = _period(value)
            days = dict(zip(self._typed, period, strict=True))
            self.form = DaysForm(initial=days)  # what holds, to begin from
            if value not in dict(shown):
                shown.append((value, " … ".join(map(day_words, period))))
        yield self._choice(
            changelist, "", gettext("All"), not value and not self.is_typed
        )
        for key, label in shown:
            yield self._choice(changelist, key, label, key == value)

    def _choice(
        self, changelist: Any, value: str, display: object, selected: bool
    ) -> dict[str, Any]:
        chosen = {self.parameter_name: value} if value else {}
        others = [n for n in self.expected_parameters() if n not in chosen]
        query = changelist.get_query_string(chosen, others)
        return {"selected": selected, "query_string": query, "display": display}

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Message]
    ) -> QuerySet[Message]:
        """Keep the messages whose sending ended on those days; none of wrong ones."""
        if self.is_typed:
            if not self.form.is_valid():
                return queryset.none()
            days = self.form.cleaned_data
            return _ended(queryset, days["sent_from"], days["sent_to"])
        value = self.value()
        return _ended(queryset, *_period(value)) if value else queryset


class GroupFilter(admin.SimpleListFilter):
    """By group, where a link has chosen one: there may be as many as messages."""

    title = pgettext_lazy("of messages", "group")
    parameter_name = "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        """Return the chosen one, to be seen and to be undone."""
        chosen = request.GET.get(self.parameter_name)
        return [(chosen, format_html("<bdi>{}</bdi>", chosen))] if chosen else []

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Message]
    ) -> QuerySet[Message]:
        """Keep the messages of the chosen group."""
        group = self.value()
        if group and "\0" in group:  # no group has it, and PostgreSQL takes it ill
            return queryset.none()
        return queryset.filter(group=group) if group else queryset


def rows_of_days(request: HttpRequest) -> QuerySet[Message]:
    """Return the messages of the chosen days, whatever else is chosen."""
    asked = dict(request.GET.lists())
    chosen = SentFilter(request, asked, Message, None)
    return chosen.queryset(request, Message.objects.all())


def _ended(
    rows: QuerySet[Message], first: date | None, last: date | None
) -> QuerySet[Message]:
    """Return what ended on these days; the newest of them are found by an index."""
    if first:
        rows = rows.filter(finished_at__gte=day_bounds(first)[0])
    if last:
        rows = rows.filter(finished_at__lt=day_bounds(last)[1])
    return rows


def _period(value: str) -> tuple[date, date]:
    """Return the first and last day of a period; raise for one that is none."""
    try:
        if value.isdecimal():
            today = day_of(timezone.now())
            return today - timedelta(days=int(value) - 1), today
        first, _dots, last = value.partition("..")
        period = read_day(first), read_day(last or first)
        day_bounds(period[0] - timedelta(days=1)), day_bounds(period[1])
    except (ValueError, OverflowError):
        raise IncorrectLookupParameters from None
    return period
