"""Addresses of our own pages, and what guards them.

They stand outside any transaction, whatever ATOMIC_REQUESTS says: what is sent
has to be durable first. The admin's own views are atomic, so an action or "Save
and send" only leads here.

All that stands on these mixins is free of ``ModelAdmin``, so that a project may put
it before the class of its own theme.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import messages as notices
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import connections, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from negin_sms.digits import in_persian_digits
from negin_sms.error_reports import private_view
from negin_sms.models import Message

# In the address of a batch's page, and of what is asked there, to lead back to it.
BATCH = "batch"
LONGEST_NAME = 200  # of what an entry of the history is about

if TYPE_CHECKING:
    from django.contrib import admin

    AdminPart = admin.ModelAdmin
else:
    AdminPart = object


class PagesMixin(AdminPart):
    """What every page of ours is made of."""

    def own_path(self, route: str, view: Any, name: str, **extra: Any) -> URLPattern:
        """Guard a view as the admin's, and keep it out of every transaction.

        It is called with what is extra.
        """
        guarded = self.admin_site.admin_view(private_view(view))
        for alias in connections:
            guarded = transaction.non_atomic_requests(using=alias)(guarded)
        return path(route, guarded, extra, self.url_name(name))

    def url_name(self, page: str) -> str:
        """Return the name of a page's address, without its namespace."""
        return f"{self.opts.app_label}_{self.opts.model_name}_{page}"

    def page_url(self, page: str, *args: Any) -> str:
        """Return the address of a page of this model, in this admin site."""
        name = f"admin:{self.url_name(page)}"
        return reverse(name, args=args, current_app=self.admin_site.name)

    def batch_url(self, group: str, page: str = "batch") -> str:
        """Return the address of a batch's page, or of another that asks of it."""
        return f"{self.page_url(page)}?{urlencode({BATCH: group})}"

    def with_filters(self, request: HttpRequest, url: str) -> str:
        """Return the address with the list's filters, to find back to them."""
        filters = self.get_preserved_filters(request)
        return add_preserved_filters(
            {"opts": self.opts, "preserved_filters": filters}, url
        )

    def redirect(self, request: HttpRequest, url: str) -> HttpResponse:
        """Lead to another page, with the list's filters."""
        return HttpResponseRedirect(self.with_filters(request, url))

    def draw(
        self, request: HttpRequest, template: str, context: dict[str, Any]
    ) -> HttpResponse:
        """Draw one of our pages in the admin's frame."""
        frame = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
        }
        name = f"admin/negin_sms/{template}"
        return TemplateResponse(request, name, frame | context)

    def get_visible(self, request: HttpRequest, object_id: int) -> Message:
        """Return a message that the user may see; 404 or 403 otherwise."""
        message: Message | None = self.get_object(request, str(object_id))
        if message is None:
            raise Http404
        if not self.has_view_or_change_permission(request, message):
            raise PermissionDenied
        return message

    def log(self, request: HttpRequest, rows: list[Message], words: str) -> None:
        """Write into the history of these messages what the user did."""
        by: Any = request.user.pk
        LogEntry.objects.log_actions(by, rows, CHANGE, words)

    def log_many(
        self, request: HttpRequest, flag: int, name: str, words: str
    ) -> LogEntry:
        """Write one entry for many rows into the history, under what they are called.

        A batch is called by its group, which all of it have.
        """
        by: Any = request.user.pk
        return LogEntry.objects.create(
            user_id=by,
            content_type=ContentType.objects.get_for_model(self.model),
            object_repr=name[:LONGEST_NAME],
            action_flag=flag,
            change_message=words,
        )

    def warn(self, request: HttpRequest, words: object) -> None:
        """Tell the user why nothing came of it."""
        self.message_user(request, str(words), notices.WARNING)


def speak_persian(urls: list[Any]) -> list[Any]:
    """Return the admin's addresses, their pages with the digits of the language."""
    for url in urls:
        url.callback = _speaking(url.callback)
    return urls


def _speaking(view: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(view)
    def speaking(*args: Any, **kwargs: Any) -> Any:
        return speak(view(*args, **kwargs))

    return speaking


def speak(response: Any) -> Any:
    """Return a page that will have the digits of the language; others as they are."""
    if isinstance(response, TemplateResponse):
        response.add_post_render_callback(_rewrite)
    return response


def _rewrite(response: HttpResponse) -> None:
    if response.get("Content-Type", "").startswith("text/html"):
        response.content = in_persian_digits(response.text).encode(response.charset)
