"""What waits in a restored backup may have been sent since: it is held.

A held message keeps its group and all that was asked for, and no dispatcher takes it,
whoever resumes whichever account. Time goes on for it, so it
expires when it would have expired. A person releases or cancels it, or sends it by
hand. What is queued after the hold leaves as ever.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.error_reports import private
from negin_sms.exceptions import NeginSmsError
from negin_sms.gateway.cleaning import clean
from negin_sms.models import AccountState, Message
from negin_sms.querysets import DbNow, MessageQuerySet
from negin_sms.services.database import write_alias
from negin_sms.services.outbox import transitions
from negin_sms.services.outbox.confirming import lock_statuses, report_on
from negin_sms.services.reports import ActionReport
from negin_sms.services.submission.arguments import several
from negin_sms.services.submission.seen import refuse_changed
from negin_sms.services.submission.wakers import wake

logger = logging.getLogger("negin_sms")


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldReport:
    """How many messages were ``held`` just now, and how many a worker is ``sending``.

    The latter become uncertain when their lease is over, unless their worker lives.
    """

    held: int
    sending: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseReport:
    """How many messages were ``released``, and how many are ``expired`` by now."""

    released: int
    expired: int


def hold_queue(*, reason: str, account: str | None = None) -> HoldReport:
    """Hold everything that waits, of one account or of all; by one UPDATE.

    The reason is kept on the rows: raise NeginSmsError when there is none. A message
    that a dispatcher has in hand at this moment may return to the queue without
    being held, so stop the dispatchers first.
    """
    why = clean(reason)
    if not why:
        raise NeginSmsError("Say why the queue is held: reason must not be empty.")
    using = write_alias()
    rows = _of_account(account, using)
    changed = AccountState.objects.using(using).exclude(server_changed_at=None)
    with transaction.atomic(using=using):
        # A change that held nothing, or whose messages are gone, is not why these are.
        if aliases := list(changed.values_list("account", flat=True)):
            _decide_server_change(aliases, using)
        held = transitions.hold(rows, clean(_("Held: %(why)s") % {"why": why}))
        sending = rows.filter(status=Status.SENDING).count()
    logger.warning("%d SMS were held by hand", held)
    return HoldReport(held=held, sending=sending)


def release_queue(
    *, account: str | None = None, group: str | None = None
) -> ReleaseReport:
    """Let held messages leave: all, or those of an account or a group.

    Each is due at its send_at, or now. Those whose time is over meanwhile
    are never sent; the next dispatcher ends them as expired.
    """
    using = write_alias()
    rows = _of_account(account, using).held()
    if group is not None:
        rows = rows.filter(group=group)
    with transaction.atomic(using=using):
        aliases = list(rows.order_by().values_list("account", flat=True).distinct())
        released = transitions.release(rows)
        expired = rows.count()
        _decide_server_change(aliases, using)
    known = {each.alias for each in conf.get_accounts()}
    for alias in known.intersection(aliases):
        wake(alias, using)
    logger.warning("%d held SMS were released", released)
    return ReleaseReport(released=released, expired=expired)


@private
def release(
    messages: Message | Iterable[Message], *, seen: str | None = None
) -> ActionReport:
    """Let these held messages leave, each at its send_at, or now; skip the others.

    Those that have expired are skipped too. For ``seen``, a digest of what is held of
    them, see ``queue_messages``.
    """
    using = write_alias()
    keys = [message.pk for message in several(messages)]
    rows = Message.objects.using(using).filter(pk__in=keys)
    with transaction.atomic(using=using):
        before = lock_statuses(rows, using)
        if seen is not None:
            refuse_changed(rows.held(), seen)
        held = rows.filter(pk__in=[pk for pk in keys if before.get(pk) == Status.HELD])
        aliases = set(held.values_list("account", flat=True))
        transitions.release(held)
        expired = set(held.held().values_list("pk", flat=True))
        _decide_server_change(aliases, using)
    for alias in aliases.intersection(each.alias for each in conf.get_accounts()):
        wake(alias, using)
    report = report_on([k for k in keys if k not in expired], before, (Status.HELD,))
    late = tuple((pk, _("It has expired.")) for pk in keys if pk in expired)
    return ActionReport(report.done, report.skipped + late)


def _decide_server_change(aliases: Iterable[str], using: str) -> None:
    """Forget that another server answered where nothing is held for its sake now."""
    held = Message.objects.using(using).held().filter(account__in=aliases)
    held = held.filter(expires_at__gt=DbNow())  # nobody can release the others
    left = set(held.order_by().values_list("account", flat=True).distinct())
    states = AccountState.objects.using(using).filter(account__in={*aliases} - left)
    states.update(server_changed_at=None)


def _of_account(account: str | None, using: str) -> MessageQuerySet:
    rows = Message.objects.using(using)
    if account is None:
        return rows.all()
    return rows.filter(account=conf.get_account(account).alias)
