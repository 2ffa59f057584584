"""What ``send_sms`` leaves for the moment after its caller's transaction."""

from __future__ import annotations

import logging

from negin_sms import conf
from negin_sms.models import Message
from negin_sms.services.outbox.confirming import give_up, give_up_broken
from negin_sms.services.outbox.gate import why_waiting

from .dispatcher import send_rows

logger = logging.getLogger("negin_sms")


def send_committed(message: Message, using: str, *, may_wait: bool) -> None:
    """Claim and send a row that has just been committed; raise no Exception.

    Without ``may_wait`` it is cancelled where it did not leave.
    """
    try:
        account = conf.get_account(message.account)
        if not account.dispatch:
            return
        rows = Message.objects.using(using).filter(pk=message.pk)
        send_rows(account, rows, most=1, may_wait=may_wait)
        message.refresh_from_db(using=using)
        if not may_wait and give_up(message, _why_queued(message), using):
            message.refresh_from_db(using=using)
    except BaseException as error:  # a server ends a request by SystemExit
        kind = type(error).__name__
        logger.error("SMS %s was not sent after the commit: %s", message.pk, kind)
        if not may_wait:
            give_up_broken(message, error, using)
        if not isinstance(error, Exception):
            raise


def _why_queued(message: Message) -> str:
    """Return what the last try said, else what keeps the message from a try."""
    return message.detail or " ".join(str(each.reason) for each in why_waiting(message))
