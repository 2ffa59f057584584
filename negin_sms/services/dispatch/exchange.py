"""What a claimed message goes through, whoever claimed it: gate, exchange, record.

``set_out`` and ``record`` work on the database and belong into its thread; the exchange
between them touches none, so that worker threads and async code can do it elsewhere.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Iterator, Sequence

from django.utils.translation import gettext_lazy as _

from negin_sms import conf
from negin_sms.exceptions import (
    AccountPaused,
    Effect,
    GatewayError,
    InvalidMessage,
    OutcomeUnknown,
    Rejected,
)
from negin_sms.gateway import Gateway, send_noting
from negin_sms.gateway.codes import Verdict as CodeVerdict
from negin_sms.gateway.codes import find_code
from negin_sms.gateway.wire import SendReply
from negin_sms.models import Message
from negin_sms.services import breaker
from negin_sms.services.database import retry_on_disconnect
from negin_sms.services.outbox import claims, gate, journal, results
from negin_sms.services.outbox.gate.rules import Verdict
from negin_sms.services.outbox.jobs import SendJob, SendResult, make_job
from negin_sms.services.outbox.journal.answers import to_answer

logger = logging.getLogger("negin_sms")


def set_out(
    claimed: Sequence[Message],
    account: conf.Account,
    using: str,
    *,
    claimed_at: float,
    lease: float,
    may_wait: bool = True,
) -> tuple[list[SendJob], dict[int, Verdict]]:
    """Lead claimed messages through the gate; return the jobs, and who did not pass.

    ``claimed_at`` is monotonic time, ``lease`` in seconds.
    """
    kept, verdicts = gate.let_out(claimed, account, using, may_wait=may_wait)
    jobs = [
        make_job(message, account, claimed_at=claimed_at, lease=lease)
        for message in kept
    ]
    journal.taken(claimed[0].claim, [job.pk for job in jobs])
    return jobs, verdicts


@contextlib.contextmanager
def put_back_on_error(claim: str, account: conf.Account, using: str) -> Iterator[None]:
    """Queue a claim's messages again if they cannot set out: nothing was begun."""
    try:
        yield
    except BaseException:
        unclaim = functools.partial(claims.unclaim_all, claim, using)
        try:
            retry_on_disconnect(unclaim, using=using, seconds=account.result_retry)
        except Exception as error:
            # Its claim runs out, then; the caller is told what went wrong first.
            logger.error("An SMS could not be put back: %s", type(error).__name__)
        raise


def record(
    ended: Sequence[SendResult], permit: breaker.Permit | None, *, using: str
) -> int:
    """Write results down and tell the breaker; return how many were not written."""
    unwritten = results.record(ended, using=using)
    if permit is None:
        return unwritten
    # A request from before the pause is not the probe.
    probes = [each.error for each in ended if each.job.claim == permit.probe]
    others = [each.error for each in ended if each.job.claim != permit.probe]
    for told, errors in ((permit.without_probe(), others), (permit, probes)):
        if errors:
            note = functools.partial(breaker.note, told, errors, using=using)
            patience = ended[0].job.account.result_retry
            retry_on_disconnect(note, using=using, seconds=patience)
    return unwritten


def exchange(gateway: Gateway, job: SendJob) -> SendResult:
    """Ask the gateway to send one message; never raise."""
    started = time.monotonic()
    reply, error = _send(gateway, job)
    if isinstance(error, Rejected) and _blames_own_line(error, job):
        # Every message of this account would be refused alike.
        error = AccountPaused(
            error.reason, code=error.code, detail=error.detail, effect=Effect.PAUSES
        )
    result = SendResult(job, reply, error, time.monotonic() - started)
    journal.answered(to_answer(result))
    return result


def _send(
    gateway: Gateway, job: SendJob
) -> tuple[SendReply | None, GatewayError | None]:
    try:
        note = functools.partial(journal.begun, job.claim, job.pk)
        reply = send_noting(gateway, job.request, start_by=job.start_by, on_begin=note)
        if not isinstance(reply, SendReply):
            raise TypeError  # no answer at all is no acceptance
        return reply, None
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


def _blames_own_line(error: Rejected, job: SendJob) -> bool:
    known = find_code(error.code) if error.code is not None else None
    if known is None or known.verdict is not CodeVerdict.LINE or not job.request.line:
        return False
    return job.request.line == job.account.line and job.request.line2 in (
        "",
        job.account.line2,
    )
