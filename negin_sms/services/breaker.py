"""One breaker per account: a broken night costs a handful of uncertain messages.

Five results in a row without a valid answer pause the account, as do certificate
trouble and a front door that refuses (at once), throttling (for a moment) and a
refusal of the account itself (until somebody pays). A pause that has run out lets
one message through as a probe; its valid answer ends the pause. A person's pause
lasts until a person resumes. The pause lives in AccountState, shared by all.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.characters import as_sentence
from negin_sms.exceptions import (
    AccountPaused,
    Effect,
    GatewayError,
)
from negin_sms.gateway.codes import CREDENTIAL_CODES
from negin_sms.models import AccountState
from negin_sms.querysets import DbNow, database_now, from_now
from negin_sms.retries import account_pause, outage_pause, throttle_delay

from .accounts import account_state
from .database import write_alias

logger = logging.getLogger("negin_sms")

FAILURES_IN_A_ROW = 5
_UNHEALTHY = (Effect.FAILURE, Effect.TRIPS)
# A pause gives way only to one that ends markedly later.
_MARGIN = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Permit:
    """Whether an account may claim now: freely, one message as a probe, or not."""

    state: AccountState
    allowed: bool
    probe: str = ""

    @property
    def refused(self) -> bool:
        """Return whether nothing may be claimed."""
        return not self.allowed and not self.probe

    def without_probe(self) -> Permit:
        """Return the same for a request that is not the probe."""
        return dataclasses.replace(self, probe="") if self.probe else self

    @property
    def is_clean(self) -> bool:
        """Return whether nothing is wrong: no pause, and no failure lately."""
        return self.allowed and not self.state.failures


def admit(account: conf.Account, claim: str, *, using: str) -> Permit:
    """Ask whether an account may claim; take its probe when the pause has run out.

    A probe that is taken has to be given back by ``note`` or ``release_probe``;
    a probe whose holder died is free again when a lease has passed.
    """
    state = account_state(account.alias, using)
    if not state.is_paused:
        return Permit(state, allowed=True)
    free = Q(probe_until__isnull=True) | Q(probe_until__lte=DbNow())
    taken = (
        AccountState.objects.using(using)
        .filter(free, pk=state.pk, paused_until__lte=DbNow())
        .update(probe=claim, probe_until=from_now(account.lease))
    )
    return Permit(state, allowed=False, probe=claim if taken else "")


def release_probe(probe: str, *, using: str) -> None:
    """Give a probe back that nobody used."""
    if probe:
        AccountState.objects.using(using).filter(probe=probe).update(
            probe="", probe_until=None
        )


def paused_error(state: AccountState) -> AccountPaused:
    """Return the error for a message that was not tried because of a pause."""
    reason = _("The account “%(account)s” is paused: %(reason)s")
    why = as_sentence(state.reason or _("by hand"))
    return AccountPaused(
        reason % {"account": state.account, "reason": why}, effect=Effect.IGNORED
    )


def note(permit: Permit, errors: Iterable[GatewayError | None], *, using: str) -> None:
    """Tell the breaker how exchanges ended, in their order; None is a success.

    Costs no query while all is well: the permit says how the account stood.
    """
    told = list(errors)
    good = all(_effect(error) in (Effect.SUCCESS, Effect.IGNORED) for error in told)
    if permit.is_clean and good:
        return
    with transaction.atomic(using=using):
        states = AccountState.objects.using(using).select_for_update()
        state = states.get(pk=permit.state.pk)
        now = database_now(using)
        is_probe = bool(permit.probe) and state.probe == permit.probe
        for error in told:
            _apply(state, error, now, is_probe=is_probe)
        if is_probe:
            state.probe, state.probe_until = "", None
        state.save(using=using)


def stop_account(
    alias: str,
    reason: str,
    *,
    by_id: Any = None,
    until: datetime | None = None,
) -> None:
    """Pause an account as a person does: no probe ends it."""
    using = write_alias()
    account_state(alias, using)
    AccountState.objects.using(using).filter(account=alias).update(
        paused_at=DbNow(),
        paused_until=until,
        reason=reason[:500],
        paused_by_id=by_id,
        probe="",
        probe_until=None,
        pauses=0,
    )


NO_PAUSE: dict[str, object] = {
    "paused_at": None,
    "paused_until": None,
    "reason": "",
    "paused_by_id": None,
    "probe": "",
    "probe_until": None,
}


def _apply(
    state: AccountState, error: GatewayError | None, now: datetime, *, is_probe: bool
) -> None:
    effect = _effect(error)
    # Those still in flight when a pause began do not make it longer.
    fresh = is_probe or not state.is_paused
    level = state.pauses if fresh else max(state.pauses - 1, 0)
    if effect is Effect.SUCCESS:
        state.failures = 0
        if is_probe:
            _resume(state)
    elif effect is Effect.THROTTLES:
        _pause(state, error, now, throttle_delay(error.retry_after if error else None))
    elif effect is Effect.PAUSES:
        _pause(state, error, now, account_pause(level))
        _keep_from_polling(state, error, now, account_pause(level))
        state.pauses = level + 1
    elif effect in _UNHEALTHY:
        state.failures += 1
        at_once = effect is Effect.TRIPS or is_probe
        if fresh and (at_once or state.failures >= FAILURES_IN_A_ROW):
            _pause(state, error, now, outage_pause(level))
            state.failures, state.pauses = 0, level + 1


def _effect(error: GatewayError | None) -> Effect:
    return Effect.SUCCESS if error is None else error.effect


def _pause(
    state: AccountState, error: GatewayError | None, now: datetime, seconds: float
) -> None:
    by_hand = state.is_paused and state.paused_until is None
    until = now + timedelta(seconds=seconds)
    if by_hand or (state.paused_until and until - state.paused_until < _MARGIN):
        return
    reason = str(error.reason if error else "")[:500]
    # After a person's, or for the account's own fault, it is another pause; one outage
    # may have many reasons.
    may_be_another = not state.pauses or _effect(error) is Effect.PAUSES
    if state.paused_at is None or (may_be_another and reason != state.reason):
        state.paused_at, state.paused_by_id = now, None
    state.paused_until, state.reason = until, reason
    logger.error(
        "SMS account %r is paused for %d s: %s (code %s)",
        state.account,
        seconds,
        state.reason,
        error.code if error else None,
    )


def _keep_from_polling(
    state: AccountState, error: GatewayError | None, now: datetime, seconds: float
) -> None:
    """Spare the states endpoint a password that is known to be wrong."""
    if error is not None and error.code in CREDENTIAL_CODES:
        state.poll_after = now + timedelta(seconds=seconds)
        state.poll_error = str(error.reason)[:500]


def _resume(state: AccountState) -> None:
    for name, value in NO_PAUSE.items():
        setattr(state, name, value)
    state.pauses = 0
    logger.warning(
        "SMS account %r is no longer paused: its probe went well", state.account
    )
