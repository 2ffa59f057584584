"""One judgement of how the app stands: findings, which all else only formats.

To add a finding about an account: a rule in ``account_health``, its threshold in
``conf.thresholds``, its page in the runbook.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.db import DatabaseError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from negin_sms import conf
from negin_sms.dates import moment_words
from negin_sms.exceptions import InvalidConfiguration
from negin_sms.quiet_hours import tehran_is_current

from . import accounts as account_health
from .findings import (
    CAP,
    Case,
    Finding,
    Rule,
    Severity,
    Thresholds,
    at_least,
    critical,
    database_is_away,
)
from .of_settings import no_default, unreadable, unusable
from .overview import Overview, overview

_CLOCK_LIMIT = 300.0  # s, from which on messages expire or wait wrongly


def health(
    *, account: str | None = None, thresholds: Thresholds | None = None
) -> tuple[Finding, ...]:
    """Judge one account or all; read only, and cheap beside a million messages.

    ``thresholds`` stand in for the settings' THRESHOLDS, by code; None leaves a
    finding out. Settings that cannot be read and a database that cannot be used are
    findings too. Raise InvalidConfiguration for an account that is not configured.
    """
    return look(account=account, thresholds=thresholds)[1]


def look(
    *, account: str | None = None, thresholds: Thresholds | None = None
) -> tuple[Overview | None, tuple[Finding, ...]]:
    """Return how the accounts stand, None where it cannot be seen, and the findings."""
    try:
        accounts = conf.get_accounts()
    except InvalidConfiguration as error:
        return None, (unreadable(error),)
    if account is not None:
        accounts = (conf.get_account(account),)
    chosen = [{**dict(each.thresholds), **(thresholds or {})} for each in accounts]
    try:
        began = timezone.now()
        seen = overview(account=account, drafts_older_than=_oldest_draft(chosen))
    except DatabaseError as error:
        return None, (database_is_away(error),)
    found = [] if account else [*no_default()]
    found += [*unusable(accounts), *_of_all(seen, chosen[0] if chosen else {}, began)]
    for each, stands, limits in zip(accounts, seen.accounts, chosen, strict=True):
        found += _of_account(Case(each, stands, seen.now, limits))
    return seen, tuple(found)


def obstacles(alias: str) -> tuple[Finding, ...]:
    """Return the findings that keep messages of an account from leaving."""
    try:
        found = health(account=alias)
    except InvalidConfiguration as error:
        return (critical("account_gone", str(error)),)
    return tuple(each for each in found if each.code in account_health.BLOCKING)


def _oldest_draft(chosen: Sequence[Thresholds]) -> float:
    ages = [each.get("drafts_forgotten") for each in chosen]
    return min((age for age in ages if age is not None), default=0.0)


def _of_all(seen: Overview, limits: Thresholds, began: datetime) -> Iterator[Finding]:
    """Yield what concerns no account of the settings, by the first one's thresholds."""
    clock, zone = limits.get("database_clock"), limits.get("time_zone_data")
    gone = limits.get("account_gone")
    if clock is not None:
        middle = began + (timezone.now() - began) / 2
        ahead = (middle - seen.now).total_seconds()
        if abs(ahead) >= clock:
            yield clock_finding("database_clock", _("the database's"), ahead)
    if zone is not None and not tehran_is_current(seen.now.year):
        yield _old_time_zones()
    for alias, count in seen.gone.items() if gone is not None else ():
        if count >= (gone or 1):
            yield _gone(alias, count)


def clock_finding(code: str, whose: str, ahead: float, account: str = "") -> Finding:
    """Return the finding for a clock that is so many seconds ahead of another."""
    words = (
        _("This machine's clock is %(seconds)d s ahead of %(whose)s.")
        if ahead > 0
        else _("This machine's clock is %(seconds)d s behind %(whose)s.")
    ) % {"seconds": abs(ahead), "whose": whose}
    serious = abs(ahead) > _CLOCK_LIMIT
    return Finding(
        code=code,
        severity=Severity.CRITICAL if serious else Severity.WARNING,
        text=words,
        advice=_("Have the clocks set by NTP: timedatectl set-ntp true."),
        account=account,
        value=abs(ahead),
    )


def _old_time_zones() -> Finding:
    return Finding(
        code="time_zone_data",
        severity=Severity.WARNING,
        text=_("The time zone data is old: it gives Iran a summer time."),
        advice=_("Update the system's tzdata, or run: pip install --upgrade tzdata."),
        value=1.0,
    )


def _gone(alias: str, count: int) -> Finding:
    text = ngettext(
        "%(count)s message waits in an account that the settings do not have.",
        "%(count)s messages wait in an account that the settings do not have.",
        count,
    )
    return Finding(
        code="account_gone",
        severity=Severity.WARNING,
        text=text % {"count": at_least(count)},
        advice=_("Put the alias back into the settings, or cancel the messages."),
        account=alias,
        count=min(count, CAP),
        is_capped=count > CAP,
        value=float(min(count, CAP)),
    )


