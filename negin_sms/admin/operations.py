"""What the buttons do: call one service, and put its report into plain words.

To add a button: a function from messages to an Outcome, an Operation with it in
OPERATIONS, and ``has_<name>_permission`` beside the others in ``views``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from django.contrib import messages as notices
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from negin_sms.choices import Status
from negin_sms.exceptions import InvalidConfiguration, NeginSmsError
from negin_sms.models import Message
from negin_sms.services import queue_messages, refresh_states, send_messages
from negin_sms.services.transactions import write_alias

# More than that would keep the browser waiting: they are left to the dispatcher.
AT_ONCE = 20
_NAMED = 5

Skipped = Iterable[tuple[int, str]]


@dataclass(slots=True)
class Outcome:
    """What to tell the user, and what to write into the history of which messages."""

    notices: list[tuple[int, str]] = field(default_factory=list)
    history: list[tuple[str, list[Message]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One button: whom it fits, how many it takes at most, what it does."""

    name: str  # in addresses, and in the permission has_<name>_permission
    label: Promise
    question: Promise
    limit: int
    asks_first: bool  # on a message's own page; on the list all do
    fits: Callable[[Message], bool]
    run: Callable[[Sequence[Message]], Outcome]


def carry_out(operation: Operation, chosen: Sequence[Message]) -> Outcome:
    """Do it; what cannot be done at all becomes a notice."""
    try:
        return operation.run(chosen)
    except (NeginSmsError, InvalidConfiguration) as error:
        return Outcome([(notices.ERROR, str(error))])


def send(chosen: Sequence[Message]) -> Outcome:
    """Send a few messages now, or queue many."""
    if len(chosen) > AT_ONCE:
        return _queue(chosen)
    report = send_messages(chosen)
    return _tell(chosen, report.skipped, _accepted_words, _unsent_words)


def refresh(chosen: Sequence[Message]) -> Outcome:
    """Ask the gateway what became of these messages."""
    report = refresh_states(chosen)
    words = _(
        "The gateway answered for %(answered)s of %(asked)s messages; %(changed)s "
        "changed, %(settled)s settled."
    ) % {
        "answered": report.answered,
        "asked": report.asked + report.put_off,
        "changed": report.changed,
        "settled": report.settled,
    }
    outcome = _tell(chosen, report.skipped, lambda _done: words, _unasked_words)
    outcome.notices += [(notices.ERROR, error) for error in report.errors]
    return outcome


def _queue(chosen: Sequence[Message]) -> Outcome:
    report = queue_messages(chosen)
    return _tell(chosen, report.skipped, _queued_words, lambda _row: _("Not queued"))


def _tell(
    chosen: Sequence[Message],
    skipped: Skipped,
    done_words: Callable[[list[Message]], str],
    skipped_words: Callable[[Message | None], str],
) -> Outcome:
    """Put a report into words: what was done, and what was not, reason by reason."""
    keys = [message.pk for message in chosen]
    rows = Message.objects.using(write_alias()).in_bulk(keys)
    reasons = dict(skipped)
    done = [rows[key] for key in keys if key in rows and key not in reasons]
    outcome = Outcome()
    if done:
        words = done_words(done)
        outcome.notices.append((notices.SUCCESS, words))
        outcome.history.append((words, done))
    groups: dict[tuple[str, str], list[int]] = {}
    for key, reason in reasons.items():
        groups.setdefault((skipped_words(rows.get(key)), reason), []).append(key)
    for (words, reason), left in groups.items():
        notice = f"{words} ({_which(left)}): {reason}"
        outcome.notices.append((notices.WARNING, notice))
        known = [rows[key] for key in left if key in rows]
        outcome.history.append((f"{words}: {reason}", known))
    return outcome


def _which(keys: Sequence[int]) -> str:
    names = ", ".join(map(str, keys[:_NAMED])) + (", …" if len(keys) > _NAMED else "")
    words = ngettext(
        "%(count)s message: %(names)s", "%(count)s messages: %(names)s", len(keys)
    )
    return words % {"count": len(keys), "names": names}


def _accepted_words(done: list[Message]) -> str:
    if len(done) == 1:
        words = _("The gateway accepted message %(pk)s; its id there is %(id)s.")
        return words % {"pk": done[0].pk, "id": done[0].gateway_id}
    return _("The gateway accepted %(count)s messages.") % {"count": len(done)}


def _queued_words(done: list[Message]) -> str:
    words = ngettext(
        "%(count)s message was queued. It is sent by a running dispatcher "
        "(manage.py dispatch_sms_queue).",
        "%(count)s messages were queued. They are sent by a running dispatcher "
        "(manage.py dispatch_sms_queue).",
        len(done),
    )
    return words % {"count": len(done)}


_UNSENT = {
    Status.QUEUED: gettext_lazy("Not sent now, still queued"),
    Status.REJECTED: gettext_lazy("Refused"),
    Status.UNCERTAIN: gettext_lazy("Uncertain, may have been sent"),
}


def _unsent_words(row: Message | None) -> str:
    words = _UNSENT.get(Status(row.status)) if row else None
    return str(words) if words else _("Not sent")


def _unasked_words(_row: Message | None) -> str:
    return _("Not asked about")


SEND = Operation(
    name="send",
    label=gettext_lazy("Send"),
    question=gettext_lazy("Send now?"),
    limit=10_000,
    asks_first=True,
    fits=lambda message: message.status in (Status.DRAFT, Status.QUEUED),
    run=send,
)
REFRESH = Operation(
    name="refresh",
    label=gettext_lazy("Refresh delivery state"),
    question=gettext_lazy("Ask the gateway for the delivery state?"),
    limit=1_000,
    asks_first=False,
    fits=lambda message: message.status == Status.ACCEPTED,
    run=refresh,
)
OPERATIONS = (SEND, REFRESH)
