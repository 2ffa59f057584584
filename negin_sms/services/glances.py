"""What an operator has to know at first glance, for a few bounded queries.

``queue_status`` counts everything and clears up; a page that is opened all day does
neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.models import AccountState, Message
from negin_sms.querysets import database_now

from .status import MISSING_AFTER
from .transactions import write_alias

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
    """How many uncertain messages wait for a decision, and how the accounts stand.

    ``there_are_more`` says that it is at least so many: no more were looked at.
    """

    undecided: int
    there_are_more: bool
    accounts: tuple[AccountGlance, ...]


def glance() -> Glance:
    """Look at the uncertain messages (of 1,000 at the most) and the accounts."""
    using = write_alias()
    uncertain = Message.objects.using(using).filter(status=Status.UNCERTAIN)
    # Counted inside a LIMIT: a million of them cost no more than a thousand.
    few = uncertain.order_by().values("pk", child=F("resent_as"))[: _CAP + 1]
    counts = few.aggregate(found=Count("pk"), resent=Count("child"))
    return Glance(
        undecided=counts["found"] - counts["resent"],
        there_are_more=counts["found"] > _CAP,
        accounts=_look_at_accounts(using),
    )


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
