"""The rules that a message meets at the gate, each a function, in the order of RULES.

A rule lets a message go (None), lets it wait until a moment, or stops it for good. To
add one, write a function and put its name into RULES.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.choices import Priority
from negin_sms.error_reports import place_of
from negin_sms.exceptions import (
    CapExceeded,
    Effect,
    InvalidConfiguration,
    InvalidMessage,
    NeginSmsError,
    NotSent,
    Vetoed,
)
from negin_sms.gateway.cleaning import clean
from negin_sms.models import AccountState, Message, OptOut
from negin_sms.phones import normalize_mobile
from negin_sms.querysets import database_now
from negin_sms.quiet_hours import quiet_until
from negin_sms.retries import retry_delay
from negin_sms.services import breaker
from negin_sms.services.outbox.gate import caps
from negin_sms.signals import pre_send

logger = logging.getLogger("negin_sms")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a message does not go: for good, until a moment, or nobody knows how long.

    ``error`` is what ``send_sms`` tells its caller, None where somebody ordered it;
    ``attempted`` is whether this was a try of its own.
    """

    reason: str
    until: datetime | None = None
    stops: bool = False
    error: NeginSmsError | None = None
    attempted: bool = False

    @property
    def words(self) -> str:
        """Return the reason, for who asks before it comes to that."""
        if not self.stops:
            return self.reason
        words = _("%(reason)s (it is cancelled when it is its turn)")
        return words % {"reason": self.reason}


@dataclass(frozen=True, slots=True)
class Passage:
    """Under what a message comes to the gate.

    ``is_leaving`` is False for who only asks, and ``at`` is when the rules before let
    it go then; ``may_wait`` is False for who wants it now or not at all. ``places`` and
    ``opt_outs`` are what is known of messages by their key.
    """

    account: conf.Account
    using: str
    now: datetime
    is_leaving: bool = True
    may_wait: bool = True
    places: dict[int, datetime | None] = field(default_factory=dict)
    opt_outs: dict[int, OptOut] = field(default_factory=dict)
    waits_until: datetime | None = None

    @property
    def at(self) -> datetime:
        """Return the moment by which a rule judges."""
        return self.waits_until or self.now

    def after(self, verdict: Verdict) -> Passage:
        """Return the same for the rules that come after one that lets it wait."""
        if verdict.until is None:
            return self
        return dataclasses.replace(self, waits_until=max(self.at, verdict.until))


ALL_PRIORITIES: Sequence[int] = Priority.values
Rule = Callable[[Message, Passage], Verdict | None]


def refuse_unreadable_only_to(account: conf.Account) -> None:
    """Raise InvalidConfiguration before a claim that the gate could not judge."""
    if account.only_to is not None:
        allowed_numbers(account.only_to, account.alias)


@functools.lru_cache(maxsize=32)
def allowed_numbers(only_to: frozenset[str], alias: str) -> frozenset[str]:
    """Return the numbers of ONLY_TO in their stored form.

    Raise InvalidConfiguration for one that is no number: nobody would get it.
    """
    try:
        return frozenset(normalize_mobile(number) for number in only_to)
    except InvalidMessage as error:
        raise InvalidConfiguration(
            f'{conf.SETTING}["{alias}"]["ONLY_TO"] holds something that is no Iranian '
            f"mobile number: {error.reason} Write numbers such as "
            '"09395213300".'
        ) from None


def check_dispatch(message: Message, passage: Passage) -> Verdict | None:
    """Let wait while the account's sending is switched off."""
    if passage.account.dispatch:
        return None
    return Verdict(_("Sending is switched off for this account (DISPATCH)."))


def check_breaker(message: Message, passage: Passage) -> Verdict | None:
    """Tell of a pause. Who claims has a permit, so only who asks is told here."""
    if passage.is_leaving:
        return None
    states = AccountState.objects.using(passage.using)
    state = states.filter(account=passage.account.alias).first()
    if state is None or not state.is_paused:
        return None
    if state.paused_until and passage.at > max(state.paused_until, passage.now):
        return None
    if state.paused_until and state.paused_until <= passage.now:
        return Verdict(
            _("The account's pause is over: the next dispatcher tries it with one.")
        )
    return Verdict(str(breaker.paused_error(state)), until=state.paused_until)


def check_quiet_hours(message: Message, passage: Passage) -> Verdict | None:
    """Let LOW messages wait for the end of the quiet hours."""
    if message.priority != Priority.LOW:
        return None
    # Who sends now what was put off until the morning sends it in the night.
    until = quiet_until(passage.at, passage.account.quiet_hours)
    return (
        Verdict(_("It waits for the end of the quiet hours."), until) if until else None
    )


def awake_priorities(account: conf.Account, now: datetime) -> Sequence[int]:
    """Return the priorities that may leave at a moment, the most urgent first."""
    if quiet_until(now, account.quiet_hours) is None:
        return ALL_PRIORITIES
    return [priority for priority in ALL_PRIORITIES if priority != Priority.LOW]


