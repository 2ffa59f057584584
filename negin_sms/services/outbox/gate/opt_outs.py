"""Opt-outs: who wants no messages from a line; entered, ended, asked about.

The gateway says it with code 27, and says nothing when people opt in again: what it
said is minded for OPT_OUT_DAYS, then tried anew. What a person entered holds until the
date they gave, or for good. Only what would end there is stopped by it: a single
message that is neither urgent nor sensitive. The other scenarios have a way round.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connections, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from negin_sms import conf
from negin_sms.choices import Priority, Scenario
from negin_sms.error_reports import private
from negin_sms.exceptions import InvalidMessage, Rejected
from negin_sms.gateway.cleaning import clean
from negin_sms.gateway.codes import OPTED_OUT, code_meaning
from negin_sms.models import Message, OptOut
from negin_sms.phones import normalize_mobile
from negin_sms.querysets import DbNow, database_now
from negin_sms.services.accounts import find_account
from negin_sms.services.database import write_alias
from negin_sms.services.outbox.jobs import SendResult
from negin_sms.services.submission.arguments import User, user_key
from negin_sms.services.submission.compose import read_line
from negin_sms.services.submission.drafting import Refusal, refuse_amount
from negin_sms.services.submission.recipients.tables import Row
from negin_sms.written_dates import read_moment

logger = logging.getLogger("negin_sms")

_CHUNK = 500
_LONGEST_REASON = 200


@private
def opt_out(
    mobile: object,
    *,
    line: str | None = None,
    account: str | None = None,
    reason: str = "",
    until: datetime | str | None = None,
    by: User | None = None,
) -> OptOut:
    """Let a number get no more single messages from a line; return the row.

    From every line of ``account`` where that is named, of the default account where
    neither is. It holds until ``until`` (an aware datetime, or a day and its time as
    people write them), for good without one. Entered again it says what was said last.
    Raise InvalidMessage for a number, a line or a moment that is none.
    """
    using = write_alias()
    now = database_now(using)
    made = _make(mobile, _scope(line, account), now, reason, _end(until, now), by)
    _enter([made], using)
    return _of([made.mobile], using).get(line=made.line, account=made.account)


@private
def opt_in(
    mobile: object, *, line: str | None = None, account: str | None = None
) -> int:
    """End a number's opt-outs now; return how many those were.

    All that it has, or the one from a line or an account. Raise InvalidMessage for a
    number or a line that is none.
    """
    using = write_alias()
    rows = _of([normalize_mobile(mobile)], using)
    if line is not None or account is not None:
        rows = rows.filter(**_scope(line, account))
    return end(rows)


def end(rows: QuerySet[OptOut]) -> int:
    """End these opt-outs now; return how many held."""
    return rows.filter(lasts()).update(until=DbNow())


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutImport:
    """What became of a table of numbers: ``entered``, each once, and ``refused``."""

    entered: int
    refused: tuple[Refusal, ...]


@private
def import_opt_outs(
    rows: Sequence[Row],
    *,
    line: str | None = None,
    account: str | None = None,
    reason: str = "",
    until: datetime | str | None = None,
    by: User | None = None,
) -> OptOutImport:
    """Enter the numbers of a table as ``opt_out`` does; leave out what is none.

    For the admin, which reads the table; a program calls ``opt_out`` for each number.
    Raise InvalidMessage for what concerns all, "recipients" for none or too many.
    """
    refuse_amount(len(rows))
    using = write_alias()
    scope, now = _scope(line, account), database_now(using)
    end = _end(until, now)
    found: dict[str, OptOut] = {}
    refused = []
    for row in rows:
        try:
            if row.problem:
                raise InvalidMessage("mobile", row.problem)
            made = _make(row.mobile, scope, now, reason, end, by)
            found[made.mobile] = made
        except InvalidMessage as error:
            refused.append(Refusal(row, str(error.reason)))
    _enter(list(found.values()), using)
    return OptOutImport(entered=len(found), refused=tuple(refused))


def remember(results: Iterable[SendResult], using: str) -> None:
    """Enter what the gateway said with code 27; raises nothing of it.

    The results are written by now. What fails here is learnt from the next refusal.
    """
    told = [result for result in results if _tells(result)]
    if not told:
        return
    try:
        with transaction.atomic(using=using):
            _enter_told(told, using)
    except Exception as error:
        # Its text may hold the number, so only its kind is told.
        logger.error("SMS opt-outs were not kept: %s", type(error).__name__)


def find(
    messages: Sequence[Message], account: conf.Account, using: str
) -> dict[int, OptOut]:
    """Return what stops these messages of an account, by their primary key.

    One query, and none where no message would mind.
    """
    minding = (m for m in messages if m.may_have_opt_out and is_stopped(m))
    lines = {m.pk: _line_of(m, account) for m in minding}
    if not lines or not account.opt_outs:
        return {}
    asked = [message for message in messages if message.pk in lines]
    scope = Q(line__in=set(lines.values()) - {""}) | Q(account=account.alias)
    rows = _of({m.mobile for m in asked}, using).filter(lasts(), scope)
    known = {(row.mobile, row.line): row for row in rows}
    keys = {m.pk: ((m.mobile, lines[m.pk]), (m.mobile, "")) for m in asked}
    found = {pk: known.get(own) or known.get(all_) for pk, (own, all_) in keys.items()}
    return {pk: row for pk, row in found.items() if row}


def is_stopped(message: Message) -> bool:
    """Return whether an opt-out ends this kind of message.

    Not where another way is taken, and not a code that somebody waits for.
    """
    urgent = message.priority == Priority.URGENT or message.sensitive
    return message.scenario == Scenario.SINGLE and not urgent


def lately_opted_out(
    account: conf.Account, since: datetime, using: str
) -> QuerySet[OptOut]:
    """Return what holds and was entered since then of an account and its own lines."""
    lines = {account.line, account.line2} - {""}
    scope = Q(line__in=lines) | Q(account=account.alias)
    rows = OptOut.objects.using(using).filter(lasts(), scope, since__gte=since)
    return rows.order_by("-since", "-id")


def forget_ended(before: datetime, using: str) -> int:
    """Delete the opt-outs that ended before a moment; return how many."""
    ended, total = OptOut.objects.using(using).filter(until__lt=before), 0
    while keys := list(ended.order_by("pk").values_list("pk", flat=True)[:_CHUNK]):
        # Asked again: it may have been entered anew meanwhile.
        total += ended.filter(pk__in=keys).delete()[0]
    return total


def _line_of(message: Message, account: conf.Account) -> str:
    return message.line or (account.line if message.default_line else "")


def _of(mobiles: Iterable[str], using: str) -> QuerySet[OptOut]:
    return OptOut.objects.using(using).filter(mobile__in=list(mobiles))


def lasts() -> Q:
    """Return the condition of what holds now."""
    return Q(until__isnull=True) | Q(until__gt=DbNow())


def _scope(line: str | None, account: str | None) -> dict[str, str]:
    """Return what is opted out of: a line, or an account and all of its lines."""
    if line and account:
        reason = _("Give a line or an account, not both.")
        raise InvalidMessage("account", reason)
    if line:
        return {"line": read_line("line", line) or "", "account": ""}
    return {"line": "", "account": find_account(account or conf.DEFAULT_ALIAS).alias}


def _make(
    mobile: object,
    scope: dict[str, str],
    now: datetime,
    reason: str,
    until: datetime | None,
    by: User | None,
) -> OptOut:
    return OptOut(
        mobile=normalize_mobile(mobile),
        **scope,
        reason=clean(reason, limit=_LONGEST_REASON),
        since=now,
        until=until,
        created_by_id=user_key(by),
    )


def _end(until: datetime | str | None, now: datetime) -> datetime | None:
    if until is None:
        return None
    end = read_moment(until, "until", now=now, is_end=True)
    if end <= now:
        raise InvalidMessage("until", _("It is over by then: give a later date."))
    return end


def _enter(rows: Sequence[OptOut], using: str) -> None:
    """Write them, over what was entered of the same number and line before."""
    has_target = connections[using].features.supports_update_conflicts_with_target
    OptOut.objects.using(using).bulk_create(
        rows,
        batch_size=_CHUNK,
        update_conflicts=True,
        update_fields=["since", "until", "reason", "created_by"],
        unique_fields=["mobile", "line", "account"] if has_target else None,
    )


def _tells(result: SendResult) -> bool:
    job, error = result.job, result.error
    is_opt_out = isinstance(error, Rejected) and error.code == OPTED_OUT
    return is_opt_out and job.account.opt_outs and bool(job.request.line)


def _enter_told(results: Iterable[SendResult], using: str) -> None:
    """Enter what is new, and prolong what ends before; what lasts longer stays."""
    now = database_now(using)
    rows = OptOut.objects.using(using)
    for result in results:
        job, days = result.job, result.job.account.opt_out_days
        scope = {"line": job.request.line, "account": ""}
        until = now + timedelta(days=days)
        row = _make(
            job.request.mobile, scope, now, code_meaning(OPTED_OUT), until, None
        )
        rows.bulk_create([row], ignore_conflicts=True)
        known = rows.filter(mobile=row.mobile, line=row.line, account="")
        known.filter(until__lt=until).update(
            since=now, until=until, reason=row.reason, created_by=None
        )
