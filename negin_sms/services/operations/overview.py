"""What an operator has to know at first glance, for a few bounded queries.

``queue_status`` counts everything and clears up; a page that is opened all day does
neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F

from negin_sms import conf
from negin_sms.choices import Priority, Status
from negin_sms.models import AccountState, Message
from negin_sms.querysets import MessageQuerySet, database_now
from negin_sms.services.database import write_alias

from .health import MISSING_AFTER

_CAP = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountGlance:
    """One account; ``pk`` is that of its AccountState, None before there is one."""

    account: str
    pk: int | None
    paused: bool
    paused_until: datetime | None
    pause_reason: str
    dispatcher_is_alive: bool
    dispatcher_seen_at: datetime | None
    poller_is_alive: bool
    poller_seen_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """How many messages wait for a person, and how the accounts stand.

    ``undecided`` are uncertain, ``held`` wait to be released. ``there_are_more``
    undecided ones, ``more_are_held``: it is at least so many, no more were looked at.
    """

    undecided: int
    there_are_more: bool
    held: int
    more_are_held: bool
    accounts: tuple[AccountGlance, ...]


def glance() -> Glance:
    """Look at what waits for a person, 1,000 of each at most, and at the accounts."""
    using = write_alias()
    uncertain = Message.objects.using(using).filter(status=Status.UNCERTAIN)
    # Counted inside a LIMIT: a million of them cost no more than a thousand.
    few = uncertain.order_by().values("pk", child=F("resent_as"))[: _CAP + 1]
    counts = few.aggregate(found=Count("pk"), resent=Count("child"))
    held = held_rows(using).count()
    return Glance(
        undecided=counts["found"] - counts["resent"],
        there_are_more=counts["found"] > _CAP,
        held=min(held, _CAP),
        more_are_held=held > _CAP,
        accounts=_look_at_accounts(using),
    )


def held_rows(using: str) -> MessageQuerySet:
    """Return the held messages, one more than the cap at the most.

    Account and priority are named for the queue's index, which has them before the
    due time: without them all that is queued would be read, and not what is held.
    """
    aliases = [account.alias for account in conf.get_accounts()]
    held = Message.objects.using(using).held()
    held = held.filter(account__in=aliases, priority__in=Priority.values)
    return held.order_by()[: _CAP + 1]


def _look_at_accounts(using: str) -> tuple[AccountGlance, ...]:
    aliases = [account.alias for account in conf.get_accounts()]
    rows = AccountState.objects.using(using).filter(account__in=aliases)
    states = {row.account: row for row in rows}
    now = database_now(using)
    unknown = (AccountState(account=alias) for alias in aliases if alias not in states)
    states |= {state.account: state for state in unknown}
    return tuple(_look_at(states[alias], now) for alias in aliases)


def _look_at(state: AccountState, now: datetime) -> AccountGlance:
    return AccountGlance(
        account=state.account,
        pk=state.pk,
        paused=state.is_paused,
        paused_until=state.paused_until,
        pause_reason=state.reason,
        dispatcher_is_alive=_is_alive(state.dispatcher_seen_at, now),
        dispatcher_seen_at=state.dispatcher_seen_at,
        poller_is_alive=_is_alive(state.poller_seen_at, now),
        poller_seen_at=state.poller_seen_at,
    )


def _is_alive(seen_at: datetime | None, now: datetime) -> bool:
    return seen_at is not None and now - seen_at <= MISSING_AFTER
