"""What an error report may hold: no number, no text, no key.

Django mails every variable of every frame, the parameters of the statement that failed
among them; and databases quote the row in their own words (PostgreSQL's DETAIL,
MariaDB's "Duplicate entry '…'"). ``private`` is for what has such values in hand.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from django import dispatch
from django.conf import settings
from django.db import Error
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.views.decorators.debug import (
    sensitive_post_parameters,
    sensitive_variables,
)

if TYPE_CHECKING:
    from django.contrib import admin

    _AdminPart = admin.ModelAdmin[Any]
else:
    _AdminPart = object

_NOT_THE_PROJECTS = tuple(
    os.path.dirname(each) + os.sep for each in (__file__, dispatch.__file__)
)
_MAY_GO_ON = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR

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
    marked: Callable[P, R] = sensitive_variables()(action)

    @functools.wraps(action)
    def hidden(*args: P.args, **kwargs: P.kwargs) -> R:
        of_the_caller = sys.exception()
        try:
            return marked(*args, **kwargs)
        except Exception as error:
            if isinstance(error, Error):
                hide_values(error)
            if not settings.DEBUG:
                _forget_variables(error, {*map(id, _chain(of_the_caller, set()))})
                del args, kwargs
            raise

    return hidden


def place_of(error: BaseException) -> str:
    """Return where in the project's code an error began, as file and line.

    For a log: the text of an error may hold anything.
    """
    frames = traceback.walk_tb(error.__traceback__)
    places = [(frame.f_code.co_filename, line) for frame, line in frames]
    others = [place for place in places if not place[0].startswith(_NOT_THE_PROJECTS)]
    name, line = (others or places or [("?", 0)])[0]
    return f"{name}:{line}"


def private_view(view: Callable[P, R]) -> Callable[P, R]:
    """Do so for a view, and for its template, which is drawn after it."""

    @functools.wraps(view)
    def respond(*args: P.args, **kwargs: P.kwargs) -> R:
        response = view(*args, **kwargs)
        if isinstance(response, TemplateResponse):
            response.render = private(response.render)  # type: ignore[method-assign]
        return response

    return private(respond)


class PrivateViews(_AdminPart):
    """A mixin for the admin: its own views of a model are private, their pages too."""

    @private_view
    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Draw the list."""
        return super().changelist_view(request, *args, **kwargs)

    @private_view
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Draw a row, or save it."""
        return super().changeform_view(request, *args, **kwargs)

    @private_view
    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Delete a row."""
        return super().delete_view(request, *args, **kwargs)

    @private_view
    def history_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Draw a row's history."""
        return super().history_view(request, *args, **kwargs)


def hide_posted(urls: list[Any]) -> list[Any]:
    """Return the admin's addresses; no report has what is posted to them.

    From before their views are called: a mark of the view's own comes too late where
    the user cannot be read, as when the database is away.
    """
    hide = sensitive_post_parameters()
    for url in urls:
        url.callback = hide(url.callback)
    return urls


def hide_values(error: BaseException) -> None:
    """Take the values out of a database error, its driver's own included."""
    for each in (error, error.__cause__):
        if each is not None:
            each.args = tuple(map(_without_values, each.args))


def _forget_variables(error: BaseException, spared: set[int]) -> None:
    """Empty the frames that an error has left, those of what led to it too.

    Django looks for its mark in the frames above, and Python 3.11 has none above those
    of a generator; other reporters do not look for it. What the caller was handling
    already is spared, and so is what may go on: before Python 3.13, to empty the frame
    of a generator or a coroutine ends it.
    """
    traceback.clear_frames(error.__traceback__)
    for each in _chain(error, spared):
        for frame, _line in traceback.walk_tb(each.__traceback__):
            if not frame.f_code.co_flags & _MAY_GO_ON:
                with contextlib.suppress(RuntimeError):  # it runs
                    frame.clear()


def _chain(error: BaseException | None, seen: set[int]) -> Iterator[BaseException]:
    if error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        yield from _chain(error.__cause__, seen)
        yield from _chain(error.__context__, seen)


def _without_values(said: Any) -> Any:
    if not isinstance(said, str):
        return said  # MariaDB's and MySQL's number of the error
    for quoted, left in _QUOTED:
        said = quoted.sub(left, said)
    return said.partition("\n")[0]  # what PostgreSQL adds, DETAIL first