def _of_account(case: Case) -> Iterator[Finding]:
    """Yield what is wrong with an account, what keeps its messages back first."""
    for code, rule in _RULES.items():
        limit = case.limit(code)
        if limit is not None and (finding := rule(case, limit)):
            yield finding


def _uncertain(case: Case, limit: float) -> Finding | None:
    count = case.stands.uncertain
    text = ngettext(
        "%(count)s message is uncertain: it may have been sent.",
        "%(count)s messages are uncertain: they may have been sent.",
        count,
    )
    advice = _("Look in the panel, then resolve (manage.py resolve_sms_message).")
    since = case.stands.uncertain_since
    found = case.counted("uncertain", text, advice, count=count, since=since)
    return found if count >= max(1, limit) else None


def _held(case: Case, limit: float) -> Finding | None:
    count = case.stands.held
    text = ngettext(
        "%(count)s message is held, and leaves only when somebody releases it.",
        "%(count)s messages are held, and leave only when somebody releases them.",
        count,
    )
    advice = _(
        "Look first, then cancel or release (or all: manage.py hold_sms_queue --release)."
    )
    found = case.counted("held", text, advice, count=count)
    return found if count >= max(1, limit) else None


def _server_changed(case: Case, limit: float) -> Finding | None:
    since, count = case.stands.server_changed_at, case.stands.held
    if since is None or count < max(1, limit):
        return None
    text = _(
        "Another database server answers since %(time)s: it failed over, or was "
        "restored. What was sent last may be among the messages that are held."
    )
    return case.finding(
        "server_changed",
        Severity.CRITICAL,
        text % {"time": moment_words(since, "Y-m-d H:i")},
        _(
            "Compare those of just before that time with the gateway's panel, cancel "
            "what was sent, release the others (or all: manage.py hold_sms_queue --release)."
        ),
        count=count,
        since=since,
    )


def _rejected(case: Case, limit: float) -> Finding | None:
    count = case.stands.rejected
    text = ngettext(
        "%(count)s message of the last hour was rejected.",
        "%(count)s messages of the last hour were rejected.",
        count,
    )
    advice = _("See “Answer” on each page; correct the cause, then send again.")
    of = count + case.stands.accepted
    return _share(case, "rejected", text, advice, count, of, limit)


def _expired(case: Case, limit: float) -> Finding | None:
    count = case.stands.expired
    text = ngettext(
        "%(count)s message expired within the last hour before it could be sent.",
        "%(count)s messages expired within the last hour before they could be sent.",
        count,
    )
    advice = _("Find the cause: a pause, RATE, quiet hours, or a short EXPIRES_IN.")
    of = count + case.stands.accepted + case.stands.rejected
    return _share(case, "expired", text, advice, count, of, limit)


def _share(
    case: Case, code: str, text: str, advice: str, count: int, of: int, limit: float
) -> Finding | None:
    if count < _FEW or count / of < limit:
        return None
    share = count / of
    severity = Severity.CRITICAL if share >= _MOST else Severity.WARNING
    return case.counted(code, text, advice, count=count, value=share, severity=severity)


_FEW = 5  # fewer are no share of anything
_MOST = 0.8


def _flagged(case: Case, limit: float) -> Finding | None:
    count = case.stands.flagged
    text = ngettext(
        "%(count)s message of the last day has a flag.",
        "%(count)s messages of the last day have a flag.",
        count,
    )
    advice = _("Filter the list by flag: each page says what the gateway did.")
    found = case.counted("flagged", text, advice, count=count)
    return found if count >= max(1, limit) else None


def _long_lease(case: Case, limit: float) -> Finding | None:
    ends = case.stands.longest_lease_until
    beyond = (ends - case.now).total_seconds() - case.account.lease if ends else 0.0
    if ends is None or beyond < limit:
        return None
    return case.finding(
        "long_lease",
        Severity.WARNING,
        _("A claim ends later than LEASE allows."),
        _("A clock was wrong, or --lease is longer. If its worker is gone, wait."),
        count=1,
        value=beyond,
        until=ends,
    )


def _drafts_forgotten(case: Case, limit: float) -> Finding | None:
    count = case.stands.drafts_forgotten
    text = ngettext(
        "%(count)s draft was never confirmed.",
        "%(count)s drafts were never confirmed.",
        count,
    )
    advice = _(
        "Confirm or discard what is under “Unconfirmed batches”; filter the list by "
        "status to send or cancel single drafts."
    )
    found = case.counted("drafts_forgotten", text, advice, count=count, value=limit)
    return found if count else None


_RULES: dict[str, Rule] = {
    **account_health.RULES,
    "uncertain": _uncertain,
    "held": _held,
    "server_changed": _server_changed,
    "rejected": _rejected,
    "expired": _expired,
    "flagged": _flagged,
    "long_lease": _long_lease,
    "drafts_forgotten": _drafts_forgotten,
}
