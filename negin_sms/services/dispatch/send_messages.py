"""Rows that are there already, sent now, several at a time."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _

from negin_sms.choices import Status
from negin_sms.error_reports import private
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message
from negin_sms.querysets import MessageQuerySet
from negin_sms.services.accounts import find_account, unknown_accounts
from negin_sms.services.database import refuse_transaction, write_alias
from negin_sms.services.outbox import transitions
from negin_sms.services.outbox.gate import obstacles
from negin_sms.services.reports import ActionReport
from negin_sms.services.submission.arguments import several

from .dispatcher import send_rows

# Drafts and held messages where they could not be queued or released: their account is
# gone, or their time is over.
_READY = (Status.QUEUED, Status.DRAFT, Status.HELD)


@private
def send_messages(messages: Message | Iterable[Message]) -> ActionReport:
    """Send these drafts, queued and held messages now, due or not, several at a time.

    Messages of any other status are skipped: nothing is sent twice. So are those whose
    time is over, which expire, and those of accounts that the settings do not have any
    more; drafts of these stay drafts.
    """
    using = write_alias()
    refuse_transaction(using)
    keys = [message.pk for message in several(messages)]
    rows = Message.objects.using(using).filter(pk__in=keys)
    aliases = set(rows.values_list("account", flat=True))
    known = rows.exclude(account__in=unknown_accounts(aliases))
    transitions.queue(known)
    transitions.release(known)
    ready = list(rows.filter(status__in=_READY).values_list("pk", "account"))
    transitions.expire(rows.overdue())
    paused: dict[str, str] = {}
    for alias in sorted({account for _pk, account in ready}):
        paused |= _send_account(alias, rows.filter(account=alias))
    return _report(keys, {pk for pk, _account in ready}, paused, using)


def _send_account(alias: str, rows: MessageQuerySet) -> dict[str, str]:
    """Send an account's rows; return why it sent nothing, by alias, if so."""
    try:
        account = find_account(alias)
    except InvalidMessage as error:
        # Of rows that are older than the settings; the others go out.
        return {alias: str(error.reason)}
    if not account.dispatch:
        return {alias: _("DISPATCH is off in its settings.")}
    paused = send_rows(account, rows, most=rows.count()).paused
    if paused:
        return paused
    # Of the whole account: what it keeps was not claimed, and has no reason of its own.
    kept = obstacles(account, rows.db)
    return {alias: str(kept[0].reason)} if kept else {}


def _report(
    keys: list[int], ready: set[int], paused: dict[str, str], using: str
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
            skipped.append((key, _why_not(row, key in ready, paused)))
    return ActionReport(done, tuple(skipped))


def _why_not(row: Message, was_ready: bool, paused: dict[str, str]) -> str:
    status = {"status": row.get_status_display()}
    if not was_ready:
        return _("It is not waiting to be sent (%(status)s).") % status
    if row.status in _READY and row.account in paused:
        return _("The account “%(account)s” sends nothing now: %(reason)s") % {
            "account": row.account,
            "reason": paused[row.account],
        }
    return row.detail or _("Not sent now (%(status)s).") % status
