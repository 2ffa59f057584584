"""Keywords and choices of the public functions: a wrong one is refused by name."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import markcoroutinefunction
from django.db.models import Choices
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from negin_sms.characters import listed
from negin_sms.exceptions import InvalidMessage

P = ParamSpec("P")
R = TypeVar("R")

OUTBOX_ONLY = "send_at"


def checks_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """Raise InvalidMessage for a keyword that a function does not have.

    It names the function and the nearest keyword; Python's own TypeError does not.
    """
    known = tuple(inspect.signature(function).parameters)

    @functools.wraps(function)
    @sensitive_variables()
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        refuse_unknown(kwargs, known, function.__name__)
        return function(*args, **kwargs)

    # It is told by a mark, since what it returns is the function's own coroutine.
    is_async = inspect.iscoroutinefunction(function)
    return markcoroutinefunction(checked) if is_async else checked


def refuse_unknown(given: Iterable[str], known: Iterable[str], function: str) -> None:
    """Raise InvalidMessage for the first name that is none of the known ones."""
    names = tuple(known)
    for name in given:
        if name not in names:
            raise InvalidMessage(name, _advice(name, names, function))


def _advice(name: str, known: tuple[str, ...], function: str) -> str:
    words = {"function": function}
    if name == OUTBOX_ONLY:
        text = _("%(function)s sends now; to send later, call %(other)s.")
        return text % {**words, "other": function.replace("send", "queue")}
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        text = _("%(function)s has no such keyword; did you mean “%(near)s”?")
        return text % {**words, "near": near[0]}
    text = _("%(function)s has no such keyword; it has: %(known)s.")
    return text % {**words, "known": ", ".join(known)}


def read_choice(field: str, value: Any, choices: type[Choices]) -> Any:
    """Return the plain value of a choice; InvalidMessage names the nearest to none."""
    known: Sequence[Any] = choices.values
    if value in known and not isinstance(value, bool):
        return known[known.index(value)]
    # Of numbers the nearest as they are written may be the farthest in meaning.
    near = difflib.get_close_matches(str(value), [n for n in known if n == str(n)], n=1)
    if near:
        reason = _("“%(value)s” is none of its values; did you mean “%(near)s”?")
        raise InvalidMessage(field, reason % {"value": value, "near": near[0]})
    reason = _("It is one of these values: %(known)s.")
    named = listed(_in_words(each) for each in choices)
    raise InvalidMessage(field, reason % {"known": named})


def _in_words(choice: Any) -> str:
    is_plain = isinstance(choice.value, str)
    return choice.value if is_plain else f"{choice.value} ({choice.label})"
