"""What keeps messages from leaving: looked for, and said in plain words.

Everything an operator would look at, in the order in which it can break: settings,
the way to the gateway, the credentials, the clocks, the dispatcher and the poller.
Costs one states request an account, sends no message and changes no row. What lies
behind something that failed is not looked at.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import datetime, timedelta

from django.core import checks
from django.utils import timezone
from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.choices import Priority
from negin_sms.exceptions import (
    GatewayError,
    InvalidConfiguration,
    NotSent,
    Rejected,
    Throttled,
)
from negin_sms.gateway import get_gateway
from negin_sms.models import AccountState, Message
from negin_sms.querysets import database_now
from negin_sms.services.database import write_alias

from .findings import Diagnosis, Finding, Level, Looking, judge_clock
from .health import MISSING_AFTER

_OWN_BACKENDS = "negin_sms.gateway."
_SOME_ID = "1"  # asked about where no message has an id: any will do


def examine(*, account: str | None = None) -> Diagnosis:
    """Look at everything, for one account or for all.

    Raise InvalidConfiguration for an account that is not configured.
    """
    findings = list(_settings())
    try:
        accounts = conf.get_accounts()
    except InvalidConfiguration:
        return Diagnosis(tuple(findings))  # the settings' finding says it
    if account is not None:
        accounts = (conf.get_account(account),)
    findings += _database_clock()
    for each in accounts:
        findings += _account(each)
    return Diagnosis(tuple(findings))


def _account(account: conf.Account) -> Iterator[Finding]:
    looking = Looking(account.alias)
    try:
        get_gateway(account.alias)
    except InvalidConfiguration as error:
        yield looking.failure("settings", str(error))
        return
    yield from _wishes(account, looking)
    way_is_open = True
    if account.is_live:
        way_is_open = yield from _way(account, looking)
    if way_is_open:
        yield _credentials(account, looking)
    yield from _workers(account, looking)


def _way(account: conf.Account, looking: Looking) -> Generator[Finding, None, bool]:
    """Look at the way to the gateway; return whether it is open."""
    # Only who looks needs requests (the probe goes the client's way), which takes
    # longer to load than all of the app.
    from . import connectivity

    return (yield from connectivity.examine(account, looking))


def _settings() -> Iterator[Finding]:
    for message in checks.run_checks(tags=["negin_sms"]):
        if not message.is_silenced():
            level = Level.FAILURE if message.is_serious() else Level.WARNING
            hint = str(message.hint or "")
            yield Finding("", "settings", level, str(message.msg), hint)


def _wishes(account: conf.Account, looking: Looking) -> Iterator[Finding]:
    """Tell of settings that can be read and keep messages from leaving."""
    pretends = not account.is_live and account.backend.startswith(_OWN_BACKENDS)
    if pretends:
        yield looking.warning(
            "settings",
            _("Its gateway is one for development: no message leaves."),
            _("For real messages take BACKEND out of its settings."),
        )
    if not account.dispatch:
        yield looking.warning(
            "settings",
            _("Sending is switched off: rows are kept, nothing is sent."),
            _("Where it should send, take DISPATCH out of its settings."),
        )
    if account.only_to is not None:
        yield looking.warning(
            "settings",
            _("Only the numbers of ONLY_TO receive anything."),
            _("Where all should, take ONLY_TO out of its settings."),
        )
    if not pretends and account.dispatch and account.only_to is None:
        yield looking.ok("settings", _("Its settings can be read; sending is on."))


def _database_clock() -> Iterator[Finding]:
    using = write_alias()
    before = timezone.now()
    told = database_now(using)
    ahead = (before + (timezone.now() - before) / 2 - told).total_seconds()
    yield judge_clock("database clock", _("the database's"), ahead, Looking())


def _credentials(account: conf.Account, looking: Looking) -> Finding:
    """Ask for a state: that costs nothing and needs the credentials."""
    try:
        get_gateway(account.alias).states([_an_id(account)])
    except Rejected:
        pass  # the id it does not know, but us
    except Throttled as error:
        advice = _("Look again in a minute.")
        return looking.warning("credentials", str(error), advice)
    except NotSent as error:
        advice = _(
            "Check USERNAME and PASSWORD (the web service's, not the panel's login) "
            "and, in the panel, the credit and whether the web service is enabled."
        )
        return looking.failure("credentials", str(error), advice)
    except GatewayError as error:
        advice = _(
            "Look again in a minute; if it stays so, ask the gateway's operator."
        )
        return looking.failure("credentials", str(error), advice)
    return looking.ok("credentials", _("The gateway knows the account."))


def _an_id(account: conf.Account) -> str:
    rows = Message.objects.using(write_alias()).filter(account=account.alias)
    ids = rows.unsettled().values_list("gateway_id", flat=True)
    return ids.first() or _SOME_ID


def _workers(account: conf.Account, looking: Looking) -> Iterator[Finding]:
    using = write_alias()
    states = AccountState.objects.using(using).filter(account=account.alias)
    state = states.first() or AccountState(account=account.alias)
    rows = Message.objects.using(using).filter(account=account.alias)
    due, asked = rows.due(), rows.due_for_poll().order_by("poll_at")
    if account.quiet_hours:
        due = due.exclude(priority=Priority.LOW)  # may have to wait until morning
    if state.is_paused:
        words = _("The account is paused: %(why)s") % {"why": state.reason}
        advice = _("When the cause is gone: resume_sms_account %(account)s.")
        yield looking.warning("dispatcher", words, advice % {"account": account.alias})
    elif account.dispatch:
        oldest = due.order_by("due_at").values_list("due_at", flat=True).first()
        needed = oldest is not None or not account.waker
        seen_at = state.dispatcher_seen_at
        yield _worker("dispatcher", _DISPATCH, seen_at, oldest, needed, looking)
    oldest = asked.values_list("poll_at", flat=True).first()
    yield _worker("poller", _POLL, state.poller_seen_at, oldest, True, looking)


_DISPATCH, _POLL = "dispatch_sms_queue", "poll_sms_states"


def _worker(
    subject: str,
    command: str,
    seen_at: datetime | None,
    oldest: datetime | None,
    needed: bool,
    looking: Looking,
) -> Finding:
    """Judge by when it was seen, and since when its oldest work is due."""
    now = database_now(write_alias())
    lag = max(now - oldest, timedelta()) if oldest else timedelta()
    values = {"command": command, "seconds": lag.total_seconds()}
    if needed and (seen_at is None or now - seen_at > MISSING_AFTER):
        words = (
            _(
                "No %(command)s was seen for 5 minutes; the oldest work is due for "
                "%(seconds)d s."
            )
            % values
        )
        advice = _("Start it, by cron or as a service: manage.py %(command)s.") % values
        late = lag > MISSING_AFTER
        return (looking.failure if late else looking.warning)(subject, words, advice)
    if lag > MISSING_AFTER:
        words = (
            _("%(command)s does not keep up: the oldest work is due for %(seconds)d s.")
            % values
        )
        advice = _("Start another one, or raise WORKERS; see its log for errors.")
        return looking.warning(subject, words, advice)
    return looking.ok(subject, _("%(command)s keeps up.") % values)
