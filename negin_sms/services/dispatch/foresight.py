"""Whom some messages will not reach, or not at their time; reads only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.db.models import Case, Exists, F, OuterRef, Q, Subquery, Value, When
from django.utils import timezone

from negin_sms import conf
from negin_sms.choices import Priority, Scenario
from negin_sms.error_reports import private
from negin_sms.models import Message, OptOut
from negin_sms.querysets import MessageQuerySet
from negin_sms.quiet_hours import quiet_until
from negin_sms.services.accounts import pause_ends_at
from negin_sms.services.operations.resending import planned_time
from negin_sms.services.outbox.gate.cap_forecast import Asking, count_over
from negin_sms.services.outbox.gate.opt_outs import is_stopped, lasts
from negin_sms.services.outbox.transitions import WAITING

_NEVER = datetime.max.replace(tzinfo=UTC)
_READ = (
    *("mobile", "status", "priority", "sensitive", "scenario"),
    *("send_at", "finished_at", "counted_for", "ignores_caps"),
)


@dataclass(frozen=True, slots=True)
class Unreached:
    """Whom some messages do not reach, and how many not at their time."""

    # Their numbers: of two messages to one, one person has opted out.
    opted_out: frozenset[str] = field(default=frozenset(), repr=False)
    # Who opted out of what is urgent or sensitive.
    tried: frozenset[str] = field(default=frozenset(), repr=False)
    by_number: int = 0  # messages over the caps of their numbers
    by_account: int = 0  # over the account's


@private
def unreached(
    messages: MessageQuerySet, alias: str, *, at: datetime | None = None
) -> Unreached:
    """Return whom messages of one account do not reach at their times.

    Or at another moment, to which they are all moved. What a pause or quiet hours keep
    is judged by their end, as the gate does.
    """
    account = {each.alias: each for each in conf.get_accounts()}.get(alias)
    if account is None:
        return Unreached()
    now = timezone.now()
    soonest = max(now, pause_ends_at(alias, messages.db) or now)
    ends = ends_of_opt_outs(messages, account)
    asking: list[Asking] = []
    stopped: set[str] = set()
    tried: set[str] = set()
    for message in messages.only(*_READ).in_queue_order():
        leaves_at = _leaves_at(message, at or planned_time(message), soonest, account)
        is_out = message.pk in ends and ends[message.pk] > leaves_at
        ends_here = is_out and is_stopped(message)
        if is_out:
            (stopped if ends_here else tried).add(message.mobile)
        asking.append(_asking(message, leaves_at, ends_here=ends_here))
    over = count_over(asking, account, messages.db)
    return Unreached(
        frozenset(stopped), frozenset(tried), over.by_number, over.by_account
    )


def ends_of_opt_outs(
    messages: MessageQuerySet, account: conf.Account
) -> dict[int, datetime]:
    """Return when the last opt-out of each single message ends, of those that hold."""
    if not account.opt_outs:
        return {}
    single = messages.filter(scenario=Scenario.SINGLE)
    # A line that nobody named is empty until the claim.
    own = Case(When(default_line=True, then=Value(account.line)), default=F("line"))
    scope = Q(line=OuterRef("leaves_by"), account="") | Q(account=account.alias)
    rows = OptOut.objects.filter(lasts(), scope, mobile=OuterRef("mobile"))
    found = single.alias(leaves_by=own).annotate(
        is_endless=Exists(rows.filter(until=None)),
        ends_at=Subquery(rows.order_by("-until").values("until")[:1]),
    )
    told = found.filter(Exists(rows)).values_list("pk", "is_endless", "ends_at")
    return {pk: _NEVER if is_endless else ends_at for pk, is_endless, ends_at in told}


def _leaves_at(
    message: Message,
    wished_at: datetime | None,
    soonest: datetime,
    account: conf.Account,
) -> datetime:
    leaves_at = max(wished_at or soonest, soonest)
    if message.priority != Priority.LOW:
        return leaves_at
    return quiet_until(leaves_at, account.quiet_hours) or leaves_at


def _asking(message: Message, at: datetime, *, ends_here: bool) -> Asking:
    # What is sent again has no place, and does not ignore caps any more.
    waits = message.status in WAITING
    place = message.counted_for if waits else None
    return Asking(message.mobile, at, place, message.ignores_caps and waits, ends_here)
