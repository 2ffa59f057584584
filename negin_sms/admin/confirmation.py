"""The page between a button and what it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from negin_sms.choices import Status
from negin_sms.dates import moment_words
from negin_sms.models import Message
from negin_sms.querysets import MessageQuerySet
from negin_sms.services.database import write_alias
from negin_sms.services.operations.health.findings import Finding
from negin_sms.services.operations.health.judgement import obstacles
from negin_sms.services.operations.resending import why_not_resent
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
from .preview_warnings import Unreached, delay_warnings, reach_warnings, unreached
from .privacy import PrivacyMixin
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
            "seen": _digest(action, chosen) if action in (SEND, RELEASE) else "",
            **(_scheduling(chosen, fit) if action is SEND else {}),
            **({"warnings": _released_warnings(fit)} if action is RELEASE else {}),
            **({"warnings": _resent_warnings(chosen, fit)} if action is RESEND else {}),
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
        if not seen or not (own or seen != digest(_rows(asked))):
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
            ("send_at", _moment(message.send_at)),
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
        "warnings": _sending_warnings(waiting, fit, may_go_now=len(chosen) <= AT_ONCE),
        "obstacles": _obstacles(fit, are_left=all_wait or len(chosen) > AT_ONCE),
        "is_scheduled": is_scheduled_already,
        **({"title": title} if all_wait else {}),
    }


def _obstacles(fit: Sequence[Message], *, are_left: bool) -> list[Finding]:
    """Return what keeps these accounts from sending.

    That no dispatcher runs concerns only what is left to one.
    """
    found = [each for alias in _by_account(fit) for each in obstacles(alias)]
    return [each for each in found if are_left or each.code != "no_dispatcher"]


def _sending_warnings(
    waiting: Sequence[Message], fit: Sequence[Message], *, may_go_now: bool
) -> list[str]:
    """Return whom these do not reach, now or at their time, and what keeps them.

    Where ``may_go_now`` also what holds for all of them sent now instead.
    """
    told, at_once, now = [], [], timezone.now()
    for alias, of_account in _by_account(fit).items():
        later = [message for message in of_account if message in waiting]
        due = [message for message in of_account if message not in waiting]
        as_now = _unreached(of_account, at=now)
        as_wished = _unreached(due, at=now) + _unreached(later)
        told += reach_warnings(as_wished, alias)
        # Of several, as many may be others.
        if later and (as_now != as_wished or len(fit) > 1):
            at_once += reach_warnings(as_now, alias)
    told += _delay_warnings(fit)
    if len(fit) == 1 and waiting:
        at_once += _delay_warnings_now(fit[0])
    instead = _("Sent now instead: %(warning)s")
    at_once = [words for words in at_once if len(fit) > 1 or words not in told]
    return told + [instead % {"warning": words} for words in at_once if may_go_now]


def _released_warnings(fit: Sequence[Message]) -> list[str]:
    """Return whom these do not reach at their times, and what keeps a single one."""
    return _reach_warnings(fit) + _delay_warnings(fit)


def _delay_warnings(fit: Sequence[Message]) -> list[str]:
    """Return what a pause and quiet hours do to a single one, at its time or now.

    Not from when it was put off to: that is their end.
    """
    if len(fit) != 1:
        return []
    (alone,) = fit
    return delay_warnings(alone) if is_scheduled(alone) else _delay_warnings_now(alone)


def _delay_warnings_now(message: Message) -> list[str]:
    """Return what they do to one that is sent now.

    The lifetime of a draft, and of what has a time to come, begins anew then.
    """
    now, ends_at = timezone.now(), message.expires_at
    if message.lifetime and (message.status == Status.DRAFT or is_scheduled(message)):
        ends_at = now + message.lifetime
    return delay_warnings(message, due_at=now, expires_at=ends_at)


def _resent_warnings(chosen: Sequence[Message], fit: list[Message]) -> list[str]:
    """Return why some are skipped, and what will become of the others."""
    reasons = Counter(why for message in chosen if (why := why_not_resent(message)))
    done = len(chosen) - len(fit) - reasons.total()
    reasons[_("It was sent again already.")] = done
    words = [
        ngettext(
            "%(count)s message will be skipped: %(reason)s",
            "%(count)s messages will be skipped: %(reason)s",
            count,
        )
        % {"count": count, "reason": reason}
        for reason, count in reasons.items()
        if count
    ]
    return words + _reach_warnings(fit) + scheduled_warnings(fit)


def _reach_warnings(fit: Sequence[Message]) -> list[str]:
    """Return the warnings of those whom these do not reach at their times."""
    return [
        words
        for alias, of_account in _by_account(fit).items()
        for words in reach_warnings(_unreached(of_account), alias)
    ]


def _by_account(messages: Sequence[Message]) -> dict[str, list[Message]]:
    accounts: dict[str, list[Message]] = {}
    for message in messages:
        accounts.setdefault(message.account, []).append(message)
    return accounts


def _unreached(messages: Sequence[Message], *, at: datetime | None = None) -> Unreached:
    if not messages:
        return Unreached()
    return unreached(_rows(messages), messages[0], at=at)


def _digest(action: MessageAction, chosen: Sequence[Message]) -> str:
    rows = _rows(chosen)
    return digest(rows.held() if action is RELEASE else rows)


def _rows(chosen: Sequence[Message]) -> MessageQuerySet:
    keys = [message.pk for message in chosen]
    return Message.objects.using(write_alias()).filter(pk__in=keys)


def _moment(moment: datetime | None) -> str:
    return moment_words(moment) if moment else ""
