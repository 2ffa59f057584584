"""Send now: prepare, exchange, record, with the row durable before the request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Unpack

from django.utils.translation import gettext as _

from negin_sms.choices import Status
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message
from negin_sms.querysets import MessageQuerySet
from negin_sms.services.database import refuse_transaction, write_alias
from negin_sms.services.error_reports import private
from negin_sms.services.reports import ActionReport
from negin_sms.services.submission.compose import find_account
from negin_sms.services.submission.queueing import queue_drafts
from negin_sms.services.submission.text_templates import SendFields

from .attempts import OnNotSent, conclude, prepare, record_result
from .dispatcher import send_rows


@private
def send_sms(
    mobile: object,
    text: str = "",
    *,
    fail_silently: bool = False,
    on_not_sent: OnNotSent = "queue",
    **fields: Unpack[SendFields],
) -> Message:
    """Send one message now and return its row.

    Outside a transaction the row is committed as ``sending``, the gateway is
    asked, the result is written. Inside one the row is queued, and sent by this
    process once the transaction is durable; its result is on the row then. In place
    of ``text`` give ``template_name``, the name of an SmsTemplate, with ``context``
    for its placeholders.

    Raise InvalidMessage, IdempotencyConflict or CapExceeded (no row was saved), or
    an error whose ``message`` is the saved row: Vetoed (cancelled), Rejected,
    OutcomeUnknown (may have been sent: look before you send again) or NotSent with
    its kinds (still queued, and sent until it expires; with
    ``on_not_sent="cancel"`` cancelled instead). ``fail_silently`` returns the row in
    place of one of these.
    """
    attempt = prepare(mobile, text, on_not_sent, fields)
    if attempt.exchange is not None:
        record_result(attempt, attempt.exchange())
    return conclude(attempt, fail_silently)


@private
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
