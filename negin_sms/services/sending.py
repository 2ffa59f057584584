"""Send now: prepare, exchange, record, with the row durable before the request."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Literal, Unpack

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.exceptions import GatewayError, InvalidMessage, NotSent
from negin_sms.gateway import get_gateway
from negin_sms.models import Message
from negin_sms.querysets import DbNow, MessageQuerySet, database_now

from . import breaker, claims
from .dispatching import send_rows
from .exchanges import Ending, exchange, make_job
from .queueing import queue_drafts, wake
from .reports import ActionReport
from .results import record
from .transactions import (
    after_commit,
    committed,
    in_transaction,
    refuse_transaction,
    write_alias,
)
from .wishes import WishFields, compose, find_account, save_once

logger = logging.getLogger("negin_sms")

OnNotSent = Literal["queue", "cancel"]


@sensitive_variables()
def send_sms(
    mobile: object,
    text: str,
    *,
    fail_silently: bool = False,
    on_not_sent: OnNotSent = "queue",
    **fields: Unpack[WishFields],
) -> Message:
    """Send one message now and return its row.

    Outside a transaction the row is committed as ``sending``, the gateway is
    asked, the result is written. Inside one the row is queued, and sent by this
    process once the transaction is durable; its result is on the row then.

    Raise InvalidMessage (no row), IdempotencyConflict (no row), or a GatewayError
    whose ``message`` is the saved row: Rejected, OutcomeUnknown (may have been
    sent: look before you send again) or NotSent with its kinds (still queued, and
    sent until it expires; with ``on_not_sent="cancel"`` cancelled instead).
    ``fail_silently`` returns the row in place of a GatewayError.
    """
    using = write_alias()
    message = compose(mobile, text, now=database_now(using), **fields)
    if in_transaction(using):
        return _send_after_commit(message, on_not_sent, using)
    message, error = _send_one(message, using)
    if error is None:
        return message
    _explain(error, message, on_not_sent, using)
    if fail_silently:
        return message
    raise error


def send_messages(messages: Iterable[Message]) -> ActionReport:
    """Send these drafts and queued messages now, due or not, several at a time.

    Messages of any other status are skipped: nothing is sent twice.
    """
    using = write_alias()
    refuse_transaction(using)
    keys = [message.pk for message in messages]
    rows = Message.objects.using(using).filter(pk__in=keys)
    queue_drafts(rows, using)
    ready = list(rows.filter(status=Status.QUEUED).values_list("pk", "account"))
    held: dict[str, str] = {}
    for alias in sorted({account for _pk, account in ready}):
        held |= _send_account(alias, rows.filter(account=alias))
    return _report(keys, {pk for pk, _account in ready}, held, using)


def _send_account(alias: str, rows: MessageQuerySet) -> dict[str, str]:
    """Send an account's rows; return why it sent nothing, by alias, if so."""
    try:
        account = find_account(alias)
    except InvalidMessage as error:
        # Of rows that are older than the settings; the others go out.
        return {alias: str(error.reason)}
    if not account.dispatch:
        return {alias: _("DISPATCH is off in its settings.")}
    return send_rows(account, rows).paused


def _send_after_commit(message: Message, on_not_sent: OnNotSent, using: str) -> Message:
    message, created = save_once(message, using)
    if not created:
        return message
    if conf.get_account(message.account).waker:
        wake(message.account, using)
    else:
        after_commit(
            using, functools.partial(_send_queued, message, on_not_sent, using)
        )
    return message


def _send_queued(message: Message, on_not_sent: OnNotSent, using: str) -> None:
    """Claim and send a row that has just been committed; never raise."""
    try:
        account = conf.get_account(message.account)
        if not account.dispatch:
            return
        send_rows(account, Message.objects.using(using).filter(pk=message.pk))
        if on_not_sent == "cancel":
            _give_up(message, using)
        message.refresh_from_db(using=using)
    except Exception as error:
        kind = type(error).__name__
        logger.error("SMS %s was not sent after the commit: %s", message.pk, kind)


