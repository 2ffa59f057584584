"""The part of a send that leaves the database thread: one job out, one result back.

Plain values in, plain values out; nothing here touches the database. Every way an
exchange can end becomes one of four statuses, and an Effect on the account.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.exceptions import (
    AccountPaused,
    Effect,
    GatewayError,
    InvalidMessage,
    NotSent,
    OutcomeUnknown,
    Rejected,
)
from negin_sms.gateway import Gateway
from negin_sms.gateway.codes import Verdict, find_code
from negin_sms.gateway.wire import SendReply, SendRequest
from negin_sms.models import Message

logger = logging.getLogger("negin_sms")


@dataclass(frozen=True, slots=True)
class Job:
    """One claimed message as a worker gets it; ``start_by`` is monotonic time."""

    pk: int
    claim: str
    attempts: int
    account: conf.Account
    request: SendRequest
    start_by: float


@dataclass(frozen=True, slots=True)
class SendResult:
    """How the exchange of one job ended: a reply, or the error that says why not."""

    job: Job
    reply: SendReply | None = None
    error: GatewayError | None = None
    seconds: float = 0.0

    @property
    def status(self) -> Status:
        """Return where the message stands now."""
        if self.error is None:
            return Status.ACCEPTED
        if isinstance(self.error, NotSent):
            return Status.QUEUED
        if isinstance(self.error, Rejected):
            return Status.REJECTED
        return Status.UNCERTAIN

    @property
    def effect(self) -> Effect:
        """Return what this means for the account."""
        return Effect.SUCCESS if self.error is None else self.error.effect


@sensitive_variables()
def make_job(
    message: Message, account: conf.Account, *, claimed_at: float, lease: float
) -> Job:
    """Return the job of a claimed message.

    Past half of its lease a message is not sent any more: somebody else may take
    the claim for dead by the time the answer comes.
    """
    return Job(
        pk=message.pk,
        claim=message.claim,
        attempts=message.attempts,
        account=account,
        request=SendRequest(
            mobile=message.mobile,
            text=message.text,
            scenario=message.scenario,
            line=message.line,
            line2=message.line2,
            template=message.template,
        ),
        start_by=claimed_at + lease / 2,
    )


def exchange(gateway: Gateway, job: Job) -> SendResult:
    """Ask the gateway to send one message; never raise."""
    started = time.monotonic()
    reply, error = _send(gateway, job)
    if isinstance(error, Rejected) and _blames_own_line(error, job):
        # Every message of this account would be refused alike.
        error = AccountPaused(
            error.reason, code=error.code, detail=error.detail, effect=Effect.PAUSES
        )
    return SendResult(job, reply, error, time.monotonic() - started)


def _send(gateway: Gateway, job: Job) -> tuple[SendReply | None, GatewayError | None]:
    try:
        return gateway.send(job.request, start_by=job.start_by), None
    except GatewayError as error:
        return None, error.with_traceback(None)
    except InvalidMessage as error:
        # A row that no service of ours has made; the wire refuses to write it.
        return None, Rejected(str(error), effect=Effect.IGNORED)
    except Exception as error:
        # A fault of ours or of a third party's gateway class: nobody knows how
        # far it got. Its text may hold anything, so only its kind is told.
        kind = type(error).__name__
        logger.error("SMS %s: the gateway class failed with %s", job.pk, kind)
        reason = _("The program failed while sending; it may have been sent.")
        return None, OutcomeUnknown(reason, detail=kind)


def _blames_own_line(error: Rejected, job: Job) -> bool:
    known = find_code(error.code) if error.code is not None else None
    if known is None or known.verdict is not Verdict.LINE or not job.request.line:
        return False
    return job.request.line == job.account.line and job.request.line2 in (
        "",
        job.account.line2,
    )
