"""What an address may filter a list by: the list's own filters, and nothing else.

Django takes every column of the model for one, shown or not, and answers tell what it
holds: "begins with 2" is asked of a code six times, and it is known.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.http import HttpRequest

from .pages import AdminPart

# What Django's filters ask. "range" and "regex" would break on a clumsy value.
_ASKED = ("__exact", "__isnull", "__isempty", "__gte", "__lt")


class ListedLookups(AdminPart):
    """Refuse to filter by a column that ``list_filter`` does not name."""

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Return whether a filter of the list asks this."""
        if self._is_column(lookup) and not self._is_listed(lookup, request):
            return False
        if "\0" in str(value):  # no column has it, and PostgreSQL makes an error of it
            return False
        return super().lookup_allowed(lookup, value, request)

    def _is_column(self, lookup: str) -> bool:
        try:
            self.opts.get_field(lookup.partition("__")[0])
        except FieldDoesNotExist:
            return False  # a filter's own word, or nothing
        return True

    def _is_listed(self, lookup: str, request: HttpRequest) -> bool:
        for each in self.get_list_filter(request):
            name: Any = getattr(each, "parameter_name", None)
            if name is not None:
                if lookup == name:
                    return True
                continue
            name = each[0] if isinstance(each, list | tuple) else each
            if lookup == name or (
                lookup.startswith(f"{name}__") and lookup.endswith(_ASKED)
            ):
                return True
        return False
