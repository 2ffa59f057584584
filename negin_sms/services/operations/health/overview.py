"""How each account stands: counts and moments, at the same cost beside a million rows.

Everything is asked in one statement. Counts are counted inside a LIMIT, moments are
read from the end of an index.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import F, QuerySet, Subquery, Value
from django.db.models.functions import Concat
from django.utils import timezone

from negin_sms import conf
from negin_sms.choices import Priority, Status
from negin_sms.gateway.cleaning import clean
from negin_sms.models import AccountState, Message
from negin_sms.querysets import MessageQuerySet, database_now
from negin_sms.services.database import write_alias
from negin_sms.services.outbox.gate.opt_outs import lately_opted_out
from negin_sms.services.outbox.gate.rules import awake_priorities
from negin_sms.services.outbox.gateway_binding import is_elsewhere

from .findings import CAP
from .first_rows import Count, CountEnded, Earliest

LATELY = timedelta(hours=1)
_LAST_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountOverview:
    """One account; every count is ``CAP + 1`` (1,001) where there are more.

    ``due`` may leave now, ``queued`` will. ``uncertain`` leaves out what was sent
    again. ``ended`` counts what ended within the last hour, ``accepted``, ``rejected``
    and ``expired`` how: of the newest ``CAP + 1``, where there are more. ``flagged``
    and ``opt_outs`` are of the last day. ``pk`` is that of the AccountState, None
    before there is one.
    """

    account: str
    pk: int | None
    drafts: int
    drafts_forgotten: int
    queued: int
    due: int
    oldest_due_at: datetime | None
    held: int
    sending: int
    longest_lease_until: datetime | None
    uncertain: int
    uncertain_since: datetime | None
    ended: int
    accepted: int
    rejected: int
    expired: int
    flagged: int
    opt_outs: int
    states_due: int
    oldest_state_due_at: datetime | None
    paused_at: datetime | None
    paused_until: datetime | None
    paused_by: str  # a user's name, or ""
    pause_reason: str
    switched_off: bool
    bound_elsewhere: bool
    poll_failures: int
    poll_error: str
    dispatcher_seen_at: datetime | None
    poller_seen_at: datetime | None
    server_changed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All accounts at one moment of the database's clock.

    ``gone`` counts what waits in accounts that the settings have no more.
    """

    now: datetime
    accounts: tuple[AccountOverview, ...]
    gone: dict[str, int]


def overview(
    *, account: str | None = None, drafts_older_than: float = 7 * 86_400
) -> Overview:
    """Look at one account or at all; read only.

    Raise InvalidConfiguration for an account that is not configured.
    """
    using = write_alias()
    accounts = [conf.get_account(account)] if account else conf.get_accounts()
    now = database_now(using)
    forgotten = now - timedelta(seconds=drafts_older_than)
    questions = {
        f"{number}_{name}": question
        for number, each in enumerate(accounts)
        for name, question in _questions(each, now, forgotten, using)
    }
    answers = _ask(questions, using)
    states = _states(accounts, using)
    return Overview(
        now=now,
        accounts=tuple(
            _account(each, states[each.alias], _of(number, answers), now)
            for number, each in enumerate(accounts)
        ),
        gone={} if account else _gone(using),
    )


def _questions(
    account: conf.Account, now: datetime, forgotten: datetime, using: str
) -> Iterator[tuple[str, Subquery]]:
    """Yield the counts and moments of an account, as parts of one statement."""
    rows = Message.objects.using(using).filter(account=account.alias)
    waiting = rows.order_by("priority", "due_at", "id")
    uncertain = waiting.filter(status=Status.UNCERTAIN).not_resent()
    sending = waiting.filter(status=Status.SENDING)
    longest = sending.order_by(F("claimed_until").desc(nulls_last=True))
    # Where the index has no account: as an expression, or PostgreSQL reads all rows of
    # the account by another index.
    mixed = Message.objects.using(using).alias(own=Concat("account", Value("")))
    mixed = mixed.filter(own=account.alias)
    ended = mixed.filter(finished_at__gte=now - LATELY)
    ended = ended.order_by("-finished_at", "-id")
    asked = mixed.due_for_poll(now).order_by("poll_at")
    yield "drafts", _count(waiting.filter(status=Status.DRAFT))
    yield "queued", _count(waiting.filter(status=Status.QUEUED))
    yield "sending", _count(sending)
    yield "longest_lease_until", _first(longest, "claimed_until")
    yield "uncertain", _count(uncertain)
    yield "uncertain_since", Earliest(uncertain.values(moment=F("finished_at")))
    yield "ended", _count(ended)
    for status in (Status.ACCEPTED, Status.REJECTED, Status.EXPIRED):
        yield status.value, CountEnded(ended.values(ended=F("status")), status)
    yield "states_due", _count(asked)
    yield "oldest_state_due_at", _first(asked, "poll_at")
    # As a range: SQLite would not look for one of the flags by their index.
    flagged = mixed.filter(flag__gt="", finished_at__gte=now - _LAST_DAY)
    yield "flagged", _count(flagged.order_by("-flag", "-id"))
    yield "opt_outs", _count(lately_opted_out(account, now - _LAST_DAY, using))
    yield from _of_each_priority(account, rows, now, forgotten)


