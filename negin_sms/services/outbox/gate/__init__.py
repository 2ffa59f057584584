"""The gate: every message passes it once it is claimed, and before its first byte.

Whoever claimed it and whichever way it came, the same short list of rules is asked
(``rules``). What waits is queued again, what is stopped is cancelled, each with
its reason. What holds for a whole account is asked before anything is claimed, so that
its rows are not moved one by one. ``why_waiting`` asks the same rules and changes
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.choices import Priority, Status
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import AccountState, Message
from negin_sms.querysets import MessageQuerySet, database_now, from_now
from negin_sms.services.accounts import find_account
from negin_sms.services.database import write_alias
from negin_sms.services.outbox import transitions
from negin_sms.services.outbox.gate import caps, opt_outs, rules
from negin_sms.services.outbox.gate.rules import RULES, Passage, Rule, Verdict
from negin_sms.services.outbox.gateway_binding import is_elsewhere
from negin_sms.services.submission.arguments import one

_LOOK_AGAIN = 60.0  # seconds, where nobody knows when it may go


def let_out(
    messages: Sequence[Message],
    account: conf.Account,
    using: str,
    *,
    may_wait: bool = True,
) -> tuple[list[Message], dict[int, Verdict]]:
    """Ask the rules about claimed messages; move those that do not go.

    Return those that go, and the verdicts on the others by primary key. Without
    ``may_wait`` what is over a cap is stopped, and takes no place in the next period.
    """
    passage = _passage(messages, account, using, may_wait=may_wait)
    kept: list[Message] = []
    verdicts: dict[int, Verdict] = {}
    for message in messages:
        verdict = _ask(message, passage)
        if verdict is None:
            kept.append(message)
        else:
            verdicts[message.pk] = verdict
            _move(message, verdict, passage)
    return kept, verdicts


def why_waiting(message: Message) -> tuple[Verdict, ...]:
    """Return what keeps a message from leaving now, by the rules that it will meet.

    Reads only. Receivers of ``pre_send`` are the project's own and are not asked: what
    they said last is in the message's ``detail``.
    """
    using = write_alias()
    if one(message).is_held:
        is_over = message.expires_at <= database_now(using)
        held = Verdict(_("It is held: a person releases or cancels it."))
        return (_time_is_over() if is_over else held,)
    if message.status != Status.QUEUED:
        return ()
    try:
        account = find_account(message.account)
    except InvalidMessage as error:
        return (Verdict(str(error.reason)),)
    passage = Passage(
        account,
        using,
        database_now(using),
        is_leaving=False,
        places={message.pk: message.counted_for},
        opt_outs=opt_outs.find([message], account, using),
    )
    asked = [rule for rule in RULES if rule is not rules.check_receivers]
    found: dict[str, Verdict] = {}
    for verdict in _foretell(message, passage, (_check_time, _check_gateway, *asked)):
        # What was put off has the rule's own words, and a rule may say them again of
        # its next period: the last end is the one that holds.
        found.pop(verdict.reason, None)
        found[verdict.reason] = verdict
    return tuple(found.values())


def obstacles(account: conf.Account, using: str) -> tuple[Verdict, ...]:
    """Return what keeps all of an account's messages from leaving now; reads only."""
    passage = Passage(account, using, database_now(using), is_leaving=False)
    anybody = Message(account=account.alias, priority=Priority.NORMAL)
    return tuple(_foretell(anybody, passage, _OF_ACCOUNTS))


_OF_ACCOUNTS = (
    rules.check_dispatch,
    rules.check_breaker,
    rules.check_caps,
)


def open_priorities(account: conf.Account, using: str) -> Sequence[int]:
    """Return the priorities that may be claimed now, the most urgent first."""
    if account.quiet_hours is None:  # who has none need not ask for the time
        return rules.ALL_PRIORITIES
    return rules.awake_priorities(account, database_now(using))


def room(account: conf.Account, most: int, using: str) -> int:
    """Return how many messages the account's caps let be claimed, ``most`` at most."""
    if not account.account_caps:
        return most
    free = caps.account_room(account, database_now(using), using)
    return most if free is None else min(free, most)


def may_exceed(account: conf.Account, using: str) -> Q:
    """Return the condition of what may leave although the account's cap is used up."""
    return caps.may_exceed(account, database_now(using), using)


def due_overrides(account: conf.Account, using: str) -> MessageQuerySet:
    """Return what is due and may leave although the account's cap is used up."""
    due = Message.objects.using(using).due().filter(account=account.alias)
    due = due.filter(priority__in=open_priorities(account, using))
    return due.filter(may_exceed(account, using))


def _passage(
    messages: Sequence[Message], account: conf.Account, using: str, *, may_wait: bool
) -> Passage:
    stopped = opt_outs.find(messages, account, using)
    if not (account.mobile_caps or account.account_caps or account.quiet_hours):
        now = timezone.now()
        return Passage(account, using, now, may_wait=may_wait, opt_outs=stopped)
    rows = Message.objects.using(using).filter(pk__in=[m.pk for m in messages])
    places = dict(rows.values_list("pk", "counted_for"))
    now = database_now(using)
    return Passage(
        account, using, now, may_wait=may_wait, places=places, opt_outs=stopped
    )


def _ask(message: Message, passage: Passage) -> Verdict | None:
    found = (rule(message, passage) for rule in RULES)
    return next((verdict for verdict in found if verdict is not None), None)


def _foretell(
    message: Message, passage: Passage, asked: Sequence[Rule]
) -> Iterator[Verdict]:
    """Yield what keeps a message: each rule is asked of when those before let it go.

    Then those that keep it again by when the last one does: a cap may end at night.
    What expires before one ends meets no more of them.
    """
    for is_again in (False, True):
        if is_again and passage.waits_until is None:
            return
        for rule in asked:
            verdict = rule(message, passage)
            if verdict is None or (is_again and not _lasts_longer(verdict, passage)):
                continue
            yield verdict
            if _outlasts(verdict, message):
                return
            passage = passage.after(verdict)


def _outlasts(verdict: Verdict, message: Message) -> bool:
    until, ends_at = verdict.until, message.expires_at  # "anybody" has no end
    return until is not None and ends_at is not None and until >= ends_at


def _lasts_longer(verdict: Verdict, passage: Passage) -> bool:
    return verdict.until is not None and verdict.until > passage.at


def _move(message: Message, verdict: Verdict, passage: Passage) -> None:
    using = passage.using
    claimed = Message.objects.using(using).claimed_by(message.claim)
    row = claimed.filter(pk=message.pk)
    place = passage.places.get(message.pk)
    if verdict.stops:
        with transaction.atomic(using=using):
            if transitions.stop(row, verdict.reason):
                caps.give_back_places([(message, place)], passage.now, using)
        return
    transitions.put_off(
        row,
        verdict.until or from_now(_LOOK_AGAIN),
        verdict.reason,
        attempted=verdict.attempted,
    )


def _check_time(message: Message, passage: Passage) -> Verdict | None:
    if message.expires_at <= passage.now:
        return _time_is_over()
    if message.due_at <= passage.now:
        return None
    return Verdict(message.detail or _("It is not due yet."), until=message.due_at)


def _time_is_over() -> Verdict:
    return Verdict(_("Its time is over: it expires, and is not sent."))


def _check_gateway(message: Message, passage: Passage) -> Verdict | None:
    states = AccountState.objects.using(passage.using).filter(account=message.account)
    bound_to = states.values_list("gateway", flat=True).first() or ""
    if not is_elsewhere(passage.account, bound_to):
        return None
    return Verdict(
        _("The account is bound to another gateway, so these settings send nothing.")
    )
