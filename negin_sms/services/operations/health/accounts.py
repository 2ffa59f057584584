"""What keeps an account's messages from leaving, or leaves nobody to ask about them.

Only one thing is said of what keeps them from leaving, the first that does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from negin_sms.characters import as_sentence
from negin_sms.services.database import write_alias
from negin_sms.services.outbox import gate
from negin_sms.services.outbox.journal.files import NoJournal, find_folder

from .findings import Case, Finding, Rule, Severity
from .overview import AccountOverview


def _switched_off(case: Case, limit: float) -> Finding | None:
    """Say that DISPATCH is off; a note as long as nothing waits for it."""
    if case.account.dispatch:
        return None
    since = case.stands.oldest_due_at
    lag = case.age(since)
    return case.finding(
        "switched_off",
        Severity.WARNING if since and lag >= limit else Severity.OK,
        _("Sending is switched off for this account (DISPATCH)."),
        _("Where it should send, take DISPATCH out of its settings."),
        count=case.stands.due,
        value=lag,
        since=since,
    )


def _paused(case: Case, limit: float) -> Finding | None:
    """Say that nothing leaves; a pause of seconds for throttling is none."""
    stands = case.stands
    began, ends = stands.paused_at, stands.paused_until
    if began is None:
        return None
    if ends and (ends - began).total_seconds() < limit:
        return None
    words, is_over = _pause_in_words(stands), ends is not None and ends <= case.now
    if is_over:
        words += " " + _(
            "Its time is over: the next message that is due tries the gateway, and the "
            "pause ends if that goes well."
        )
    return case.finding(
        "paused",
        Severity.WARNING if is_over and not stands.due else Severity.CRITICAL,
        words,
        _(
            "When the cause is gone: “Resume…” on the account's page in the admin, or "
            "manage.py resume_sms_account %(account)s"
        )
        % {"account": case.account.alias},
        count=stands.queued,
        value=case.age(began),
        since=began,
        until=ends,
        is_event=True,
    )


def _pause_in_words(stands: AccountOverview) -> str:
    values = {"why": as_sentence(stands.pause_reason), "user": stands.paused_by}
    if stands.paused_by:
        return _("The account was paused by %(user)s: %(why)s") % values
    return _("The account is paused: %(why)s") % values


@dataclass(frozen=True, slots=True)
class _Worker:
    """A process that has to run: when it was seen, and what waits for it."""

    command: str
    seen_at: datetime | None
    since: datetime | None
    count: int

    def is_missing(self, case: Case, limit: float | None) -> bool:
        """Return whether it has had no heartbeat for so many seconds."""
        return limit is not None and case.unseen_for(self.seen_at) >= limit


def _dispatcher(case: Case) -> _Worker:
    stands = case.stands
    seen_at, since = stands.dispatcher_seen_at, stands.oldest_due_at
    return _Worker("dispatch_sms_queue", seen_at, since, stands.due)


def _poller(case: Case) -> _Worker:
    stands = case.stands
    seen_at, since = stands.poller_seen_at, stands.oldest_state_due_at
    return _Worker("poll_sms_states", seen_at, since, stands.states_due)


def _other_gateway(case: Case, limit: float) -> Finding | None:
    if not case.stands.bound_elsewhere:
        return None
    advice = _("Is this one right? Then run: manage.py adopt_sms_account %(account)s")
    return case.finding(
        "other_gateway",
        Severity.CRITICAL,
        _("The account is bound to another gateway, so these settings send nothing."),
        advice % {"account": case.account.alias},
    )


def _no_journal(case: Case, limit: float) -> Finding | None:
    """Say that a killed process would leave more uncertain; STATE_DIR "" wants that."""
    if case.account.state_dir == "":
        return None
    try:
        find_folder(case.account.state_dir)
    except NoJournal as error:
        text = _("No journal can be kept: %(why)s") % {"why": error}
        advice = _("Without it a process that is killed leaves more uncertain.")
        return case.finding("no_journal", Severity.WARNING, text, advice)
    return None


def _no_dispatcher(case: Case, limit: float) -> Finding | None:
    if not case.needs_dispatcher or not _dispatcher(case).is_missing(case, limit):
        return None
    if case.age(_dispatcher(case).since) >= limit:
        text = _("Messages are due and no dispatcher runs.")
        return _missing(case, "no_dispatcher", Severity.CRITICAL, text)
    if case.account.waker:
        return None  # it starts the dispatcher when there is something to do
    text = _("No dispatcher runs: what is queued does not leave.")
    return _missing(case, "no_dispatcher", Severity.WARNING, text)


def _no_poller(case: Case, limit: float) -> Finding | None:
    if not _poller(case).is_missing(case, limit):
        return None
    if case.age(_poller(case).since) >= limit:
        text = _("States are due and no poller runs.")
        return _missing(case, "no_poller", Severity.CRITICAL, text)
    text = _("No poller runs: nobody asks what became of messages.")
    return _missing(case, "no_poller", Severity.WARNING, text)


def _missing(case: Case, code: str, severity: Severity, text: str) -> Finding:
    worker = _dispatcher(case) if code == "no_dispatcher" else _poller(case)
    advice = _("Start it, by cron or as a service: manage.py %(command)s.")
    unseen, since = case.unseen_for(worker.seen_at), worker.seen_at
    more = {"count": worker.count, "value": unseen, "since": worker.since or since}
    advice %= {"command": worker.command}
    return case.finding(code, severity, text, advice, **more)


def _dispatcher_late(case: Case, limit: float) -> Finding | None:
    missing = _dispatcher(case).is_missing(case, case.limit("no_dispatcher"))
    if missing or not case.needs_dispatcher or case.stands.paused_at:
        return None
    advice = _("Raise WORKERS, or RATE where it is set; see its log for errors.")
    found = _late(case, "dispatcher_late", _dispatcher(case), limit, advice)
    return None if found and _waits_for_its_cap(case) else found


def _waits_for_its_cap(case: Case) -> bool:
    """Return whether ACCOUNT_CAPS are used up, which is somebody's order."""
    account = case.account
    return gate.room(account, 1, write_alias()) == 0


