"""The page between a button and what it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from negin_sms.choices import Status
from negin_sms.dates import moment_words
from negin_sms.models import Message
from negin_sms.services.operations.resending import planned_time
from negin_sms.services.submission.seen import digest

from .action_words import scheduled_warnings
from .actions import AT_ONCE, RELEASE, RESEND, SEEN, SEND, MessageAction
from .displays import (
    gateway_answer,
    hidden_text,
    lines_of,
    ltr,
    message_text,
    status_badge,
)
from .pages import BATCH
from .privacy import PrivacyMixin
from .question_warnings import (
    obstacles_of,
    released_warnings,
    resent_warnings,
    rows_of,
    sending_warnings,
)
from .waiting import is_scheduled

_LISTED = 10
# In the address of a question that was asked from the review, to lead back to it.
REVIEWING = "reviewing"


class ConfirmationMixin(PrivacyMixin):
    """Show what will be done to which messages, with the button that does it."""

    def confirmation(
        self,
        request: HttpRequest,
        action: MessageAction,
        chosen: Sequence[Message],
        form: Any = None,
    ) -> HttpResponse:
        """Ask before an action; ``form`` is one that was filled in wrongly."""
        alone = chosen[0] if len(chosen) == 1 else None
        fit = _fit(action, chosen)
        if form is None and action.form:
            form = action.form(chosen=chosen)
        context = {
            "title": action.question,
            "action": action,
            "form": form,
            "media": self.media + form.media if form else self.media,
            "ids": ",".join(str(message.pk) for message in chosen),
            "action_url": self._action_url(request, action, alone),
            "back_url": self.way_back(request, alone),
            "fields": self._details(request, alone) if alone else [],
            "statuses": Counter(m.get_status_display() for m in chosen).items(),
            "listed": chosen[:_LISTED],
            "unlisted": len(chosen) - len(chosen[:_LISTED]),
            "unfit": 0 if action is RESEND else len(chosen) - len(fit),
            "advice": action.advice(fit),
            "is_queued": action is SEND and len(chosen) > AT_ONCE,
            "at_once": AT_ONCE,
            "seen": _digest(action, chosen) if action in (SEND, RELEASE) else "",
            **(_scheduling(chosen, fit) if action is SEND else {}),
            **(_releasing(fit) if action is RELEASE else {}),
            **(_resending(chosen, fit) if action is RESEND else {}),
        }
        return self.draw(request, "message/confirmation.html", context)

    def way_back(self, request: HttpRequest, alone: Message | None) -> str:
        """Return the address of where the question was asked, list filters included."""
        if REVIEWING in request.GET:
            return self.page_url("review")
        if group := request.GET.get(BATCH):
            return self.batch_url(group)
        back = ("change", alone.pk) if alone else ("changelist",)
        return self.with_filters(request, self.page_url(*back))

    def refuse(self, request: HttpRequest, asked: Sequence[Message]) -> HttpResponse:
        """Lead back those who had the right when their page was drawn.

        What they saw was held or became sensitive meanwhile, or their draft left.
        Raise PermissionDenied for all others.
        """
        seen = request.POST.get(SEEN, "")
        own = all(message.created_by_id == request.user.pk for message in asked)
        if not seen or not (own or seen != digest(rows_of(asked))):
            raise PermissionDenied
        words = _("It was sent, held or changed meanwhile: nothing was done.")
        self.warn(request, words)
        alone = asked[0] if len(asked) == 1 else None
        return HttpResponseRedirect(self.way_back(request, alone))

    def _action_url(
        self, request: HttpRequest, action: MessageAction, alone: Message | None
    ) -> str:
        if alone:
            url = self.page_url(action.name, alone.pk)
        else:
            url = self.page_url(f"{action.name}_selected")
        origin = {n: request.GET[n] for n in (REVIEWING, BATCH) if n in request.GET}
        if origin:
            url = f"{url}?{urlencode(origin)}"
        return self.with_filters(request, url)

    def _details(
        self, request: HttpRequest, message: Message
    ) -> list[tuple[object, object]]:
        """Return what somebody has to see of a message before anything is done."""
        number = self.may_read_number(request, message)
        text = message_text if self.may_read_text(request, message) else hidden_text
        line, line2 = lines_of(message)
        shown = [
            ("mobile", ltr(message.mobile if number else message.masked_mobile)),
            ("text", text(message)),
            ("parts", message.parts),
            ("scenario", message.get_scenario_display()),
            ("account", message.account),
            ("line", ltr(line) if line else ""),
            ("line2", ltr(line2) if line2 else ""),
            ("send_at", _moment(planned_time(message))),
            ("status", status_badge(message)),
            ("finished_at", _moment(message.finished_at)),
            ("answer", gateway_answer(message)),
        ]
        labels: dict[str, object] = {f.name: f.verbose_name for f in self.opts.fields}
        labels["answer"] = _("answer")
        return [(labels[name], value) for name, value in shown if value]


def _fit(action: MessageAction, chosen: Sequence[Message]) -> list[Message]:
    """Return those that it will be done to, as they stand."""
    fit = [message for message in chosen if action.fits(message)]
    if action is not RESEND:
        return fit
    resends = Message.objects.resends_of([message.pk for message in fit])
    done = set(resends.values_list("resend_of", flat=True))
    return [message for message in fit if message.pk not in done]


def _scheduling(chosen: Sequence[Message], fit: list[Message]) -> dict[str, object]:
    """Return what the question of sending shows and posts besides."""
    waiting = [message for message in fit if is_scheduled(message)]
    alone = waiting[0] if len(chosen) == 1 and waiting else None
    all_wait = bool(waiting) and waiting == fit
    is_scheduled_already = all_wait and all(
        message.status == Status.QUEUED for message in waiting
    )
    many = len(waiting)
    title = (
        ngettext("It is scheduled", "They are scheduled", many)
        if is_scheduled_already
        else ngettext("Schedule it?", "Schedule them?", many)
    )
    return {
        "waiting": scheduled_warnings(waiting),
        "schedules": all_wait,
        "leaves_at": alone.send_at if alone else None,
        "warnings": sending_warnings(waiting, fit, may_go_now=len(chosen) <= AT_ONCE),
        "obstacles": obstacles_of(fit, are_left=all_wait or len(chosen) > AT_ONCE),
        "is_scheduled": is_scheduled_already,
        **({"title": title} if all_wait else {}),
    }


def _releasing(fit: list[Message]) -> dict[str, object]:
    """Return what the question of releasing shows besides."""
    return {
        "warnings": released_warnings(fit),
        "obstacles": obstacles_of(fit, are_left=True),
    }


def _resending(chosen: Sequence[Message], fit: list[Message]) -> dict[str, object]:
    """Return what the question of sending again shows besides."""
    return {
        "warnings": resent_warnings(chosen, fit),
        "obstacles": obstacles_of(fit, are_left=True),
    }


def _digest(action: MessageAction, chosen: Sequence[Message]) -> str:
    rows = rows_of(chosen)
    return digest(rows.held() if action is RELEASE else rows)


def _moment(moment: datetime | None) -> str:
    return moment_words(moment) if moment else ""
