"""A claimed message as plain values, and how its exchange with the gateway ended.

What travels between the thread that owns the database and those that do HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.views.decorators.debug import sensitive_variables

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.exceptions import GatewayError, NotSent, Rejected
from negin_sms.gateway.wire import SendReply, SendRequest
from negin_sms.models import Message


@dataclass(frozen=True, slots=True)
class SendJob:
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

    job: SendJob
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
    def gateway_id(self) -> str:
        """Return the gateway's id of the message, "" without one."""
        return self.reply.gateway_id if self.reply else ""


@sensitive_variables()
def make_job(
    message: Message, account: conf.Account, *, claimed_at: float, lease: float
) -> SendJob:
    """Return the job of a claimed message.

    Past half of its lease a message is not sent any more: by the time the answer
    comes its claim may have expired.
    """
    return SendJob(
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
