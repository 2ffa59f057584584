"""What a process left behind that is gone, mended by its journal.

What it had not begun goes back to the queue, what it was answered is written, and only
what it had begun is uncertain. Where no journal speaks, ``claims`` waits for the lease.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, timedelta
from pathlib import Path

from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.models import Message
from negin_sms.querysets import MessageQuerySet
from negin_sms.services.announcements import announce_outcomes
from negin_sms.services.outbox import transitions
from negin_sms.services.outbox.jobs import SendResult
from negin_sms.services.outbox.journal import Answer, reader
from negin_sms.services.outbox.journal.answers import is_of, to_result
from negin_sms.services.outbox.journal.files import (
    NoJournal,
    find_folder,
    others_keep_one,
)
from negin_sms.services.outbox.journal.reader import Fate, Journal
from negin_sms.services.outbox.results import record
from negin_sms.services.outbox.shared_ids import flag_shared_ids

logger = logging.getLogger("negin_sms")

_BATCH = 500
_written: set[Path] = set()  # whose answers are; the files stay for a moment
# What a row can say that does not know how its sending ended.
_IGNORANT = (Status.SENDING, Status.UNCERTAIN, Status.QUEUED, Status.HELD)


def recover(using: str) -> int:
    """Mend what processes left behind that are gone; return how much is uncertain."""
    uncertain = 0
    for folder in _folders():
        for journal in reader.read_all(folder, using):
            left = _left_sending(journal, using)
            uncertain += _doubt(left[Fate.BEGUN], using)
            _queue_again(left[Fate.NOT_BEGUN], using)
            if _write_answers(journal, using):
                journal.remove()
    return uncertain


def may_read_journals() -> bool:
    """Return whether what is kept on this machine can be read by this user."""
    folders = _folders() - {""}
    try:
        for state_dir in folders:
            find_folder(state_dir)
    except NoJournal:
        return False
    return not (None in folders and others_keep_one())


def write_lost_answers(using: str) -> None:
    """Write answers again that were written to a server which is gone.

    Of all processes on this machine, ours too. What was sent and stands in the queue
    again is held just now.
    """
    for folder in _folders():
        for journal in reader.read_all(folder, using, living=True):
            for results in _unwritten(journal, using):
                _write_lost(results, using)


def _write_lost(results: Sequence[SendResult], using: str) -> None:
    rows = Message.objects.using(using)
    written = {
        each.job.pk: each
        for each in results
        if transitions.finish(
            rows.filter(pk=each.job.pk, claim="", status=Status.HELD), each
        )
    }
    for alias in {each.job.account.alias for each in written.values()}:
        ids = {r.gateway_id for r in written.values() if r.job.account.alias == alias}
        flag_shared_ids(alias, ids - {""}, using=using)
    announce_outcomes({pk: each.status for pk, each in written.items()}, using)
    record([each for each in results if each.job.pk not in written], using=using)
    if written:
        logger.warning(
            "%d results that a database server had lost are written again", len(written)
        )


def write_answer(pk: int, claim: str, using: str) -> bool:
    """Write what a process was answered whose claim ran out; it may be living."""
    message = Message.objects.using(using).filter(pk=pk, claim=claim).first()
    if message is None or message.account not in _accounts():
        return False
    answer = _find_answer(pk, claim)
    if answer is None:
        return False
    return not record([to_result(answer, message)], using=using)


def _find_answer(pk: int, claim: str) -> Answer | None:
    for folder in _folders():
        if found := reader.find(folder, claim):
            with found as journal:
                fate = journal.fate(claim, pk)
            return fate if isinstance(fate, Answer) else None
    return None


def _accounts() -> set[str]:
    return {account.alias for account in conf.get_accounts()}


def _folders() -> set[str | None]:
    return {account.state_dir for account in conf.get_accounts()}


def _left_sending(journal: Journal, using: str) -> dict[Fate, list[Message]]:
    """Return the rows of the process that are still being sent, by their fate."""
    left: dict[Fate, list[Message]] = defaultdict(list)
    rows = Message.objects.using(using).filter(status=Status.SENDING)
    rows = rows.filter(claim__startswith=journal.tag)
    for message in rows.only("pk", "account", "claim", "claimed_until"):
        fate = journal.fate(message.claim, message.pk)
        if isinstance(fate, Fate):
            left[fate].append(message)
    return left


def _doubt(begun: Sequence[Message], using: str) -> int:
    reason = _(
        "Its process took it at about %(time)s UTC, had begun to send it, and ended "
        "before it had an answer. It may have been sent then."
    )
    doubted = [
        message.pk
        for message in begun
        if transitions.expire_claim(
            _row(message, using), reason % {"time": claimed_at(message)}
        )
    ]
    if doubted:
        logger.error(
            "%d SMS became uncertain: their process ended while it sent", len(doubted)
        )
        announce_outcomes(dict.fromkeys(doubted, Status.UNCERTAIN), using)
    return len(doubted)


def claimed_at(message: Message) -> str:
    """Return about when a claim was made, for who looks for the message in the panel.

    By the LEASE of the settings: a worker's own was another one, if it was given one.
    """
    if message.claimed_until is None:
        return "-"
    leases = {account.alias: account.lease for account in conf.get_accounts()}
    lease = timedelta(seconds=leases.get(message.account, 0.0))
    return f"{(message.claimed_until - lease).astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _queue_again(messages: Sequence[Message], using: str) -> None:
    moved = sum(transitions.unclaim(_row(message, using)) for message in messages)
    if moved:
        logger.warning(
            "%d SMS are queued again: their process ended before it sent them", moved
        )


def _write_answers(journal: Journal, using: str) -> bool:
    """Write what the rows do not know yet; return whether nothing is left to write."""
    if journal.path in _written:
        return True
    found = lost = 0
    for results in _unwritten(journal, using):
        found += len(results)
        lost += record(results, using=using)
    # What runs with another's settings leaves the file for who has the account.
    of_others = sum(
        row.account not in _accounts()
        for pairs in _news(journal, using)
        for _answer, row in pairs
    )
    if found:
        logger.warning(
            "%d of %d results of a process that ended are written from its journal",
            found - lost,
            found,
        )
    if lost or of_others:
        return False
    _written.add(journal.path)
    return True


def _unwritten(journal: Journal, using: str) -> Iterator[list[SendResult]]:
    known = _accounts()
    for pairs in _news(journal, using):
        yield [to_result(*each) for each in pairs if each[1].account in known]


def _news(journal: Journal, using: str) -> Iterator[list[tuple[Answer, Message]]]:
    """Return the answers that say more than their rows, of whichever account."""
    answers = list(journal.answers.values())
    for start in range(0, len(answers), _BATCH):
        of = {answer.pk: answer for answer in answers[start : start + _BATCH]}
        rows = Message.objects.using(using).filter(pk__in=of, status__in=_IGNORANT)
        # Who sent it again has decided.
        found = [(of[row.pk], row) for row in rows.not_resent()]
        yield [each for each in found if _says_more(*each)]


def _says_more(answer: Answer, row: Message) -> bool:
    is_evidence = answer.status in (Status.ACCEPTED, Status.REJECTED)
    if row.claim:
        is_news = is_evidence or row.status == Status.SENDING
        return row.claim == answer.claim and is_news
    # What was written after the claim is lost: a restore, or a failover.
    is_known = row.account in _accounts()
    return is_evidence and (not is_known or is_of(answer, row))


def _row(message: Message, using: str) -> MessageQuerySet:
    rows = Message.objects.using(using)
    return rows.filter(pk=message.pk, claim=message.claim)
