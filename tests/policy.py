"""The strictest policy a project may have; the admin has to work under it."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

_Respond = Callable[[HttpRequest], HttpResponse]


def strict_policy(get_response: _Respond) -> _Respond:
    """Forbid inline styles and scripts, and everything of other hosts; middleware."""

    def respond(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["Content-Security-Policy"] = "default-src 'self'"
        return response

    return respond
