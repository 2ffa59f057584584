"""The poller's own delay: trouble at the states endpoint never stops sending.

Each failed turn of an account is followed by a longer wait, 5 s to 15 min; an answer
ends it. The breaker is told of one thing only, a wrong password, for it is wrong on
both endpoints; it tells the poller of that in turn. An account that may not send (no
credit, not active) can still read, so its other pauses are none of the poller's.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from negin_sms.exceptions import Effect, GatewayError, Throttled
from negin_sms.gateway.codes import CREDENTIAL_CODES
from negin_sms.models import AccountState
from negin_sms.querysets import database_now
from negin_sms.retries import poll_backoff, throttle_delay
from negin_sms.services import breaker


def reason_to_wait(state: AccountState, now: datetime) -> str:
    """Return why the gateway is not asked now and for how long, "" when it is."""
    if state.poll_after is None or state.poll_after <= now:
        return ""
    text = _("It is not asked for delivery states for another %(seconds)d s: %(why)s")
    seconds = (state.poll_after - now).total_seconds() + 1
    return text % {"seconds": seconds, "why": state.poll_error}


def note_failure(state: AccountState, error: GatewayError, using: str) -> None:
    """Wait longer after a failed request, unless the failure was our own."""
    if error.effect is Effect.IGNORED:
        return
    if error.effect is Effect.PAUSES and error.code in CREDENTIAL_CODES:
        permit = breaker.Permit(state, allowed=not state.is_paused)
        breaker.note(permit, [error], using=using)
        return
    with transaction.atomic(using=using):
        row = AccountState.objects.using(using).select_for_update().get(pk=state.pk)
        row.poll_failures += 1
        delay = poll_backoff(row.poll_failures)
        if isinstance(error, Throttled):
            delay = max(delay, throttle_delay(error.retry_after))
        row.poll_after = database_now(using) + timedelta(seconds=delay)
        row.poll_error = str(error.reason)[:500]
        row.save(
            using=using, update_fields=["poll_failures", "poll_after", "poll_error"]
        )


def note_answer(state: AccountState, using: str) -> None:
    """End the delay; costs no query where there was none."""
    if not (state.poll_failures or state.poll_after):
        return
    state.poll_failures, state.poll_after, state.poll_error = 0, None, ""
    AccountState.objects.using(using).filter(pk=state.pk).update(
        poll_failures=0, poll_after=None, poll_error=""
    )
