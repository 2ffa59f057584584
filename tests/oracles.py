"""Asking a list, by its address, what its columns hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IncorrectLookupParameters
from django.db import models
from django.test import RequestFactory

REFUSED = "refused"
VALUES = ("1", "0", "x", "True", "2026-11-26")
DEPTH = 2


def tellers(admin: Any, user: Any) -> set[str]:
    """Return the columns of which any look-up is let through, whatever it finds."""
    row = admin.model._default_manager.first()
    found = set()
    for path, field in _columns(admin.model, DEPTH):
        for lookup in (*_lookups(field), "nothing", ""):
            asked = _join(path, lookup)
            if _found(admin, user, {asked: "1"}) == REFUSED:
                continue
            found.add(path.partition("__")[0])
            for value in (*VALUES, str(getattr(row, path, ""))):
                _found(admin, user, {asked: value})  # which must not break
    return found


def orders(admin: Any, user: Any) -> set[str]:
    """Return the columns by which an address sorts the list."""
    names = admin.get_changelist_instance(_request(user, {})).list_display
    usual = _found(admin, user, {})
    return {
        name
        for number, name in enumerate(names)
        for way in ("", "-")
        if _found(admin, user, {"o": f"{way}{number}"}) != usual
    }


def _columns(model: Any, depth: int) -> Iterator[tuple[str, Any]]:
    for field in model._meta.get_fields(include_hidden=True):
        if field.name.endswith("+"):
            continue
        yield field.name, field
        if hasattr(field, "attname") and field.attname != field.name:
            yield field.attname, field
        if field.is_relation and field.related_model and depth > 1:
            for path, inner in _columns(field.related_model, depth - 1):
                yield f"{field.name}__{path}", inner


def _lookups(field: Any) -> list[str]:
    own = field if isinstance(field, models.Field) else field.related_model._meta.pk
    return sorted(own.get_lookups())


def _join(path: str, lookup: str) -> str:
    return f"{path}__{lookup}" if lookup else path


def _request(user: Any, query: dict[str, str]) -> Any:
    request = RequestFactory().get("/", query)
    request.user = user
    return request


def _found(admin: Any, user: Any, query: dict[str, str]) -> Any:
    try:
        changelist = admin.get_changelist_instance(_request(user, query))
        return list(changelist.result_list)
    except DisallowedModelAdminLookup:
        return REFUSED
    except IncorrectLookupParameters:
        return "incorrect"
