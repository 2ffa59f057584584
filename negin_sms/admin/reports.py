"""The report page: a period, what became of its messages, and the same as a file."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from negin_sms import conf
from negin_sms.services.statistics.daily_counts import day_of
from negin_sms.services.statistics.report import (
    LONGEST_REPORT,
    DeliveryStatistics,
    delivery_statistics,
)

from .date_fields import SANE_DAYS, DayField
from .pages import PagesMixin
from .report_tables import draw_report, file_rows
from .spreadsheets import csv_response
from .way_fields import account_choices
from .workbook_files import XLSX, can_write_workbooks, xlsx_response

_DEFAULT_DAYS = 14
_PERIODS = (1, 7, 14, 30, 90)
_FILES = ("csv", XLSX)


class PeriodForm(forms.Form):
    """The days of a report, both included, and the account."""

    first = DayField(label=gettext_lazy("From"), validators=SANE_DAYS)
    last = DayField(label=gettext_lazy("To"), validators=SANE_DAYS)
    account = forms.ChoiceField(
        label=gettext_lazy("Account"),
        required=False,
        choices=lambda: [("", _("All")), *account_choices()],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer the accounts of the settings, where there are several."""
        super().__init__(*args, **kwargs)
        if len(conf.get_accounts()) == 1:
            del self.fields["account"]

    def clean(self) -> dict[str, Any]:
        """Refuse a period that is reversed or too long."""
        cleaned = {"account": None, **(super().clean() or {})}
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and last < first:
            self.add_error("last", _("The last day is before the first."))
        elif first and last and (last - first).days >= LONGEST_REPORT:
            words = _("A report covers %(limit)d days at the most.")
            self.add_error("last", words % {"limit": LONGEST_REPORT})
        return cleaned


class ReportMixin(PagesMixin):
    """The page behind the list's "Report" link, for those who may see messages."""

    def get_urls(self) -> list[Any]:
        """Add the report's page."""
        own = self.own_path("report/", require_safe(self.report_view), "report")
        return [own, *super().get_urls()]

    def report_view(self, request: HttpRequest) -> Any:
        """Show the report of a period, or hand it out as CSV or a workbook."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = PeriodForm(_period(request.GET))
        report = None
        if form.is_valid():
            cleaned = form.cleaned_data
            account = cleaned["account"] or None
            report = delivery_statistics(
                cleaned["first"], cleaned["last"], account=account
            )
        if report and request.GET.get("format") in _FILES:
            return self._report_file(request, report)
        return self._report_page(request, form, report)

    def _report_file(self, request: HttpRequest, report: DeliveryStatistics) -> Any:
        if not request.user.has_perm(f"{self.opts.app_label}.export_message"):
            raise PermissionDenied
        is_book = request.GET["format"] == XLSX and can_write_workbooks()
        write = xlsx_response if is_book else csv_response
        return write(f"report-{report.first}-{report.last}", file_rows(report))

    def _report_page(
        self, request: HttpRequest, form: PeriodForm, report: DeliveryStatistics | None
    ) -> HttpResponse:
        context: dict[str, Any] = {
            "title": _("Delivery report"),
            "form": form,
            "media": self.media + form.media,
            "periods": _period_links(form),
            "report": report,
            "may_export": request.user.has_perm("negin_sms.export_message"),
            "has_workbooks": can_write_workbooks(),
        }
        if report:
            context |= draw_report(report, self.page_url("changelist"))
        return self.draw(request, "message/report.html", context)


def _today() -> date:
    return day_of(timezone.now())


def _period(given: Any) -> dict[str, Any]:
    """Return what the form is bound to: the last days, unless others are given."""
    today = _today()
    default = {"first": today - timedelta(days=_DEFAULT_DAYS - 1), "last": today}
    return {**default, **given.dict()}


def _period_links(form: PeriodForm) -> list[dict[str, Any]]:
    """Return a link for each of the usual periods, the account kept."""
    today, chosen = _today(), getattr(form, "cleaned_data", {})
    account = chosen.get("account")
    links = []
    for days in _PERIODS:
        first = today - timedelta(days=days - 1)
        query = {
            "first": first,
            "last": today,
            **({"account": account} if account else {}),
        }
        label = ngettext("Last %(days)d day", "Last %(days)d days", days)
        links.append(
            {
                "label": _("Today") if days == 1 else label % {"days": days},
                "query": urlencode(query),
                "selected": (chosen.get("first"), chosen.get("last")) == (first, today),
            }
        )
    return links