def _reports_late(case: Case, limit: float) -> Finding | None:
    missing = _poller(case).is_missing(case, case.limit("no_poller"))
    advice = _("Raise WORKERS; see its log for errors.")
    return (
        None if missing else _late(case, "reports_late", _poller(case), limit, advice)
    )


def _late(
    case: Case, code: str, worker: _Worker, limit: float, advice: str
) -> Finding | None:
    lag = case.age(worker.since)
    if not worker.count or lag < limit:
        return None
    return case.finding(
        code,
        Severity.WARNING,
        _("%(command)s does not keep up.") % {"command": worker.command},
        advice,
        count=worker.count,
        value=lag,
        since=worker.since,
    )


def _states_refused(case: Case, limit: float) -> Finding | None:
    failures = case.stands.poll_failures
    if failures < max(1, limit):
        return None
    return case.finding(
        "states_refused",
        Severity.WARNING,
        _("The gateway cannot be asked for states: %(why)s")
        % {"why": case.stands.poll_error},
        _("Sending goes on. See what check_sms_gateway says; states are kept a day."),
        value=failures,
    )


def _opt_outs(case: Case, limit: float) -> Finding | None:
    count = case.stands.opt_outs
    text = ngettext(
        "%(count)s recipient opted out within the last day.",
        "%(count)s recipients opted out within the last day.",
        count,
    )
    advice = _("See who, and what they were sent; a wrong import can be ended there.")
    found = case.counted("opt_outs", text, advice, count=count)
    return found if count >= max(1, limit) else None


RULES: dict[str, Rule] = {
    "switched_off": _switched_off,
    "paused": _paused,
    "other_gateway": _other_gateway,
    "no_journal": _no_journal,
    "no_dispatcher": _no_dispatcher,
    "dispatcher_late": _dispatcher_late,
    "no_poller": _no_poller,
    "reports_late": _reports_late,
    "states_refused": _states_refused,
    "opt_outs": _opt_outs,
}
# A person who is about to queue messages wants to know of these.
BLOCKING = frozenset({"switched_off", "paused", "other_gateway", "no_dispatcher"})
