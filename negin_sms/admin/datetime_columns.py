"""Columns and read-only fields of dates, in the calendar of the language."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib import admin
from django.db import models
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from negin_sms.dates import exact_words, moment_words
from negin_sms.models import AccountState, DeliveryState, Message, OptOut
from negin_sms.services.operations.resending import left_early

from .pages import AdminPart


def moment(
    model: type[models.Model],
    name: str,
    words: Callable[[datetime], str] = moment_words,
) -> Callable[[Any, Any], str]:
    """Return what shows a field of a model that holds a moment."""
    field: Any = model._meta.get_field(name)

    @admin.display(description=field.verbose_name, ordering=name)
    def show(self: Any, row: models.Model) -> str:
        value = getattr(row, name)
        if value is None:
            return str(self.get_empty_value_display())
        return format_html('<span class="negin-sms-moment">{}</span>', words(value))

    return show


class HistoryMoments(AdminPart):
    """When something was done, on the page that says who did it."""

    object_history_template = "admin/negin_sms/object_history.html"


class MessageMoments(HistoryMoments):
    """Those of a message; the list has little room."""

    listed_created_at = moment(
        Message, "created_at", partial(moment_words, style="SHORT_DATETIME_FORMAT")
    )
    planned_at = moment(Message, "send_at")
    shown_expires_at = moment(Message, "expires_at")
    shown_created_at = moment(Message, "created_at")
    shown_due_at = moment(Message, "due_at")
    shown_claimed_until = moment(Message, "claimed_until")
    shown_finished_at = moment(Message, "finished_at")
    shown_state_at = moment(Message, "state_at")
    shown_poll_at = moment(Message, "poll_at")
    shown_settled_at = moment(Message, "settled_at")

    @admin.display(description=_("send at"), ordering="send_at")
    def shown_send_at(self, message: Message) -> str:
        """Return when the message was to leave, and whether somebody sent it before."""
        shown = self.planned_at(message)
        if not left_early(message):
            return shown
        return format_html("{} {}", shown, _("(it was sent before that)"))


class ReportMoments:
    """That of a delivery report, to the second: they follow each other fast."""

    shown_reported_at = moment(DeliveryState, "reported_at", exact_words)


class AccountMoments(HistoryMoments):
    """Those of an account's state."""

    shown_paused_at = moment(AccountState, "paused_at")
    shown_paused_until = moment(AccountState, "paused_until")
    shown_probe_until = moment(AccountState, "probe_until")
    shown_dispatcher_seen_at = moment(AccountState, "dispatcher_seen_at")
    shown_poller_seen_at = moment(AccountState, "poller_seen_at")
    shown_poll_after = moment(AccountState, "poll_after")


class OptOutMoments(HistoryMoments):
    """Those of an opt-out."""

    shown_since = moment(OptOut, "since")
    shown_until = moment(OptOut, "until")
