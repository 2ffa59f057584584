"""Writing down how exchanges ended: the write that must not fail.

Everything from outside was cleaned and cut before it came here, so the write cannot
fail on content; a database that is away is tried again on a fresh connection. What
cannot be written is kept all the same, whatever was raised. A result that finds its
row without its claim is evidence, and is written unless a person has acted on it, or
the row was sent again; then the row is flagged.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.utils.translation import gettext as _

from negin_sms.choices import Flag, Status
from negin_sms.gateway.codes import SUCCESS, find_code
from negin_sms.models import Message
from negin_sms.services import breaker
from negin_sms.services.announcements import announce_outcomes, announce_settled
from negin_sms.services.database import retry_on_disconnect
from negin_sms.services.outbox import journal, transitions
from negin_sms.services.outbox.gate import opt_outs
from negin_sms.services.statistics.daily_counts import invalidate_days

from .engines import engine_for
from .jobs import SendResult
from .shared_ids import flag_shared_ids

logger = logging.getLogger("negin_sms")

_warned_codes: set[int] = set()


def record(results: Sequence[SendResult], *, using: str) -> int:
    """Write the results to their rows; return how many could not be written.

    Those are logged, one line each without number or text, from which the row can be
    repaired; their claims run out and leave them uncertain until then.
    """
    if not results:
        return 0
    news = _News()
    # Of all steps together: the answers of others wait while these insist.
    give_up_at = time.monotonic() + _patience(results)
    left = _write_acceptances(results, news, using, give_up_at)
    left = _write_others(left, news, using, give_up_at)
    log_unwritten(left)
    _warn_of_codes(results)
    lost = {result.job.pk for result in left}
    for result in results:
        if result.job.pk not in lost:
            journal.settled(result.job.claim, [result.job.pk])
    opt_outs.remember(results, using)
    announce_outcomes(news.written, using)
    announce_settled(news.settled, using)
    return len(left)


@dataclass(slots=True)
class _News:
    """What was written: the new status by primary key, and who is settled by it."""

    written: dict[int, str] = field(default_factory=dict)
    settled: list[int] = field(default_factory=list)

    def add(self, other: _News) -> None:
        self.written |= other.written
        self.settled += other.settled


def log_unwritten(results: Iterable[SendResult]) -> None:
    """Log what no database took, a line for each row, to be repaired from."""
    for result in results:
        logger.critical("SMS result not saved: %s", _repair_line(result))


def _repair_line(result: SendResult) -> str:
    """Return what a row can be repaired from; no number, no text."""
    return (
        f"message={result.job.pk} claim={result.job.claim} "
        f"status={result.status.value} gateway_id={result.gateway_id}"
    )


def _write_acceptances(
    results: Sequence[SendResult], news: _News, using: str, give_up_at: float
) -> list[SendResult]:
    """Write the usual case in one go; return what is left to write."""
    accepted = [result for result in results if result.reply is not None]
    if not accepted:
        return list(results)
    try:
        keys, settled = retry_on_disconnect(
            lambda: engine_for(using).accept(accepted),
            using=using,
            seconds=give_up_at - time.monotonic(),
        )
    except Exception:
        return list(results)  # one by one, then; the one at fault stays behind
    news.add(_News(dict.fromkeys(keys, Status.ACCEPTED), settled))
    return [result for result in results if result.job.pk not in keys]


def _write_others(
    results: Sequence[SendResult], news: _News, using: str, give_up_at: float
) -> list[SendResult]:
    """Write what is no plain acceptance; return what could not be written."""
    try:
        left = give_up_at - time.monotonic()
        news.add(_write_together(results, using, seconds=left))
        return []
    except Exception:
        # One of them is at fault. Who waited for the server has waited for all.
        return [each for each in results if not _write_alone(each, news, using)]


def _write_alone(result: SendResult, news: _News, using: str) -> bool:
    try:
        try:
            news.add(_write_together([result], using, seconds=0))
        except SentAnew:
            # Here, for the error takes back what was written in its transaction.
            _stop_restored(result.job.account.alias, result.job.pk)
            raise
    except Exception as error:
        # Whatever it was: this result is not dropped, and the others are written.
        kind = type(error).__name__
        logger.error("SMS %s: its result met %s", result.job.pk, kind)
        return False
    return True


def _write_together(
    results: Sequence[SendResult], using: str, *, seconds: float
) -> _News:
    """Write these in one transaction."""

    def write() -> _News:
        news = _News()
        with transaction.atomic(using=using):
            for result in results:
                _write(result, news, using)
        return news

    return (
        retry_on_disconnect(write, using=using, seconds=seconds) if results else _News()
    )


def _write(result: SendResult, news: _News, using: str) -> None:
    job = result.job
    rows = Message.objects.using(using).claimed_by(job.claim).filter(pk=job.pk)
    if transitions.finish(rows, result) or _write_evidence(result, using):
        news.written[job.pk] = result.status
    if result.reply is not None:
        alias, gateway_id = job.account.alias, result.gateway_id
        news.settled += flag_shared_ids(alias, [gateway_id], using=using)


def _write_evidence(result: SendResult, using: str) -> bool:
    """Let what the gateway said beat a claim that was lost; return whether it did.

    Raise LostRow where there is no row to write it to, SentAnew where another claim
    sends it now.
    """
    if result.status not in (Status.ACCEPTED, Status.REJECTED):
        return False  # it says nothing that the row does not say
    job = result.job
    rows = Message.objects.using(using).filter(pk=job.pk)
    row = rows.select_for_update().first()
    if row is None:
        raise LostRow
    if row.status == Status.SENDING:
        raise SentAnew
    if row.status in (*transitions.WAITING, Status.CANCELLED, Status.EXPIRED):
        _stop_restored(job.account.alias, job.pk)
    elif _is_in_doubt(row, job.claim, using):
        logger.warning("SMS %s: its own late result ends the doubt", job.pk)
    else:  # written before, or a person or another claim has acted
        _tell_of_contradiction(row, result, using)
        return False
    transitions.finish(rows.filter(status=row.status, claim=row.claim), result)
    invalidate_days([row.finished_at], using=using)
    return True


def _is_in_doubt(row: Message, claim: str, using: str) -> bool:
    if row.status != Status.UNCERTAIN or row.claim != claim:
        return False
    return not Message.objects.using(using).resends_of([row.pk]).exists()


def _tell_of_contradiction(row: Message, result: SendResult, using: str) -> None:
    """Show that a message was sent of which the row says something else."""
    if result.status != Status.ACCEPTED or row.gateway_id == result.gateway_id:
        return
    if row.status == Status.ACCEPTED and not row.gateway_id:
        return  # a person has found out the same
    sent_anew = row.status == Status.ACCEPTED and row.claim != result.job.claim
    flag = Flag.SENT_TWICE if sent_anew else Flag.LATE_ANSWER
    if row.flag == flag:
        return
    if sent_anew:
        logger.error(
            "SMS %s was accepted by the gateway before, too (id %s), and its row did "
            "not know when it was sent again. The message is flagged; its recipient "
            "may have it twice",
            row.pk,
            result.gateway_id,
        )
    else:
        logger.error(
            "SMS %s was accepted by the gateway (id %s), as came out too late: a "
            "person has decided otherwise. The message is flagged and stays as it is",
            row.pk,
            result.gateway_id,
        )
    Message.objects.using(using).filter(pk=row.pk).update(flag=flag)


def _stop_restored(alias: str, pk: int) -> None:
    """Pause the account: what was sent stood in its queue again."""
    logger.critical(
        "SMS %s was sent, and its row did not know: the database was restored or "
        "failed over. The account %r is paused. Compare the queue with the gateway's "
        "panel before you resume it.",
        pk,
        alias,
    )
    reason = _(
        "Message %(pk)s was sent, but its row said that it was not: was the "
        "database restored? Compare the queue with the gateway's panel."
    )
    breaker.stop_account(alias, reason % {"pk": pk})


class LostRow(Exception):
    """There is no row that this result could be written to."""


class SentAnew(LostRow):
    """What was sent stood in the queue again, and another claim sends it."""


def _patience(results: Iterable[SendResult]) -> float:
    return max((each.job.account.result_retry for each in results), default=0.0)


def _warn_of_codes(results: Iterable[SendResult]) -> None:
    """Warn once a process of every status code that nobody knows."""
    codes = Counter(_odd_code(result) for result in results)
    for code in codes:
        if code is not None and code not in _warned_codes:
            _warned_codes.add(code)
            logger.error("The SMS gateway used the unknown status code %d", code)


def _odd_code(result: SendResult) -> int | None:
    source = result.reply or result.error
    code = source.code if source else None
    if code is None or code == SUCCESS or find_code(code) is not None:
        return None
    return code
