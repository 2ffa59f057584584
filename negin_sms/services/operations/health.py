"""How the queue stands, and what of it needs a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import AccountState, Message
from negin_sms.querysets import database_now, from_now
from negin_sms.services import breaker
from negin_sms.services.database import write_alias
from negin_sms.services.outbox.claims import expire_claims
from negin_sms.services.submission.compose import find_account

# A dispatcher and a poller leave a sign of life every half minute; cron starts
# them once a minute.
MISSING_AFTER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatus:
    """One account: messages by status, waiting times in seconds, signs of life."""

    account: str
    messages: dict[str, int]
    held: int
    due: int
    oldest_due_seconds: float
    states_due: int
    oldest_state_due_seconds: float
    paused: bool
    paused_until: datetime | None
    pause_reason: str
    dispatcher_seen_at: datetime | None
    poller_seen_at: datetime | None
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus:
    """All accounts; claims that had run out became uncertain just now."""

    accounts: tuple[AccountStatus, ...]
    expired_claims: int

    @property
    def problems(self) -> tuple[str, ...]:
        """Return a sentence for each thing that needs a person."""
        return tuple(text for account in self.accounts for text in account.problems)


def queue_status() -> QueueStatus:
    """Look at every account's messages, claims and signs of life."""
    using = write_alias()
    expired_claims = expire_claims()
    now = database_now(using)
    accounts = tuple(_look_at(a, now, using) for a in conf.get_accounts())
    return QueueStatus(accounts=accounts, expired_claims=expired_claims)


def dispatcher_is_missing() -> bool:
    """Return whether messages are due that no dispatcher has come for lately.

    Costs a look at the small table of accounts, and one EXISTS on the queue's index
    for the accounts that look abandoned.
    """
    using = write_alias()
    oldest = from_now(-MISSING_AFTER.total_seconds())
    alive = AccountState.objects.using(using).filter(dispatcher_seen_at__gt=oldest)
    seen = set(alive.values_list("account", flat=True))
    unseen = [a.alias for a in conf.get_accounts() if a.alias not in seen]
    due = Message.objects.using(using).due().filter(account__in=unseen)
    return bool(unseen) and due.exists()


def obstacles(alias: str) -> tuple[str, ...]:
    """Return a sentence for each thing that keeps an account's queue from leaving.

    Asked before anything is due, so an idle queue counts for nothing here.
    """
    try:
        account = find_account(alias)
    except InvalidMessage as error:
        return (str(error.reason),)
    if not account.dispatch:
        return (_("Sending is switched off for this account (DISPATCH)."),)
    using = write_alias()
    # Read only: a page that is merely looked at makes no row.
    states = AccountState.objects.using(using).filter(account=alias)
    state = states.first() or AccountState(account=alias)
    found = []
    if state.is_paused:
        found.append(_("The account is paused: %(why)s") % {"why": state.reason})
    seen_at = state.dispatcher_seen_at
    missing = seen_at is None or database_now(using) - seen_at > MISSING_AFTER
    # A waker starts the dispatcher when there is something to do.
    if missing and not account.waker:
        found.append(_("No dispatcher was seen for 5 minutes: run dispatch_sms_queue."))
    return tuple(found)


def _look_at(account: conf.Account, now: datetime, using: str) -> AccountStatus:
    state = breaker.get_state(account.alias, using)
    rows = Message.objects.using(using).filter(account=account.alias)
    due = rows.due(now).order_by("due_at")
    asked = rows.due_for_poll(now).order_by("poll_at")
    counts = rows.order_by().values_list("status").annotate(Count("pk"))
    held = rows.held().count()
    oldest_due = due.values_list("due_at", flat=True).first()
    oldest_asked = asked.values_list("poll_at", flat=True).first()
    messages = dict(counts)
    return AccountStatus(
        account=account.alias,
        messages=messages,
        held=held,
        due=due.count(),
        oldest_due_seconds=_age(oldest_due, now),
        states_due=asked.count(),
        oldest_state_due_seconds=_age(oldest_asked, now),
        paused=state.is_paused,
        paused_until=state.paused_until,
        pause_reason=state.reason,
        dispatcher_seen_at=state.dispatcher_seen_at,
        poller_seen_at=state.poller_seen_at,
        problems=tuple(
            _problems(
                account.alias, state, messages, held, oldest_due, oldest_asked, now
            )
        ),
    )


def _problems(
    alias: str,
    state: AccountState,
    messages: dict[str, int],
    held: int,
    oldest_due: datetime | None,
    oldest_asked: datetime | None,
    now: datetime,
) -> list[str]:
    found = []
    if uncertain := messages.get(Status.UNCERTAIN, 0):
        found.append(
            ngettext(
                "%(count)d message is uncertain: look in the panel, then resolve it.",
                "%(count)d messages are uncertain: look in the panel, then resolve them.",
                uncertain,
            )
            % {"count": uncertain}
        )
    if held:
        found.append(
            ngettext(
                "%(count)d message is held: look at it, then release or cancel it.",
                "%(count)d messages are held: look at them, then release or cancel them.",
                held,
            )
            % {"count": held}
        )
    if state.is_paused:
        found.append(_("The account is paused: %(why)s") % {"why": state.reason})
    if _waits_alone(oldest_due, state.dispatcher_seen_at, now) and not state.is_paused:
        found.append(_("Messages are due and no dispatcher runs: dispatch_sms_queue."))
    if _waits_alone(oldest_asked, state.poller_seen_at, now):
        found.append(_("States are due and no poller runs: poll_sms_states."))
    return [f"{alias}: {text}" for text in found]


def _waits_alone(
    waiting: datetime | None, seen_at: datetime | None, now: datetime
) -> bool:
    """Return whether something waits and nobody came by for five minutes."""
    missing = seen_at is None or now - seen_at > MISSING_AFTER
    return waiting is not None and now - waiting > MISSING_AFTER and missing


def _age(moment: datetime | None, now: datetime) -> float:
    return max(0.0, (now - moment).total_seconds()) if moment else 0.0
