"""Pages of a table of any size: counted only as far as anybody pages."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ShowFacets
from django.contrib.admin.views.main import ALL_VAR, ORDER_VAR, ChangeList
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property

from .pages import AdminPart

COUNT_LIMIT = 10_000
FEW = 200


class CappedPaginator(Paginator):
    """Count and page up to COUNT_LIMIT rows: a full count reads the whole table.

    Not under what an action may be applied to, or the list's "Select all" would
    name another number than the action takes.
    """

    @cached_property
    def count(self) -> int:
        """Return the number of rows, COUNT_LIMIT at the most."""
        return min(self._counted, COUNT_LIMIT)

    @property
    def is_capped(self) -> bool:
        """Return whether there are more rows than are counted."""
        return self._counted > COUNT_LIMIT

    @cached_property
    def few_keys(self) -> list[Any] | None:
        """Return the keys of all rows in their order, or None if there are many.

        To find a few rows by what no index knows takes a look at every row of the
        table; their keys spare the second look, for the page itself. They are put in
        order once they are known: asked for in order, SQLite walks the table in it,
        past the index that knows them.
        """
        found: Any = self.object_list
        found = found.values_list("pk", flat=True)
        keys = list(found.order_by()[: FEW + 1])
        if len(keys) > FEW:
            return None
        return list(found.filter(pk__in=keys)) if keys else keys

    @cached_property
    def _counted(self) -> int:
        if self.few_keys is not None:
            return len(self.few_keys)
        found: Any = self.object_list
        return int(found.order_by()[: COUNT_LIMIT + 1].count())


class BoundedList(AdminPart):
    """For a ModelAdmin whose table may have any size."""

    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = FEW
    paginator = CappedPaginator


class KeyedChangeList(ChangeList):
    """The list that reads a few rows by their keys, as they were counted."""

    def get_ordering_field(self, field_name: Any) -> Any:
        """Sort by what the list lets one sort by; Django asks of the address only."""
        is_offered = field_name in (self.sortable_by or ())
        return super().get_ordering_field(field_name) if is_offered else None

    def get_ordering_field_columns(self) -> Any:
        """Mark no column as sorted where the rows are in the order of none of them."""
        leading = str(next(iter(self.queryset.query.order_by), "")).removeprefix("-")
        columns = map(self.get_ordering_field, self.list_display)
        if ORDER_VAR not in self.params and leading not in columns:
            return {}
        return super().get_ordering_field_columns()

    def get_results(self, request: HttpRequest) -> None:
        """Find the page's rows, once."""
        super().get_results(request)
        found: Any = self.paginator
        keys = found.few_keys
        if keys is None:
            return
        if ALL_VAR not in request.GET:
            start = (self.page_num - 1) * self.list_per_page
            keys = keys[start : start + self.list_per_page]
        self.result_list = self.queryset.filter(pk__in=keys)