def check_line(message: Message, passage: Passage) -> Verdict | None:
    """Let wait what named no line while the account has none either."""
    lacks = [
        key
        for key in ("line", "line2")
        if getattr(message, f"default_{key}") and not getattr(passage.account, key)
    ]
    if not lacks:
        return None
    reason = _("It named no line, and the account has none in its settings (%(key)s).")
    return Verdict(reason % {"key": lacks[0].upper()})


def check_only_to(message: Message, passage: Passage) -> Verdict | None:
    """Stop what goes to a number that ONLY_TO does not list."""
    account = passage.account
    if account.only_to is None:
        return None
    if message.mobile in allowed_numbers(account.only_to, account.alias):
        return None
    return Verdict(_("Kept back: ONLY_TO does not list its number."), stops=True)


def check_opt_outs(message: Message, passage: Passage) -> Verdict | None:
    """Stop what its recipient opted out of, and what has no other way."""
    found, later = passage.opt_outs.get(message.pk), passage.waits_until
    if found is None or (found.until and later and found.until <= later):
        return None
    if found.line:
        reason = _("The recipient opted out of line %(line)s") % {"line": found.line}
    else:
        account = {"account": found.account}
        reason = _("The recipient opted out of account %(account)s") % account
    reason += f": {found.reason}" if found.reason else "."
    return Verdict(reason, stops=True, error=Vetoed(reason))


def check_caps(message: Message, passage: Passage) -> Verdict | None:
    """Count it where there is a place; else in its number's next period, if there."""
    account = passage.account
    if not (account.mobile_caps or account.account_caps):
        return None
    counted_for = passage.places.get(message.pk)
    if not passage.is_leaving:
        full = caps.find_full(message, passage.at, counted_for, passage.using)
        return _foresee(message, full, passage) if full else None
    if caps.take_place(message, passage.now, counted_for, passage.using):
        passage.places[message.pk] = passage.now
        return None
    full = caps.find_full(message, passage.now, counted_for, passage.using)
    # Nothing is full any more where a place was given back this moment.
    return _over_cap(message, full, passage) if full else check_caps(message, passage)


def check_receivers(message: Message, passage: Passage) -> Verdict | None:
    """Ask the project's receivers of ``pre_send``."""
    if not pre_send.has_listeners(Message):
        return None
    try:
        pre_send.send(sender=Message, message=message)
    except Vetoed as veto:
        reason = clean(str(veto.reason)) or _("A pre_send receiver refused it.")
        return Verdict(reason, stops=True, error=veto.with_traceback(None))
    except Exception as error:
        # Its text may hold anything, so only its kind and its place are told.
        kind = type(error).__name__
        where = place_of(error)
        logger.error(
            "SMS %s: a pre_send receiver failed with %s at %s", message.pk, kind, where
        )
        reason = _("A pre_send receiver failed with %(kind)s.") % {"kind": kind}
        wait = timedelta(seconds=retry_delay(message.attempts))
        later = database_now(passage.using) + wait
        told = NotSent(reason, effect=Effect.IGNORED)
        return Verdict(reason, later, error=told, attempted=True)
    return None


def _over_cap(message: Message, full: caps.Full, passage: Passage) -> Verdict:
    """Give it a place in the next period of its number, or stop it."""
    later = full.period.ends_at
    wait = (later - passage.now).total_seconds()
    error = CapExceeded(full.reason, scope=full.scope, retry_after=wait)
    if not passage.may_wait:
        return Verdict(full.reason, stops=True, error=error)
    # A place that it does not live to leave in would be lost to its number.
    if full.scope == "account" or message.expires_at <= later:
        return Verdict(full.reason, later, error=error)
    counted_for = passage.places.get(message.pk)
    if caps.take_place(message, later, counted_for, passage.using):
        return Verdict(full.reason, later, error=error)
    blocked = caps.find_full(message, later, counted_for, passage.using)
    # Nothing is full any more where a place was given back this moment.
    if blocked is None or blocked.scope == "account":
        return Verdict(full.reason, later, error=error)
    reason = _next_is_full(full, blocked)
    error = CapExceeded(reason, scope=full.scope, retry_after=wait)
    return Verdict(reason, stops=True, error=error)


def _foresee(message: Message, full: caps.Full, passage: Passage) -> Verdict:
    """Say what will become of one that is over a cap; reads only."""
    later, counted_for = full.period.ends_at, passage.places.get(message.pk)
    if full.scope == "mobile" and message.expires_at > later:
        blocked = caps.find_full(message, later, counted_for, passage.using)
        if blocked and blocked.scope == "mobile":
            return Verdict(_next_is_full(full, blocked), stops=True)
    return Verdict(full.reason, later)


def _next_is_full(full: caps.Full, blocked: caps.Full) -> str:
    """Name both caps where it is another one that is full in the next period."""
    reason = _("%(reason)s The next period is full, too.")
    if blocked.period.seconds != full.period.seconds:
        reason = _("%(reason)s When the next period begins, this is full: %(other)s")
    return reason % {"reason": full.reason, "other": blocked.reason}


RULES: tuple[Rule, ...] = (
    check_dispatch,
    check_breaker,
    check_quiet_hours,
    check_line,
    check_only_to,
    check_opt_outs,
    check_caps,
    check_receivers,
)