def _of_each_priority(
    account: conf.Account, rows: MessageQuerySet, now: datetime, forgotten: datetime
) -> Iterator[tuple[str, Subquery]]:
    """Yield what is counted one priority at a time, as the index has it."""
    awake = awake_priorities(account, now)
    for priority in Priority.values:
        queue = rows.filter(priority=priority).order_by("-due_at", "-id")
        drafts = queue.filter(status=Status.DRAFT, due_at__lt=forgotten)
        yield f"forgotten_{priority}", _count(drafts)
        yield f"held_{priority}", _count(queue.held())
        if priority in awake:
            due = queue.due(now).order_by("due_at", "id")
            yield f"due_{priority}", _count(due)
            yield f"oldest_{priority}", _first(due, "due_at")


def _count(rows: QuerySet[Any]) -> Subquery:
    # In the order of an index: else PostgreSQL, which takes rows to lie anywhere,
    # reads all of the table to find those few that were written last.
    return Count(rows.values("pk"))


def _first(rows: MessageQuerySet, column: str) -> Subquery:
    return Subquery(rows.values(column)[:1])


def _ask(questions: dict[str, Subquery], using: str) -> dict[str, Any]:
    """Return all answers of one statement; none where there is no message at all."""
    rows: Any = Message.objects.using(using).order_by()
    named = {f"asked_{name}": question for name, question in questions.items()}
    return next(iter(rows.values(**named)[:1]), {}) if named else {}


def _of(number: int, answers: dict[str, Any]) -> dict[str, Any]:
    begin = f"asked_{number}_"
    return {
        name.removeprefix(begin): value
        for name, value in answers.items()
        if name.startswith(begin)
    }


def _account(
    account: conf.Account, state: AccountState, answers: dict[str, Any], now: datetime
) -> AccountOverview:
    moments = {p: answers.get(f"oldest_{p}") for p in Priority.values}
    # What waited for the end of the quiet hours waits since then.
    if (low := moments[Priority.LOW]) and account.quiet_hours:
        moments[Priority.LOW] = max(low, _last(account.quiet_hours[1], now))

    def added(name: str, parts: Iterable[Any] = Priority.values) -> int:
        counts: Iterable[int] = (answers.get(f"{name}_{part}", 0) for part in parts)
        return min(sum(counts), CAP + 1)

    return AccountOverview(
        account=account.alias,
        pk=state.pk,
        drafts_forgotten=added("forgotten"),
        due=added("due"),
        oldest_due_at=min(filter(None, moments.values()), default=None),
        held=added("held"),
        paused_at=state.paused_at,
        paused_until=state.paused_until,
        paused_by=_name_of(state.paused_by_id),
        pause_reason=state.reason,
        switched_off=not account.dispatch,
        bound_elsewhere=is_elsewhere(account, state.gateway),
        poll_failures=state.poll_failures,
        poll_error=state.poll_error,
        dispatcher_seen_at=state.dispatcher_seen_at,
        poller_seen_at=state.poller_seen_at,
        server_changed_at=state.server_changed_at,
        **_alone(answers),
    )


def _alone(answers: dict[str, Any]) -> dict[str, Any]:
    counts = {name: answers.get(name, 0) for name in _COUNTS}
    return counts | {name: answers.get(name) for name in _MOMENTS}


_COUNTS = (
    *("drafts", "queued", "sending", "uncertain", "states_due", "flagged", "opt_outs"),
    *("ended", "accepted", "rejected", "expired"),
)
_MOMENTS = ("longest_lease_until", "uncertain_since", "oldest_state_due_at")


def _states(accounts: Sequence[conf.Account], using: str) -> dict[str, AccountState]:
    aliases = [account.alias for account in accounts]
    rows = AccountState.objects.using(using).filter(account__in=aliases)
    found = {row.account: row for row in rows}
    return {a: found.get(a) or AccountState(account=a) for a in aliases}


def _name_of(user: int | None) -> str:
    """Return who paused, read by key: users may live in a database of their own."""
    if user is None:
        return ""
    found = get_user_model()._default_manager.filter(pk=user).first()
    return clean(found.get_username()) if found else f"#{user}"


def _gone(using: str) -> dict[str, int]:
    """Count what waits under aliases that are in no settings, from alias to alias.

    A step through the index for each alias that has a message waiting.
    """
    known = {account.alias for account in conf.get_accounts()}
    gone: Counter[str] = Counter()
    for status in (Status.QUEUED, "held"):
        rows = Message.objects.using(using).filter(status=status)
        alias = ""
        while found := _next_alias(rows, alias):
            alias = found
            if alias not in known:
                few = rows.filter(account=alias).in_queue_order()[: CAP + 1]
                gone[alias] += few.count()
    return dict(gone)


def _next_alias(rows: MessageQuerySet, after: str) -> str | None:
    # By all columns of the queue's index: others begin with the account, too, and
    # hold every message there ever was.
    aliases = rows.filter(account__gt=after)
    aliases = aliases.order_by("account", "priority", "due_at", "id")
    return aliases.values_list("account", flat=True).first()


def _last(clock: time, now: datetime) -> datetime:
    """Return when it was last so late by the default time zone."""
    local = timezone.localtime(now, timezone.get_default_timezone())
    last = local.replace(
        hour=clock.hour, minute=clock.minute, second=clock.second, microsecond=0
    )
    return last if last <= local else last - timedelta(days=1)