def _send_one(message: Message, using: str) -> tuple[Message, GatewayError | None]:
    """Save a message as claimed, send it, write the result."""
    account = conf.get_account(message.account)
    if not account.dispatch:
        return save_once(message, using)[0], None
    # Settings that cannot work have to show before the row is claimed.
    gateway = get_gateway(account.alias)
    claims.refuse_unreadable_only_to(account)
    claim = claims.new_claim()
    admission = breaker.admit(account, claim, using=using)
    if admission.refused:
        message, created = save_once(message, using)
        return message, breaker.paused_error(admission.state) if created else None
    claimed_at = time.monotonic()
    try:
        message, created = _save_claimed(message, claim, account, using)
    except Exception:
        # A conflict of keys, say: a probe that is kept would prolong the pause.
        breaker.release_probe(admission.probe, using=using)
        raise
    kept = claims.withhold([message], account, claim, using) if created else []
    if not kept:
        breaker.release_probe(admission.probe, using=using)
        message.refresh_from_db(using=using)
        return message, None
    job = make_job(message, account, claimed_at=claimed_at, lease=account.lease)
    ending = exchange(gateway, job)
    _write_down(ending, message, admission, using)
    return message, ending.error


def _save_claimed(
    message: Message, claim: str, account: conf.Account, using: str
) -> tuple[Message, bool]:
    message.status, message.claim, message.attempts = Status.SENDING, claim, 1
    message.claimed_until = message.created_at + timedelta(seconds=account.lease)
    with committed(using):
        return save_once(message, using)


def _write_down(
    ending: Ending, message: Message, admission: breaker.Admission, using: str
) -> None:
    if record([ending], using=using):
        # The database is away: tell the caller what is known all the same.
        message.status = ending.status
        message.gateway_id = ending.reply.gateway_id if ending.reply else ""
        return
    breaker.note(admission, [(ending.effect, ending.error)], using=using)
    message.refresh_from_db(using=using)


def _explain(
    error: GatewayError, message: Message, on_not_sent: OnNotSent, using: str
) -> None:
    """Put the row on the error, and into its words what becomes of the row."""
    if isinstance(error, NotSent):
        advice = _(
            "The message stays in the queue and will be sent until %(time)s: do not "
            "send it again. send_messages([error.message]) tries now, "
            "cancel([error.message]) gives up."
        ) % {"time": date_format(timezone.localtime(message.expires_at), "H:i e")}
        if on_not_sent == "cancel" and _give_up(message, using):
            advice = _("The message was cancelled and will not be sent.")
        error.reason = f"{error.reason} {advice}"
        message.refresh_from_db(using=using)
    error.message = message


def _give_up(message: Message, using: str) -> bool:
    cancelled = (
        Message.objects.using(using)
        .filter(pk=message.pk, status=Status.QUEUED)
        .update(
            status=Status.CANCELLED,
            detail=_("Not sent at once, so cancelled as its sender wished."),
            finished_at=DbNow(),
        )
    )
    return bool(cancelled)


def _report(
    keys: list[int], ready: set[int], held: dict[str, str], using: str
) -> ActionReport:
    """Say of each message whether it went out just now, and why not."""
    rows = Message.objects.using(using).in_bulk(keys)
    done, skipped = 0, []
    for key in keys:
        row = rows.get(key)
        if row is None:
            skipped.append((key, _("There is no such message any more.")))
        elif key in ready and row.status == Status.ACCEPTED:
            done += 1
        else:
            skipped.append((key, _why_not(row, key in ready, held)))
    return ActionReport(done, tuple(skipped))


def _why_not(row: Message, was_ready: bool, held: dict[str, str]) -> str:
    status = {"status": row.get_status_display()}
    if not was_ready:
        return _("It is not waiting to be sent (%(status)s).") % status
    if row.status == Status.QUEUED and row.account in held:
        return _("The account “%(account)s” sends nothing now: %(reason)s") % {
            "account": row.account,
            "reason": held[row.account],
        }
    return row.detail or _("Not sent now (%(status)s).") % status
