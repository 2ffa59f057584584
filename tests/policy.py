"""The strictest policy a project may have; the admin has to work under it.

And the order that the live server needs: its threads share one connection to a
database in memory, where a transaction of one would run into that of another.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

_Respond = Callable[[HttpRequest], HttpResponse]

turns: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()
"""A lock while a browser is open: two clicks are two requests at once."""


def one_at_a_time(get_response: _Respond) -> _Respond:
    """Answer one request after the other while ``turns`` is a lock; middleware."""

    def respond(request: HttpRequest) -> HttpResponse:
        with turns:
            return get_response(request)

    return respond


def strict_policy(get_response: _Respond) -> _Respond:
    """Forbid inline styles and scripts, and everything of other hosts; middleware."""

    def respond(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["Content-Security-Policy"] = "default-src 'self'"
        return response

    return respond
