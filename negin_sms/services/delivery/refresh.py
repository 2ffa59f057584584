"""Asking at once, because somebody wants to know: messages due or not, settled or not.

It has a pace for each account, whoever asks, so that pressing a button again and again
is no more than a request a second for the gateway.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.choices import Flag, ReportSource, Status
from negin_sms.models import AccountState, Message
from negin_sms.querysets import database_now
from negin_sms.services.accounts import (
    account_state,
    find_account,
    unknown_accounts,
)
from negin_sms.services.database import refuse_transaction, write_alias
from negin_sms.services.delivery import poller_backoff
from negin_sms.services.outbox.gateway_binding import refuse_others
from negin_sms.services.reports import PollReport
from negin_sms.services.submission.arguments import several

from .account_poller import AccountPoller
from .states import PollTarget

# A request a second in the long run; so many seconds' worth may come at once.
_SECONDS_A_REQUEST = 1.0
_AT_ONCE = 20.0


def refresh_states(messages: Message | Iterable[Message]) -> PollReport:
    """Ask for the states of these messages now, due or not, settled or not.

    Skipped with the reason are those without a gateway id or with one that is not
    theirs alone, and all of an account that the settings do not have, that was
    refreshed too often lately or whose gateway gives no answers at the moment. Raise
    InvalidConfiguration for an account that is bound to another gateway.
    """
    using = write_alias()
    refuse_transaction(using)
    asked, skipped = _sort_out([message.pk for message in several(messages)], using)
    gone = unknown_accounts(asked)
    accounts = {alias: find_account(alias) for alias in asked if alias not in gone}
    refuse_others(accounts.values(), using)
    pollers = []
    for alias, targets in asked.items():
        why = gone.get(alias) or _why_not_now(accounts[alias], len(targets), using)
        if why:
            skipped |= dict.fromkeys([one.pk for one in targets], why)
            continue
        poller = AccountPoller(
            accounts[alias], using=using, source=ReportSource.REFRESH
        )
        pollers.append((poller, targets))
    due = sum(len(targets) for _poller, targets in pollers)
    report = PollReport(due=due, skipped=tuple(skipped.items()))
    for poller, targets in pollers:
        poller.run(targets)
        report += poller.report
    return report


def _sort_out(
    keys: list[int], using: str
) -> tuple[dict[str, list[PollTarget]], dict[int, str]]:
    """Return what can be asked about by account, and why the others cannot."""
    rows = Message.objects.using(using).filter(pk__in=keys).order_by("pk")
    asked: dict[str, list[PollTarget]] = {}
    skipped = {key: _("There is no such message any more.") for key in keys}
    for row in rows.defer("text"):
        skipped[row.pk] = _why_not_asked(row)
        if not skipped[row.pk]:
            one = PollTarget(row.pk, row.gateway_id, row.finished_at or row.created_at)
            asked.setdefault(row.account, []).append(one)
    return asked, {key: why for key, why in skipped.items() if why}


def _why_not_asked(row: Any) -> str:
    if row.status != Status.ACCEPTED:
        return _("Only accepted messages are asked about; this is “%(status)s”.") % {
            "status": row.get_status_display()
        }
    if not row.gateway_id:
        return _("It has no gateway id: a person resolved it without one.")
    if row.flag == Flag.SHARED_ID:
        return str(Flag.SHARED_ID.label)
    return ""


def _why_not_now(account: conf.Account, messages: int, using: str) -> str:
    """Return why an account is not asked now; "" takes its place in the pace."""
    requests = -(-messages // account.states_batch_size)
    state = account_state(account.alias, using)
    with transaction.atomic(using=using):
        row = AccountState.objects.using(using).select_for_update().get(pk=state.pk)
        now = database_now(using)
        why = poller_backoff.reason_to_wait(row, now)
        if why:
            return why
        busy_until = max(row.refresh_busy_until or now, now)
        ahead = (busy_until - now).total_seconds()
        wait = ahead + _SECONDS_A_REQUEST - _AT_ONCE
        if wait > 0:
            text = _(
                "It was refreshed very often just now; try again in %(seconds)d s."
            )
            return text % {"seconds": wait + 1}
        spent = timedelta(seconds=requests * _SECONDS_A_REQUEST)
        row.refresh_busy_until = busy_until + spent
        row.save(using=using, update_fields=["refresh_busy_until"])
    return ""
