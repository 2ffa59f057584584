"""What the buttons do: call one service, and put its report into plain words.

To add a button: a function from an Order to an Outcome, a MessageAction with it in
ACTIONS, and ``has_<name>_permission`` beside the others in ``views``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.contrib import messages as notices
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from negin_sms.choices import Status
from negin_sms.exceptions import InvalidConfiguration, InvalidMessage, NeginSmsError
from negin_sms.models import Message
from negin_sms.services import (
    cancel,
    queue_messages,
    refresh_states,
    release,
    reschedule,
    resend,
    resolve,
    send_messages,
)
from negin_sms.services.database import write_alias
from negin_sms.services.operations.resending import may_resend
from negin_sms.services.outbox.transitions import WAITING

from .action_words import (
    accepted_words,
    cancel_advice,
    cancelled_words,
    queued_words,
    release_advice,
    released_words,
    resend_advice,
    resent_words,
    resolve_advice,
    resolved_words,
    scheduled_words,
    unsent_words,
    waiting_words,
)
from .decision_forms import DecisionForm, ResendForm, ResolveForm
from .outcomes import Outcome, tell
from .question_warnings import warnings_of_reach
from .waiting import is_scheduled

# More than that would keep the browser waiting: they are left to the dispatcher.
AT_ONCE = 20
# What the question's form posts: the digest of what it showed, and "now instead".
SEEN, NOW = "seen", "now"


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants it done, to which messages, and what they decided on the page."""

    messages: Sequence[Message]
    by: Any
    decision: Mapping[str, Any] = field(default_factory=dict)


def _no_advice(_chosen: Sequence[Message]) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAction:
    """One button: whom it fits, how many it takes at most, what it does."""

    name: str  # in addresses, and in the permission has_<name>_permission
    label: Promise
    list_label: Promise
    question: Promise
    limit: int
    fits: Callable[[Message], bool]
    run: Callable[[Order], Outcome]
    asks_first: bool = True  # on a message's own page; on the list all do
    # Before the button, of those that it fits.
    advice: Callable[[Sequence[Message]], str] = _no_advice
    form: type[DecisionForm] | None = None  # what has to be decided besides


def carry_out(action: MessageAction, order: Order) -> Outcome:
    """Do it; what cannot be done at all becomes a notice.

    Raise InvalidMessage("seen") where the messages are not what the page showed.
    """
    try:
        return action.run(order)
    except (NeginSmsError, InvalidConfiguration) as error:
        if isinstance(error, InvalidMessage) and error.field == SEEN:
            raise
        return Outcome([(notices.ERROR, str(error))])


def _send(order: Order) -> Outcome:
    """Queue what was seen; send a few at once, but for those whose time is to come."""
    chosen = order.messages
    queued = {m.pk for m in chosen if m.status == Status.QUEUED}
    unsent = partial(unsent_words, queued=queued)
    report = queue_messages(chosen, seen=order.decision[SEEN])
    if len(chosen) > AT_ONCE:
        return _leave_to_dispatcher(chosen, dict(report.skipped))
    waiting = [] if order.decision[NOW] else [m for m in chosen if is_scheduled(m)]
    due = [message for message in chosen if message not in waiting]
    released = release([message for message in waiting if message.is_held])
    outcome = tell(waiting, released.skipped, scheduled_words, unsent)
    if due:
        in_spite = [message for message in due if is_scheduled(message)]
        sent = tell(due, send_messages(due).skipped, accepted_words, unsent)
        outcome += sent
        _forget_times(in_spite, order.by)
    return outcome


def _leave_to_dispatcher(
    chosen: Sequence[Message], unqueued: dict[int, str]
) -> Outcome:
    """Release what is held of many; tell of it, of the drafts, and of what waited."""
    held = [message for message in chosen if message.is_held]
    waited = [message for message in chosen if message.status == Status.QUEUED]
    others = [message for message in chosen if message.status != Status.QUEUED]
    for message in (*held, *waited):
        unqueued.pop(message.pk, None)
    unqueued.update(release(held).skipped)
    left = tell(others, unqueued.items(), queued_words, lambda _row: _("Not queued"))
    return left + tell(waited, (), waiting_words, unsent_words)


def _forget_times(messages: Sequence[Message], by: Any) -> None:
    """Take the later time from what was to leave at once instead, and has not."""
    rows = Message.objects.using(write_alias()).filter(status=Status.QUEUED)
    for message in rows.filter(pk__in=[each.pk for each in messages]).defer("text"):
        with contextlib.suppress(NeginSmsError):  # it has left meanwhile
            reschedule(message, None, by=by)


