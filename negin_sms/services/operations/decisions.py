"""What a person decides: what an uncertain message was."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, overload

from django.db import transaction
from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.characters import latin_digits
from negin_sms.choices import Status
from negin_sms.error_reports import private
from negin_sms.exceptions import InvalidMessage, NeginSmsError
from negin_sms.gateway.cleaning import clean
from negin_sms.gateway.codes import LARGEST_SUSPECT_ID
from negin_sms.models import Message
from negin_sms.querysets import DbNow, MessageQuerySet, from_now
from negin_sms.retries import next_poll_age
from negin_sms.services.announcements import announce_outcomes, announce_settled
from negin_sms.services.database import write_alias
from negin_sms.services.outbox import transitions
from negin_sms.services.outbox.shared_ids import flag_shared_ids
from negin_sms.services.reports import ActionReport
from negin_sms.services.statistics.daily_counts import invalidate_days
from negin_sms.services.submission.arguments import User, several, user_key

logger = logging.getLogger("negin_sms")


@overload
def resolve(
    messages: Message,
    status: str,
    *,
    by: User | None,
    why: str,
    gateway_id: str = "",
    claim: str = "",
) -> Message: ...


@overload
def resolve(
    messages: Iterable[Message], status: str, *, by: User | None, why: str
) -> ActionReport: ...


def resolve(
    messages: Message | Iterable[Message],
    status: str,
    *,
    by: User | None,
    why: str,
    gateway_id: str = "",
    claim: str = "",
) -> Message | ActionReport:
    """Decide what one uncertain message was, or many: ``accepted`` or ``rejected``.

    Of many, those that are not uncertain any more are skipped with the reason. One is
    returned, and NeginSmsError raised when there is nothing to decide. ``why`` is kept
    on the row. Of one only: with ``gateway_id`` (from the panel) an accepted message is
    asked about like the others, without it is settled; InvalidMessage is raised for an
    id that another message has. ``claim`` (from a line of the log) proves that this is
    the sending's own result, which is written late.
    """
    if isinstance(messages, Message):
        return _resolve_one(
            messages, status, by=by, why=why, gateway_id=gateway_id, claim=claim
        )
    if gateway_id or claim:
        raise InvalidMessage(
            "gateway_id", _("Each message has its own: resolve them one by one.")
        )
    done, skipped = 0, []
    for message in several(messages):
        try:
            _resolve_one(message, status, by=by, why=why)
        except InvalidMessage:
            raise
        except NeginSmsError as error:
            skipped.append((message.pk, str(error)))
        else:
            done += 1
    return ActionReport(done, tuple(skipped))


@private
def _resolve_one(
    message: Message,
    status: str,
    *,
    by: User | None,
    why: str,
    gateway_id: str = "",
    claim: str = "",
) -> Message:
    """Decide one; with a ``claim`` also what is still ``sending``."""
    gateway_id = latin_digits(gateway_id)
    refuse_unfit_decision(status, why, gateway_id)
    who = user_key(by)
    using = write_alias()
    if gateway_id and not claim:  # what the gateway itself said twice is flagged
        refuse_id_of_another(message, gateway_id)
    found = _to_poll(message.account, gateway_id) if gateway_id else {}
    settled: list[int] = []
    with transaction.atomic(using=using):
        undecided = _undecided(message.pk, claim, using)
        changed = transitions.resolve(undecided, status, clean(why), **found)
        if changed and gateway_id:
            settled = flag_shared_ids(message.account, [gateway_id], using=using)
        if changed and not gateway_id and status == Status.ACCEPTED:
            settled = _settle(message.pk, using)
        message.refresh_from_db(using=using)
        invalidate_days([message.finished_at] if changed else [], using=using)
    if not changed:
        raise NeginSmsError(_why_not(message, claim))
    logger.info("SMS %s was resolved as %s by %s", message.pk, status, who or "-")
    announce_outcomes({message.pk: status}, using)
    announce_settled(settled, using)
    return message


def _why_not(message: Message, claim: str) -> str:
    words = _("Message %(pk)s is not uncertain (%(status)s); nothing was changed.")
    if claim and message.status in (Status.UNCERTAIN, Status.SENDING):
        words = _("Message %(pk)s was sent again already; nothing was changed.")
        if message.claim != claim:
            words = _(
                "The claim is not that of the last sending of message %(pk)s; nothing "
                "was changed. Copy it whole from the line of the log."
            )
    return words % {"pk": message.pk, "status": message.get_status_display()}


def _to_poll(alias: str, gateway_id: str) -> dict[str, Any]:
    """Return the columns of a message that is asked about like the others."""
    first_age = next_poll_age(0, conf.get_account(alias).poll_schedule)
    return {"gateway_id": gateway_id, "poll_at": from_now(first_age or 0)}


def _settle(pk: int, using: str) -> list[int]:
    """Settle an accepted message that nobody can ask about: it has no id."""
    rows = Message.objects.using(using).filter(pk=pk, settled_at__isnull=True)
    return [pk] * rows.update(settled_at=DbNow())


def _undecided(pk: int, claim: str, using: str) -> MessageQuerySet:
    rows = Message.objects.using(using)
    if not claim:
        return rows.filter(pk=pk, status=Status.UNCERTAIN)
    # Locked, so that no resend comes between the look and the step.
    rows.select_for_update().filter(pk=pk).first()
    if rows.resends_of([pk]).exists():
        return rows.none()
    undecided = (Status.UNCERTAIN, Status.SENDING)
    return rows.filter(pk=pk, claim=claim, status__in=undecided)


def refuse_id_of_another(message: Message, gateway_id: str) -> None:
    """Raise InvalidMessage("gateway_id") for one that another message has already.

    Neither could be asked about any more: a wrong line of the panel was read.
    """
    rows = Message.objects.using(write_alias()).exclude(pk=message.pk)
    other = rows.filter(account=message.account, gateway_id=gateway_id).first()
    if other is not None:
        reason = _("Message %(pk)s has this gateway id. Look in the panel again.")
        raise InvalidMessage("gateway_id", reason % {"pk": other.pk})


def refuse_unfit_decision(status: str, why: str, gateway_id: str) -> None:
    """Raise InvalidMessage, with the field, for a decision that cannot be."""
    if status not in (Status.ACCEPTED, Status.REJECTED):
        raise InvalidMessage("status", _("Decide for accepted or rejected."))
    if not why.strip():
        raise InvalidMessage("why", _("Say how you know: the reason is empty."))
    if not gateway_id:
        return
    if status != Status.ACCEPTED:
        raise InvalidMessage(
            "gateway_id", _("Only an accepted message has a gateway id.")
        )
    sane = gateway_id.isascii() and gateway_id.isdigit() and len(gateway_id) <= 32
    if not sane or int(gateway_id) <= LARGEST_SUSPECT_ID:
        raise InvalidMessage(
            "gateway_id",
            _("A gateway id is a number above %(limit)s.")
            % {"limit": LARGEST_SUSPECT_ID},
        )
