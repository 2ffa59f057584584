"""Opt-outs: found by number, entered one or many at a time, ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib import messages as notices
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from negin_sms.error_reports import PrivateViews, hide_posted, private_view
from negin_sms.models import OptOut
from negin_sms.services import OptOutImport
from negin_sms.services.outbox.gate.opt_outs import end, lasts

from .datetime_columns import OptOutMoments
from .displays import ltr, user_name
from .filters import AccountFilter
from .lookups import ListedLookups
from .opt_out_forms import EnterForm, OptOutForm
from .pages import speak_persian
from .paging import BoundedList
from .private_search import PrivateSearch
from .search_terms import number_condition

_LISTED, _ASKED_ABOUT = 200, 10
# What the question posts: the keys of those that it was about.
_ASKED = "asked"


class LastingFilter(admin.SimpleListFilter):
    """Those that hold, or those that are over."""

    title = gettext_lazy("opt-out")
    parameter_name = "lasts"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the two."""
        return [("yes", gettext_lazy("Holds")), ("no", gettext_lazy("Is over"))]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[OptOut]
    ) -> QuerySet[OptOut]:
        """Return those of the choice, and all of any other."""
        conditions: dict[str | None, Q] = {"yes": lasts(), "no": ~lasts()}
        return queryset.filter(conditions.get(self.value(), Q()))


class LineFilter(admin.AllValuesFieldListFilter):
    """By line, where "all of them" has a name too."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Return the lines, and words for none."""
        everything, *lines = super().choices(changelist)
        yield everything
        for line in lines:
            number = line["display"]
            yield line | {"display": ltr(number) if number else _("Every line")}


