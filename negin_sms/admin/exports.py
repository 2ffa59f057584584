"""The list as a CSV file or a workbook: what its filter shows, for those who may."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from negin_sms.gateway.codes import SUCCESS
from negin_sms.models import Message

from .displays import HIDDEN_TEXT, lines_of
from .privacy import PrivacyMixin
from .spreadsheets import Rows, csv_response, safe_mobile
from .workbook_files import MOST_ROWS, XLSX, can_write_workbooks, xlsx_response

_CHUNK = 1_000
_LONGEST_FILTER = 500
_PRIVATE = (SEARCH_VAR,)

Cell = Callable[[Message], object]


def _moment(name: str) -> Cell:
    def show(message: Message) -> str:
        moment: datetime | None = getattr(message, name)
        zone = timezone.get_default_timezone()
        return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}" if moment else ""

    return show


def _own(name: str) -> Cell:
    return lambda message: getattr(message, name)


def _code(message: Message) -> int | None:
    return None if message.code == SUCCESS else message.code


def _mobile(message: Message) -> str:
    return safe_mobile(message.mobile)


def _text(message: Message) -> str:
    return HIDDEN_TEXT if message.sensitive else message.text


_COLUMNS: dict[str, Cell] = {
    "id": _own("pk"),
    "created_at": _moment("created_at"),
    "finished_at": _moment("finished_at"),
    "account": _own("account"),
    "scenario": Message.get_scenario_display,
    "line": lambda message: lines_of(message)[0],
    "line2": lambda message: lines_of(message)[1],
    "used_line": _own("used_line"),
    "template": _own("template"),
    "status": Message.get_status_display,
    "state": _own("state_words"),
    "state_at": _moment("state_at"),
    "parts": _own("parts"),
    "code": _code,
    "detail": _own("detail"),
    "flag": Message.get_flag_display,
    "gateway_id": _own("gateway_id"),
    "group": _own("group"),
    "source": _own("source"),
}


class ExportMixin(PrivacyMixin):
    """A button on the list that downloads what the list's filter finds."""

    def get_urls(self) -> list[Any]:
        """Add the address that the button posts to."""
        own = self.own_path("export/", require_POST(self.export_view), "export")
        return [own, *super().get_urls()]

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may take messages away."""
        granted = request.user.has_perm(f"{self.opts.app_label}.export_message")
        return granted and self.has_view_permission(request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Offer the button to those who may press it."""
        may_export = self.has_export_permission(request)
        context = {
            "may_export": may_export,
            "may_export_xlsx": may_export and can_write_workbooks(),
            "most_xlsx_rows": MOST_ROWS,
        }
        return super().changelist_view(request, context | (extra_context or {}))

    def export_view(self, request: HttpRequest) -> Any:
        """Hand out the messages of the list's filter, the newest first."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        try:
            found = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(self.page_url("changelist") + "?e=1")
        is_book = request.POST.get("format") == XLSX and can_write_workbooks()
        if is_book and found.order_by()[: MOST_ROWS + 1].count() > MOST_ROWS:
            words = _(
                "A workbook takes %(limit)s messages: filter them, or choose CSV."
            )
            self.warn(request, words % {"limit": MOST_ROWS})
            query = urlencode(list(request.GET.items()))
            return HttpResponseRedirect(f"{self.page_url('changelist')}?{query}")
        trusted = self.has_view_sensitive_permission(request)
        day = timezone.localtime(timezone=timezone.get_default_timezone())
        kind = _("Excel export") if is_book else _("CSV export")
        rows = self._logged(_export(found, trusted=trusted), request, kind)
        write = xlsx_response if is_book else csv_response
        return write(f"messages-{day:%Y-%m-%d}", rows)

    def _logged(
        self, rows: Iterator[list[object]], request: HttpRequest, kind: str
    ) -> Rows:
        """Write to the history who takes what: before the first row, and at the end.

        A download that is broken off has the number of rows that went out.
        """
        chosen = _filter_words(request)
        begun = _("Export begun; filter: %(filter)s") % {"filter": chosen}
        entry = self.log_many(request, CHANGE, kind, begun)
        count = -1  # the header
        try:
            for row in rows:
                count += 1
                yield row
        finally:
            words = _("Exported %(count)d messages; filter: %(filter)s")
            LogEntry.objects.filter(pk=entry.pk).update(
                change_message=words % {"count": max(count, 0), "filter": chosen}
            )


def _export(found: QuerySet[Message], *, trusted: bool) -> Iterator[list[object]]:
    """Yield the header, then a row for each message.

    Whole numbers and texts only for the trusted, and never a sensitive text.
    """
    labels = {field.name: field.verbose_name for field in Message._meta.fields}
    labels["id"] = _("id")  # Django's own is "ID", in Persian too
    columns: dict[str, Cell] = {
        **_COLUMNS,
        "mobile": _mobile if trusted else _own("masked_mobile"),
        **({"text": _text} if trusted else {}),
    }
    yield [labels[name] for name in columns]
    for message in _in_chunks(found if trusted else found.defer("text")):
        yield [show(message) for show in columns.values()]


def _in_chunks(found: QuerySet[Message]) -> Iterator[Message]:
    """Yield the messages by their key, so that none is skipped and memory is bounded.

    Rows that come meanwhile are newer than the first and not among them.
    """
    rest = found.order_by("-pk")
    while chunk := list(rest[:_CHUNK]):
        yield from chunk
        rest = found.filter(pk__lt=chunk[-1].pk).order_by("-pk")


def _filter_words(request: HttpRequest) -> str:
    """Return the list's filter as it stands in its address.

    What was searched for is a number more often than not, and stays out.
    """
    pairs = [
        (name, "***" if name.startswith(_PRIVATE) else value)
        for name, value in request.GET.items()
        if value and name != PAGE_VAR
    ]
    return urlencode(pairs, safe="*")[:_LONGEST_FILTER] or "-"
