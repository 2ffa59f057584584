"""What an error report may hold: no number, no text, no key.

Django mails every variable of every frame, the parameters of the statement that failed
among them; and databases quote the row in their own words (PostgreSQL's DETAIL,
MariaDB's "Duplicate entry '…'"). ``private`` is for what has such values in hand.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from django.db import Error
from django.template.response import TemplateResponse
from django.views.decorators.debug import sensitive_variables

P = ParamSpec("P")
R = TypeVar("R")

# Quoted values: of MariaDB and MySQL, whose names of columns and keys stand behind
# them, and of PostgreSQL, which quotes names without a colon in front.
_QUOTED = (
    (re.compile(r"'.*' (for|at)\b", re.DOTALL), r"'…' \1"),
    (re.compile(r': ".*', re.DOTALL), ": …"),
)


def private(action: Callable[P, R]) -> Callable[P, R]:
    """Hide the variables of a function and of all that it calls, and quoted values."""

    @functools.wraps(action)
    def hidden(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return action(*args, **kwargs)
        except Error as error:
            hide_values(error)
            raise

    wrapped: Callable[P, R] = sensitive_variables()(hidden)
    return wrapped


def private_view(view: Callable[P, R]) -> Callable[P, R]:
    """Do so for a view, and for its template, which is drawn after it."""

    @functools.wraps(view)
    def respond(*args: P.args, **kwargs: P.kwargs) -> R:
        response = view(*args, **kwargs)
        if isinstance(response, TemplateResponse):
            response.render = private(response.render)  # type: ignore[method-assign]
        return response

    return private(respond)


def hide_values(error: BaseException) -> None:
    """Take the values out of a database error, its driver's own included."""
    for each in (error, error.__cause__):
        if each is not None:
            each.args = tuple(map(_without_values, each.args))


def _without_values(said: Any) -> Any:
    if not isinstance(said, str):
        return said  # MariaDB's and MySQL's number of the error
    for quoted, left in _QUOTED:
        said = quoted.sub(left, said)
    return said.partition("\n")[0]  # what PostgreSQL adds, DETAIL first
