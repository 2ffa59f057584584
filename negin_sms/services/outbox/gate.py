"""What is held back between the claim and the request: ONLY_TO and ``pre_send``.

Every message passes here once it is claimed, whoever claimed it, so nothing leaves
without having been asked for.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable

from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.exceptions import (
    Effect,
    InvalidConfiguration,
    InvalidMessage,
    NeginSmsError,
    NotSent,
    Vetoed,
)
from negin_sms.gateway.cleaning import clean
from negin_sms.models import Message
from negin_sms.phones import normalize_mobile
from negin_sms.querysets import DbNow, from_now
from negin_sms.retries import retry_delay
from negin_sms.signals import pre_send

logger = logging.getLogger("negin_sms")

Held = dict[int, NeginSmsError | None]


def withhold(
    messages: Iterable[Message], account: conf.Account, claim: str, using: str
) -> tuple[list[Message], Held]:
    """Hold back what must not be sent; return the others, and why by primary key.

    Without an error it is ONLY_TO that held a message back, as somebody wished.
    """
    kept: list[Message] = []
    held: Held = {}
    for message in messages:
        if not _is_allowed(message, account):
            _cancel(message, _("Kept back: ONLY_TO does not list its number."), using)
            held[message.pk] = None
        elif error := _objection(message, using):
            held[message.pk] = error
        else:
            kept.append(message)
    return kept, held


def refuse_unreadable_only_to(account: conf.Account) -> None:
    """Raise InvalidConfiguration before a claim that ``withhold`` could not handle."""
    if account.only_to is not None:
        allowed_numbers(account.only_to, account.alias)


@functools.lru_cache(maxsize=32)
def allowed_numbers(only_to: frozenset[str], alias: str) -> frozenset[str]:
    """Return the numbers of ONLY_TO in their stored form.

    Raise InvalidConfiguration for one that is no number: nobody would get it.
    """
    try:
        return frozenset(normalize_mobile(number) for number in only_to)
    except InvalidMessage as error:
        raise InvalidConfiguration(
            f'{conf.SETTING}["{alias}"]["ONLY_TO"] holds something that is no Iranian '
            f"mobile number: {error.reason} Write numbers such as "
            '"09395213300".'
        ) from None


def _is_allowed(message: Message, account: conf.Account) -> bool:
    if account.only_to is None:
        return True
    return message.mobile in allowed_numbers(account.only_to, account.alias)


def _objection(message: Message, using: str) -> NeginSmsError | None:
    """Ask the project's receivers; return what stops the message, if anything."""
    if not pre_send.has_listeners(Message):
        return None
    try:
        pre_send.send(sender=Message, message=message)
    except Vetoed as veto:
        reason = clean(str(veto.reason)) or _("A pre_send receiver refused it.")
        _cancel(message, reason, using)
        return veto.with_traceback(None)
    except Exception as error:
        # Its text may hold anything, so only its kind is told.
        kind = type(error).__name__
        logger.error("SMS %s: a pre_send receiver failed with %s", message.pk, kind)
        reason = _("A pre_send receiver failed with %(kind)s.") % {"kind": kind}
        _put_back(message, reason, using)
        return NotSent(reason, effect=Effect.IGNORED)
    return None


def _cancel(message: Message, detail: str, using: str) -> None:
    Message.objects.using(using).claimed_by(message.claim).filter(pk=message.pk).update(
        status=Status.CANCELLED,
        claimed_until=None,
        detail=detail,
        finished_at=DbNow(),
    )


def _put_back(message: Message, detail: str, using: str) -> None:
    Message.objects.using(using).claimed_by(message.claim).filter(pk=message.pk).update(
        status=Status.QUEUED,
        claim="",
        claimed_until=None,
        detail=detail,
        due_at=from_now(retry_delay(message.attempts)),
    )
