"""What people and programs do with messages that were not sent yet."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from django.db import Error, connections, transaction
from django.utils.translation import gettext as _

from negin_sms.choices import Status
from negin_sms.error_reports import private
from negin_sms.models import Message
from negin_sms.querysets import MessageQuerySet, database_now
from negin_sms.services.accounts import find_account, unknown_accounts
from negin_sms.services.database import retry_deadlocks, write_alias
from negin_sms.services.outbox import transitions
from negin_sms.services.outbox.gate import caps
from negin_sms.services.reports import ActionReport
from negin_sms.services.submission import batches
from negin_sms.services.submission.arguments import several
from negin_sms.services.submission.seen import changed, refuse_changed
from negin_sms.services.submission.wakers import wake

logger = logging.getLogger("negin_sms")


@private
def queue_messages(
    messages: Message | Iterable[Message], *, seen: str | None = None
) -> ActionReport:
    """Put these drafts in the queue; others are skipped.

    So are those of accounts that the settings do not have any more. ``seen`` is for
    the admin's pages, a digest of what they showed: where the messages are not those
    any more, InvalidMessage("seen") is raised.
    """
    using = write_alias()
    keys = [message.pk for message in several(messages)]
    rows = Message.objects.using(using).filter(pk__in=keys)
    with transaction.atomic(using=using):
        before = lock_statuses(rows, using)
        if seen is not None:
            refuse_changed(rows, seen)
        drafts = rows.filter(status=Status.DRAFT)
        aliases = set(drafts.values_list("account", flat=True))
        gone = unknown_accounts(aliases)
        left = dict(drafts.filter(account__in=gone).values_list("pk", "account"))
        transitions.queue(drafts.exclude(account__in=gone))
    for alias in aliases - {*gone}:
        wake(alias, using)
    report = report_on([k for k in keys if k not in left], before, (Status.DRAFT,))
    why = tuple((key, gone[left[key]]) for key in keys if key in left)
    return ActionReport(report.done, report.skipped + why)


@private
def confirm_batch(
    group: str, *, seen: str | None = None, ignore_caps: bool = False
) -> int:
    """Queue a batch's drafts by one UPDATE; return how many these were.

    The second of two confirmations finds none. ``ignore_caps`` lets them leave over
    their numbers' and their account's caps: ask who may decide that. Raise
    InvalidMessage for an account that is not configured any more; for ``seen`` see
    ``queue_messages``.
    """
    using = write_alias()
    drafts = batches.drafts_of(group)
    aliases = set(drafts.order_by().values_list("account", flat=True).distinct())
    for alias in aliases:
        find_account(alias)
    if not aliases:
        return 0
    with transaction.atomic(using=using):
        compared = None if seen is None else refuse_changed(drafts, seen)
        queued = transitions.queue(drafts, ignores_caps=ignore_caps)
        if compared not in (None, queued):
            raise changed()  # a draft has come to the group, which no lock holds
    for alias in aliases:
        wake(alias, using)
    return queued


@private
def cancel(messages: Message | Iterable[Message]) -> ActionReport:
    """Cancel these messages where they are drafts, queued or held; skip the others."""
    using = write_alias()
    keys = [message.pk for message in several(messages)]
    rows = Message.objects.using(using).filter(pk__in=keys)

    def cancel_locked() -> dict[int, str]:
        with transaction.atomic(using=using):
            before = lock_statuses(rows, using)
            _cancel(rows.filter(status__in=transitions.WAITING), _("Cancelled."), using)
        return before

    before = retry_deadlocks(cancel_locked, using=using)
    return report_on(keys, before, transitions.WAITING)


def give_up(message: Message, why: str, using: str) -> bool:
    """Cancel a message that could not be sent at once, as its sender asked.

    ``why`` it could not is kept beside that: nothing else will tell it any more.
    """
    rows = Message.objects.using(using).filter(pk=message.pk)
    reason = _("Not sent at once, so cancelled as its sender wished.")

    def cancel_queued() -> int:
        with transaction.atomic(using=using):
            lock_statuses(rows, using)
            queued = rows.filter(status=Status.QUEUED)
            return _cancel(queued, f"{reason} {why}".rstrip()[:500], using)

    return bool(retry_deadlocks(cancel_queued, using=using))


def give_up_broken(message: Message, error: BaseException, using: str) -> None:
    """Cancel a message whose try broke off, as its sender asked; never raise."""
    kind = type(error).__name__  # its text may hold anything
    try:
        give_up(message, _("The try broke off with %(kind)s.") % {"kind": kind}, using)
    except Error as failure:
        log_failure(message, failure)


def log_failure(message: Message, error: Error) -> None:
    """Log that the database failed beside a message, where nothing may be raised."""
    kind = type(error).__name__
    logger.error("SMS %s: the database failed with %s", message.pk, kind)


def _cancel(rows: MessageQuerySet, why: str, using: str) -> int:
    """Cancel locked rows; what they hold of the caps is free again."""
    counted = rows.filter(counted_for__isnull=False)
    held = list(counted.only("account", "mobile", "counted_for"))
    cancelled = transitions.cancel(rows, why)
    if held and cancelled:
        places = [(row, row.counted_for) for row in held]
        caps.give_back_places(places, database_now(using), using)
    return cancelled


def lock_statuses(rows: MessageQuerySet, using: str) -> dict[int, str]:
    """Return the status of each row, which it keeps until the transaction ends."""
    if connections[using].features.has_select_for_update:
        rows = rows.select_for_update()
    return dict(rows.order_by("pk").values_list("pk", "status"))


def report_on(
    keys: Sequence[int], before: Mapping[int, str], wanted: Iterable[str]
) -> ActionReport:
    """Say which of the messages had one of the wanted statuses."""
    allowed = set(wanted)
    skipped = tuple(
        (key, _unfit(before.get(key))) for key in keys if before.get(key) not in allowed
    )
    return ActionReport(len(keys) - len(skipped), skipped)


def _unfit(status: str | None) -> str:
    if status is None:
        return _("There is no such message any more.")
    return _("Its status does not allow it (%(status)s).") % {
        "status": Status(status).label
    }
