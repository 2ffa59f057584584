"""A result as the journal keeps it, and back: without number, text and credential."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import time

from django.conf import settings
from django.utils.encoding import force_bytes
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from negin_sms import conf
from negin_sms.choices import Flag, Status
from negin_sms.exceptions import (
    Effect,
    GatewayError,
    NotSent,
    OutcomeUnknown,
    Rejected,
)
from negin_sms.gateway.codes import SUCCESS
from negin_sms.gateway.wire import SendReply, SendRequest
from negin_sms.models import Message
from negin_sms.services.outbox import transitions
from negin_sms.services.outbox.jobs import SendResult, make_job

from .writer import Answer

_NO_NUMBER = "another"  # as good as any other number: the row is flagged


def to_answer(result: SendResult) -> Answer:
    """Return what the journal keeps of a result."""
    job, at = result.job, math.ceil(time.time())
    answer = Answer(
        job.claim, job.pk, result.status.value, at=at, wish=_digest(job.request)
    )
    if result.reply is None:
        return answer._replace(code=result.error.code if result.error else None)
    kept = transitions.acceptance(result)
    return answer._replace(
        gateway_id=kept["gateway_id"],
        used_line=kept["used_line"],
        code=kept["code"],
        flag=kept["flag"],
    )


def to_result(answer: Answer, message: Message) -> SendResult:
    """Return the result that an answer was kept of; ``message`` is its row."""
    account = conf.get_account(message.account)
    job = make_job(message, account, claimed_at=0.0, lease=0.0)
    job = dataclasses.replace(job, claim=answer.claim)
    if answer.status != Status.ACCEPTED:
        return SendResult(job, error=_error(answer))
    echo = _NO_NUMBER if answer.flag == Flag.OTHER_MOBILE else ""
    code = SUCCESS if answer.code is None else answer.code
    line = answer.used_line
    return SendResult(job, SendReply(answer.gateway_id, line, echo, code, ""))


@sensitive_variables()
def is_of(answer: Answer, message: Message) -> bool:
    """Return whether a row that has lost its claim is the one that was sent.

    Not one of the same number in a database that was made anew, or gave a key twice.
    """
    request = make_job(
        message, conf.get_account(message.account), claimed_at=0.0, lease=0.0
    ).request
    made_before = message.created_at.timestamp() <= answer.at
    return made_before and answer.wish == _digest(request)


@sensitive_variables()
def _digest(request: SendRequest) -> str:
    sent = f"{request.mobile}\0{request.text}".encode(errors="surrogatepass")
    return hashlib.blake2b(sent, key=_key(), digest_size=8).hexdigest()


def _key() -> bytes:
    return force_bytes(settings.SECRET_KEY)[: hashlib.blake2b.MAX_KEY_SIZE]


def _error(answer: Answer) -> GatewayError:
    code = answer.code
    if answer.status == Status.REJECTED:
        reason = _("The gateway refused it (from the journal of its process).")
        return Rejected(reason, code=code, effect=Effect.IGNORED)
    if answer.status == Status.QUEUED:
        reason = _("It was not sent (from the journal of its process).")
        return NotSent(reason, code=code, effect=Effect.IGNORED)
    reason = _("It may have been sent (from the journal of its process).")
    return OutcomeUnknown(reason, code=code, effect=Effect.IGNORED)