def _refresh(order: Order) -> Outcome:
    """Ask the gateway what became of these messages."""
    report = refresh_states(order.messages)
    words = _(
        "The gateway answered for %(answered)s of %(asked)s messages; %(changed)s "
        "changed, %(settled)s settled."
    ) % {
        "answered": report.answered,
        "asked": report.asked + report.put_off,
        "changed": report.changed,
        "settled": report.settled,
    }
    outcome = tell(
        order.messages,
        report.skipped,
        lambda _done: words,
        lambda _row: _("Not asked about"),
    )
    # Django's page writes the first letter of a notice large: not an account's.
    told = (_("Account %(error)s") % {"error": error} for error in report.errors)
    return outcome + Outcome([(notices.ERROR, words) for words in told])


def _cancel(order: Order) -> Outcome:
    """Take messages out of the queue for good."""
    report = cancel(order.messages)
    return tell(
        order.messages,
        report.skipped,
        cancelled_words,
        lambda _row: _("Not cancelled"),
    )


def _release(order: Order) -> Outcome:
    """Let held messages leave, as they were shown."""
    report = release(order.messages, seen=order.decision[SEEN])
    return tell(
        order.messages,
        report.skipped,
        released_words,
        lambda _row: _("Not released"),
    )


def _resend(order: Order) -> Outcome:
    """Queue a new message for each; write it into the history of both."""
    report = resend(order.messages, by=order.by, **order.decision)
    outcome = tell(
        order.messages,
        report.skipped,
        resent_words,
        lambda _row: _("Not sent again"),
    )
    skipped = {key for key, _reason in report.skipped}
    done = [row.pk for row in order.messages if row.pk not in skipped]
    rows = Message.objects.using(write_alias()).resends_of(done)
    if children := list(rows.defer("text")):
        words = _("Made by sending another message again.")
        outcome.history.append((words, children))
    if any(order.decision.values()):  # else the question said it
        told = warnings_of_reach(children)
        outcome += Outcome([(notices.WARNING, words) for words in told])
    return outcome


def _resolve(order: Order) -> Outcome:
    """Decide what each message was; those that are not uncertain are skipped."""
    decision = order.decision
    skipped = []
    for message in order.messages:
        try:
            resolve(message, by=order.by, **decision)
        except NeginSmsError as error:
            skipped.append((message.pk, str(error)))
    status = Status(decision["status"]).label
    return tell(
        order.messages,
        skipped,
        lambda done: resolved_words(done, status, decision["why"]),
        lambda _row: _("Not resolved"),
    )


SEND = MessageAction(
    name="send",
    label=gettext_lazy("Send"),
    list_label=gettext_lazy("Send selected messages"),
    question=gettext_lazy("Send?"),
    limit=10_000,
    fits=lambda message: message.status in WAITING,
    run=_send,
    advice=release_advice,
)
REFRESH = MessageAction(
    name="refresh",
    label=gettext_lazy("Refresh delivery state"),
    list_label=gettext_lazy("Refresh delivery state"),
    question=gettext_lazy("Ask the gateway for the delivery state?"),
    limit=1_000,
    fits=lambda message: bool(message.gateway_id),
    run=_refresh,
    asks_first=False,
)
CANCEL = MessageAction(
    name="cancel",
    label=gettext_lazy("Cancel"),
    list_label=gettext_lazy("Cancel selected messages"),
    question=gettext_lazy("Never send?"),
    limit=10_000,
    fits=lambda message: message.status in WAITING,
    run=_cancel,
    advice=cancel_advice,
)
RELEASE = MessageAction(
    name="release",
    label=gettext_lazy("Release"),
    list_label=gettext_lazy("Release selected messages"),
    question=gettext_lazy("Let it leave?"),
    limit=10_000,
    fits=lambda message: message.is_held,
    run=_release,
    advice=release_advice,
)
RESEND = MessageAction(
    name="resend",
    label=gettext_lazy("Send again"),
    list_label=gettext_lazy("Send selected messages again"),
    question=gettext_lazy("Send again, as a new message?"),
    limit=500,
    fits=may_resend,
    run=_resend,
    advice=resend_advice,
    form=ResendForm,
)
RESOLVE = MessageAction(
    name="resolve",
    label=gettext_lazy("Resolve by hand"),
    list_label=gettext_lazy("Resolve selected messages by hand"),
    question=gettext_lazy("What became of it?"),
    limit=500,
    fits=lambda message: message.status == Status.UNCERTAIN,
    run=_resolve,
    advice=resolve_advice,
    form=ResolveForm,
)
ACTIONS = (SEND, REFRESH, CANCEL, RELEASE, RESOLVE, RESEND)
