"""One message sent at once, in three steps: prepare, exchange, record.

``prepare`` and ``record_result`` work on the database and belong into its thread;
the exchange between them does not, so that the async twin can leave it. The row is
committed as ``sending`` before ``prepare`` returns an exchange.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.dates import moment_words
from negin_sms.exceptions import GatewayError, NeginSmsError, NotSent, Vetoed
from negin_sms.gateway import Gateway, get_gateway
from negin_sms.models import Message
from negin_sms.querysets import DbNow, database_now
from negin_sms.services import breaker
from negin_sms.services.database import (
    after_commit,
    committed,
    in_transaction,
    retry_deadlocks,
    write_alias,
)
from negin_sms.services.outbox import claims, gate
from negin_sms.services.outbox.results import record
from negin_sms.services.submission.compose import compose
from negin_sms.services.submission.idempotency import save_once
from negin_sms.services.submission.queueing import wake
from negin_sms.services.submission.text_templates import Templates

from .dispatcher import send_rows
from .exchange import SendResult, exchange, make_job

logger = logging.getLogger("negin_sms")

OnNotSent = Literal["queue", "cancel"]


@dataclass(slots=True)
class Attempt:
    """A message on its way out; ``exchange`` is there when it may leave now."""

    message: Message
    using: str
    on_not_sent: OnNotSent
    exchange: Callable[[], SendResult] | None = field(default=None, repr=False)
    permit: breaker.Permit | None = None
    error: NeginSmsError | None = None


@sensitive_variables()
def prepare(
    mobile: object, text: str, on_not_sent: OnNotSent, fields: Mapping[str, Any]
) -> Attempt:
    """Save the message: claimed and ready to send, or queued where it has to wait."""
    using = write_alias()
    wish = Templates(using).write(text, fields)
    message = compose(mobile, now=database_now(using), **wish)
    attempt = Attempt(message, using, on_not_sent)
    if in_transaction(using):
        _leave_to_commit(attempt)
        return attempt
    account = conf.get_account(message.account)
    if not account.dispatch:
        attempt.message, _created = save_once(message, using)
        return attempt
    _claim(attempt, account)
    return attempt


def record_result(attempt: Attempt, result: SendResult) -> None:
    """Write down how the exchange ended."""
    attempt.error = result.error
    message, using = attempt.message, attempt.using
    if record([result], using=using):
        # The database is away: tell the caller what is known all the same.
        message.status = result.status
        message.gateway_id = result.reply.gateway_id if result.reply else ""
        return
    if attempt.permit is not None:
        breaker.note(attempt.permit, [(result.effect, result.error)], using=using)
    message.refresh_from_db(using=using)


def conclude(attempt: Attempt, fail_silently: bool) -> Message:
    """Return the row, or raise what the caller has to know."""
    error = attempt.error
    if error is None:
        return attempt.message
    if isinstance(error, GatewayError | Vetoed):
        error.message = attempt.message
    if isinstance(error, NotSent):
        _advise(error, attempt)
    if fail_silently:
        return attempt.message
    raise error


def _claim(attempt: Attempt, account: conf.Account) -> None:
    """Save the message as claimed, unless the account is paused."""
    using = attempt.using
    # Settings that cannot work have to show before the row is claimed.
    gateway = get_gateway(account.alias)
    gate.refuse_unreadable_only_to(account)
    claim = claims.new_claim()
    permit = attempt.permit = breaker.admit(account, claim, using=using)
    if permit.refused:
        attempt.message, created = save_once(attempt.message, using)
        attempt.error = breaker.paused_error(permit.state) if created else None
        return
    try:
        _take_on(attempt, account, claim, gateway)
    finally:
        # A conflict of keys, a veto: a probe that is kept would prolong the pause.
        if attempt.exchange is None:
            breaker.release_probe(permit.probe, using=using)


def _take_on(
    attempt: Attempt, account: conf.Account, claim: str, gateway: Gateway
) -> None:
    claimed_at = time.monotonic()
    message, using = attempt.message, attempt.using
    message.status, message.claim, message.attempts = Status.SENDING, claim, 1
    message.claimed_until = message.created_at + timedelta(seconds=account.lease)
    message, created = retry_deadlocks(
        lambda: _save_durably(attempt.message, using), using=using
    )
    attempt.message = message
    if not created:
        message.refresh_from_db(using=using)
        return
    kept, held = gate.withhold([message], account, claim, using)
    if not kept:
        attempt.error = held[message.pk]
        message.refresh_from_db(using=using)
        return
    job = make_job(message, account, claimed_at=claimed_at, lease=account.lease)
    attempt.exchange = functools.partial(exchange, gateway, job)


def _save_durably(message: Message, using: str) -> tuple[Message, bool]:
    with committed(using):
        return save_once(message, using)


def _leave_to_commit(attempt: Attempt) -> None:
    """Queue the message as part of the caller's work, to be sent after that."""
    message, created = save_once(attempt.message, attempt.using)
    attempt.message = message
    if not created:
        return
    if conf.get_account(message.account).waker:
        wake(message.account, attempt.using)
    else:
        after_commit(attempt.using, functools.partial(_send_queued, attempt))


def _send_queued(attempt: Attempt) -> None:
    """Claim and send a row that has just been committed; never raise."""
    message, using = attempt.message, attempt.using
    try:
        account = conf.get_account(message.account)
        if not account.dispatch:
            return
        send_rows(account, Message.objects.using(using).filter(pk=message.pk))
        if attempt.on_not_sent == "cancel":
            _give_up(attempt)
        message.refresh_from_db(using=using)
    except Exception as error:
        kind = type(error).__name__
        logger.error("SMS %s was not sent after the commit: %s", message.pk, kind)


def _advise(error: NotSent, attempt: Attempt) -> None:
    """Put into the error's words what becomes of the row."""
    message = attempt.message
    advice = _(
        "The message stays in the queue and will be sent until %(time)s: do not "
        "send it again. send_messages([error.message]) tries now, "
        "cancel([error.message]) gives up."
    ) % {"time": moment_words(message.expires_at, "Y-m-d H:i e")}
    if attempt.on_not_sent == "cancel" and _give_up(attempt):
        advice = _("The message was cancelled and will not be sent.")
    error.reason = f"{error.reason} {advice}"
    message.refresh_from_db(using=attempt.using)


def _give_up(attempt: Attempt) -> bool:
    cancelled = (
        Message.objects.using(attempt.using)
        .filter(pk=attempt.message.pk, status=Status.QUEUED)
        .update(
            status=Status.CANCELLED,
            detail=_("Not sent at once, so cancelled as its sender wished."),
            finished_at=DbNow(),
        )
    )
    return bool(cancelled)
