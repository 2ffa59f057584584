"""Send now: prepare, exchange, record, with the row durable before the request.

``prepare`` commits the row as ``sending`` and leaves a job; ``ask`` does the exchange
(elsewhere, for the async twin); ``write_down`` keeps its result; ``conclude`` tells.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from django.db import Error
from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.choices import Priority, Scenario, Status
from negin_sms.error_reports import private
from negin_sms.exceptions import (
    Effect,
    GatewayError,
    InvalidMessage,
    NeginSmsError,
    NotSent,
    OutcomeUnknown,
    Rejected,
    Vetoed,
)
from negin_sms.gateway import Gateway, get_gateway
from negin_sms.models import Message
from negin_sms.querysets import database_now
from negin_sms.services import breaker
from negin_sms.services.database import (
    after_commit,
    committed,
    in_transaction,
    retry_deadlocks,
    write_alias,
)
from negin_sms.services.outbox import journal, transitions
from negin_sms.services.outbox.confirming import give_up, give_up_broken, log_failure
from negin_sms.services.outbox.gate import rules
from negin_sms.services.outbox.gateway_binding import refuse_others
from negin_sms.services.outbox.jobs import SendJob, SendResult
from negin_sms.services.submission.arguments import User
from negin_sms.services.submission.compose import compose
from negin_sms.services.submission.idempotency import save_once
from negin_sms.services.submission.keywords import checks_keywords
from negin_sms.services.submission.text_templates import Templates
from negin_sms.services.submission.wakers import wake

from .advice import advice_on, fate_of
from .after_commit import send_committed
from .exchange import exchange, put_back_on_error, record, set_out

OnNotSent = Literal["queue", "cancel"]
_NOT_LEFT = (Status.QUEUED, Status.HELD, Status.CANCELLED, Status.EXPIRED)


@checks_keywords
@private
def send_sms(
    mobile: object,
    text: str = "",
    *,
    template_name: str | None = None,
    context: Mapping[str, object] | None = None,
    language: str | None = None,
    scenario: str = Scenario.SINGLE,
    line: str | None = None,
    line2: str | None = None,
    template: int | str | None = None,
    account: str = conf.DEFAULT_ALIAS,
    idempotency_key: str | None = None,
    expires_in: float | timedelta | None = None,
    expires_at: datetime | str | None = None,
    sensitive: bool = False,
    priority: int = Priority.NORMAL,
    footer: bool | None = None,
    source: str = "",
    group: str = "",
    created_by: User | None = None,
    fail_silently: bool = False,
    on_not_sent: OnNotSent = "queue",
) -> Message:
    """Send one message now and return its row; for the keywords see ``queue_sms``.

    Inside a transaction it is queued, and sent after the commit by this process or,
    unless ``on_not_sent`` is "cancel", by the account's WAKER. Raise InvalidMessage,
    IdempotencyConflict or InvalidConfiguration (no row was saved), or an error whose
    ``message`` is the row: Vetoed (cancelled), Rejected, OutcomeUnknown (may have been
    sent: look before you send again) or NotSent (queued, and sent until it expires; or
    cancelled). ``fail_silently`` returns the row in place of these. Called again with
    the same ``idempotency_key``, it returns or raises what became of that row.
    """
    options = dict(locals())
    del options["fail_silently"]
    attempt = prepare(**options)
    write_down(attempt, ask(attempt))
    return conclude(attempt, fail_silently)


@dataclass(slots=True)
class Attempt:
    """A message on its way out; it has a ``job`` when it may leave now."""

    message: Message
    using: str
    on_not_sent: OnNotSent
    gateway: Gateway | None = None
    job: SendJob | None = field(default=None, repr=False)
    permit: breaker.Permit | None = None
    error: NeginSmsError | None = None


@private
def prepare(
    mobile: object, text: str, *, on_not_sent: OnNotSent, **options: Any
) -> Attempt:
    """Save the message: claimed and ready to send, or queued where it has to wait."""
    if on_not_sent not in get_args(OnNotSent):
        reason = _("It is one of these values: %(known)s.")
        known = ", ".join(get_args(OnNotSent))
        raise InvalidMessage("on_not_sent", reason % {"known": known})
    using = write_alias()
    options = Templates(using).render(text, options)
    message = compose(mobile, now=database_now(using), **options)
    attempt = Attempt(message, using, on_not_sent)
    account = conf.get_account(message.account)
    if in_transaction(using):
        _leave_to_commit(attempt, account)
    elif account.dispatch:
        _claim(attempt, account)
    else:
        _save(attempt)
    return attempt


def ask(attempt: Attempt) -> SendResult | None:
    """Ask the gateway; touches no database, and raises nothing."""
    if attempt.job is None or attempt.gateway is None:
        return None
    return exchange(attempt.gateway, attempt.job)


def write_down(attempt: Attempt, result: SendResult | None) -> None:
    """Write down how that ended; raises nothing, as the gateway has answered."""
    if result is None:
        return
    attempt.error = result.error
    transitions.copy_result(attempt.message, result)
    try:
        if record([result], attempt.permit, using=attempt.using) == 0:
            attempt.message.refresh_from_db(using=attempt.using)
    except Error as error:
        log_failure(attempt.message, error)


def conclude(attempt: Attempt, fail_silently: bool) -> Message:
    """Return the row, or raise what the caller has to know."""
    error = attempt.error
    if isinstance(error, NotSent):
        try:
            error = _advised(error, attempt)
        except Error as failure:
            log_failure(attempt.message, failure)
    if isinstance(error, GatewayError | Vetoed):
        error.message = attempt.message
    if error is None or fail_silently:
        return attempt.message
    raise error


def _claim(attempt: Attempt, account: conf.Account) -> None:
    """Save the message as claimed, unless the account is paused."""
    using = attempt.using
    # Settings that cannot work have to show before the row is claimed.
    attempt.gateway = get_gateway(account.alias)
    rules.refuse_unreadable_only_to(account)
    refuse_others([account], using)
    claim = journal.new_claim(account.state_dir, using)
    permit = attempt.permit = breaker.admit(account, claim, using=using)
    if permit.refused:
        if _save(attempt):
            attempt.error = breaker.paused_error(permit.state)
        journal.taken(claim, ())
        return
    try:
        _set_out(attempt, account, claim)
    finally:
        # A conflict of keys, a veto: a probe that is kept would prolong the pause.
        if attempt.job is None:
            breaker.release_probe(permit.probe, using=using)


def _set_out(attempt: Attempt, account: conf.Account, claim: str) -> None:
    claimed_at = time.monotonic()
    transitions.claim_unsaved(attempt.message, claim, account, account.lease)
    save = committed(attempt.using)(functools.partial(_save, attempt))
    if not retry_deadlocks(save, using=attempt.using):
        journal.taken(claim, ())
        return
    may_wait = attempt.on_not_sent == "queue"
    try:
        with put_back_on_error(claim, account, attempt.using):
            jobs, verdicts = set_out(
                [attempt.message],
                account,
                attempt.using,
                claimed_at=claimed_at,
                lease=account.lease,
                may_wait=may_wait,
            )
    except BaseException as error:
        if not may_wait:
            give_up_broken(attempt.message, error, attempt.using)
        raise
    if jobs:
        attempt.job = jobs[0]
        return
    verdict = verdicts[attempt.message.pk]
    attempt.error = verdict.error
    if verdict.error is None and not verdict.stops:
        attempt.error = NotSent(verdict.reason, effect=Effect.IGNORED)
    attempt.message.refresh_from_db(using=attempt.using)


def _save(attempt: Attempt) -> bool:
    """Save the row; where its key is taken, tell what became of the owner."""
    attempt.message, is_new = save_once(attempt.message, attempt.using)
    row = attempt.message
    # Where DISPATCH is off another process sends: a row that waits is as it should be.
    waits = row.status == Status.QUEUED and not conf.get_account(row.account).dispatch
    if not (is_new or waits):
        attempt.error = _told_before(row)
    return is_new


def _told_before(row: Message) -> NeginSmsError | None:
    """Return what the call that made a row raised, or would raise now."""
    said = row.detail or f"{row.get_status_display()}."
    if row.status == Status.REJECTED:
        return Rejected(said, code=row.code)
    if row.status == Status.UNCERTAIN:
        return OutcomeUnknown(said, code=row.code)
    if row.status in (Status.QUEUED, Status.HELD):
        said = row.detail or _("An earlier call with this key queued it.")
        return NotSent(said, effect=Effect.IGNORED)
    return None


def _leave_to_commit(attempt: Attempt, account: conf.Account) -> None:
    """Queue the message as part of the caller's work, to be sent after that."""
    may_wait = attempt.on_not_sent == "queue"
    if not _save(attempt):
        if may_wait or attempt.message.status != Status.QUEUED:
            return
        attempt.error = None  # it is tried, or cancelled, once that is not undone
    # A worker could not tell that this one is to go at once.
    if account.waker and may_wait:
        wake(account.alias, attempt.using)
    else:
        message, using = attempt.message, attempt.using
        send = functools.partial(send_committed, message, using, may_wait=may_wait)
        after_commit(using, send)


def _advised(error: NotSent, attempt: Attempt) -> NeginSmsError | None:
    """Say in the error what becomes of the row, and what can be done.

    Return instead what a dispatcher made of it, where one took it meanwhile.
    """
    message = attempt.message
    if attempt.on_not_sent == "cancel":
        give_up(message, str(error), attempt.using)
    message.refresh_from_db(using=attempt.using)
    # Of its own sending the answer alone tells, where that could not be written.
    is_own = attempt.job is not None and attempt.job.claim == message.claim
    if message.status not in _NOT_LEFT and not is_own:
        return _told_before(message)
    error.reason = f"{error.reason} {fate_of(message)}"
    error.advice = advice_on(message)
    return error