class OptOutAdminMixin(
    ListedLookups, BoundedList, PrivateSearch, PrivateViews, OptOutMoments
):
    """The list of who opted out, and the page that enters one number or many.

    For any ``ModelAdmin``, as MessageAdminMixin is.
    """

    form = OptOutForm
    list_display = [
        *("masked_mobile", "shown_line", "account", "reason"),
        *("shown_since", "shown_until"),
    ]
    list_filter = [LastingFilter, AccountFilter, ("line", LineFilter)]
    search_fields = ["mobile"]
    search_help_text = gettext_lazy("The last four digits of a number.")
    number_search_help_text = gettext_lazy(
        "A number in any spelling, or its last four to seven digits."
    )
    ordering = ["-since", "-pk"]
    readonly_fields = [
        *("masked_mobile", "full_mobile", "shown_line", "account"),
        *("shown_since", "enterer"),
    ]
    actions = ["end_selected"]

    class Media:
        css = {"all": ["negin_sms/admin.css"]}
        js = ["negin_sms/search.js", "negin_sms/ticked.js"]

    def get_urls(self) -> list[Any]:
        """Hide what is posted; let every page speak in the digits of its language."""
        return hide_posted(speak_persian(super().get_urls()))

    def get_fields(self, request: HttpRequest, obj: OptOut | None = None) -> Any:
        """Show the whole number to those with the right to see it."""
        number = "full_mobile" if self._reads_numbers(request) else "masked_mobile"
        return [
            *(number, "shown_line", "account", "reason"),
            *("until", "shown_since", "enterer"),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Allow for those who may look, too: the list is where it leads to."""
        may = super().has_add_permission(request)
        return may and self.has_view_or_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: they are ended, and purged when they are over."""
        return False

    def save_model(self, request: HttpRequest, obj: OptOut, *args: Any) -> None:
        """Write what may be changed, and nothing else."""
        obj.save(update_fields=["reason", "until"])

    @private_view
    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Ask on GET; on POST enter what is a number, and show what is none."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return self._enter_page(request, EnterForm())
        form = EnterForm(request.POST, request.FILES)
        report = form.enter(by=request.user) if form.is_valid() else None
        if report is None:
            return self._enter_page(request, form)
        for remark in form.remarks:
            self.message_user(request, remark, notices.INFO)
        self._tell(request, report)
        if report.refused:
            return self._enter_page(request, form.to_correct(report), report)
        return HttpResponseRedirect(self.page_url("changelist"))

    @admin.action(
        permissions=["change"], description=gettext_lazy("End these opt-outs")
    )
    def end_selected(
        self, request: HttpRequest, queryset: QuerySet[OptOut]
    ) -> HttpResponse | None:
        """Ask first; then end those that hold, and write it into their history."""
        if _ASKED not in request.POST:
            return self._end_page(request, list(queryset.filter(lasts())))
        keys = request.POST[_ASKED].split(",")
        asked = queryset.filter(pk__in=[key for key in keys if key.isdecimal()])
        held = list(asked.filter(lasts()))
        by: Any = request.user.pk
        ended = end(OptOut.objects.filter(pk__in=[row.pk for row in held]))
        LogEntry.objects.log_actions(by, held, CHANGE, _("It was ended."))
        words = ngettext(
            "%(count)s opt-out was ended.", "%(count)s opt-outs were ended.", ended
        )
        self.message_user(request, words % {"count": ended}, notices.SUCCESS)
        return None

    @admin.display(description=gettext_lazy("mobile"))
    def masked_mobile(self, row: OptOut) -> SafeString:
        """Return the number as everybody may see it."""
        return ltr(row.masked_mobile)

    @admin.display(description=gettext_lazy("mobile"))
    def full_mobile(self, row: OptOut) -> SafeString:
        """Return the whole number."""
        return ltr(row.mobile)

    @admin.display(description=gettext_lazy("line"), ordering="line")
    def shown_line(self, row: OptOut) -> str:
        """Return the line as it is dialled, or what stands for all of them."""
        return ltr(row.line) if row.line else _("Every line")

    @admin.display(description=gettext_lazy("entered by"))
    def enterer(self, row: OptOut) -> str:
        """Return who entered it, if a person did."""
        key = row.created_by_id
        return str(self.get_empty_value_display()) if key is None else user_name(key)

    def condition_for(
        self, request: HttpRequest, queryset: QuerySet[OptOut], term: str
    ) -> Q | None:
        """Search by number, as far as the user may see it."""
        numbers = self._reads_numbers(request)
        condition = number_condition(term, numbers=numbers)
        if condition is None and not numbers:
            words = _("To search by whole numbers takes the right to see them.")
            self.warn(request, words)
        return condition

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Say what can be searched for."""
        changelist: Any = super().get_changelist_instance(request)
        if self._reads_numbers(request):
            changelist.search_help_text = self.number_search_help_text
        return changelist

    def _reads_numbers(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.view_sensitive_message")

    def _enter_page(
        self, request: HttpRequest, form: EnterForm, report: OptOutImport | None = None
    ) -> HttpResponse:
        refused = report.refused if report else ()
        context = {
            "title": _("Enter opt-outs"),
            "form": form,
            "media": self.media + form.media,
            "listed": refused[:_LISTED],
            "unlisted": len(refused[_LISTED:]),
        }
        return self.draw(request, "optout/enter.html", context)

    def _end_page(
        self, request: HttpRequest, held: list[OptOut]
    ) -> HttpResponse | None:
        if not held:
            self.warn(request, _("None of these holds any more; nothing was ended."))
            return None
        context = {
            "title": _("End these opt-outs"),
            "held": held,
            "asked": ",".join(str(row.pk) for row in held),
            "listed": held[:_ASKED_ABOUT],
            "unlisted": len(held[_ASKED_ABOUT:]),
        }
        return self.draw(request, "optout/end.html", context)

    def _tell(self, request: HttpRequest, report: OptOutImport) -> None:
        if not report.entered:
            return
        words = ngettext(
            "%(count)s opt-out was entered.",
            "%(count)s opt-outs were entered.",
            report.entered,
        ) % {"count": report.entered}
        self.message_user(request, words, notices.SUCCESS)
        self.log_many(request, ADDITION, str(self.opts.verbose_name_plural), words)


@admin.register(OptOut)
class OptOutAdmin(OptOutAdminMixin, admin.ModelAdmin):
    """Opt-outs in Django's own admin."""
