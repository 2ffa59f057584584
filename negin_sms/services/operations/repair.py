"""Results that could not be written, read back from the lines of the log.

For where there is no journal, which the next run repairs by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from django.utils.translation import gettext as _

from negin_sms.choices import Status
from negin_sms.models import Message
from negin_sms.services.database import refuse_transaction, write_alias
from negin_sms.services.outbox.journal import Answer
from negin_sms.services.outbox.journal.answers import to_result
from negin_sms.services.outbox.results import record
from negin_sms.services.reports import ActionReport

_LINE = re.compile(
    r"SMS result not saved: message=([0-9]+) claim=(\S+) "
    r"status=(accepted|rejected|queued|uncertain) gateway_id=([0-9]{0,32})(?![0-9])"
)


def repair_from_log(lines: Iterable[str]) -> ActionReport:
    """Write the results that lines «SMS result not saved: …» hold; others are ignored.

    A row that says already how its sending ended is left alone and told of in
    ``skipped``, so the same log may be read again.
    """
    using = write_alias()
    refuse_transaction(using)
    done, skipped = 0, []
    for answer in _answers(lines):
        if reason := _write(answer, using):
            skipped.append((answer.pk, reason))
        else:
            done += 1
    return ActionReport(done, tuple(skipped))


def _answers(lines: Iterable[str]) -> Iterator[Answer]:
    for line in lines:
        if found := _LINE.search(line):
            pk, claim, status, gateway_id = found.groups()
            yield Answer(claim, int(pk), status, gateway_id)


def _write(answer: Answer, using: str) -> str:
    """Write one result; return why not, or "" when it is done."""
    row = Message.objects.using(using).filter(pk=answer.pk).first()
    if row is None:
        return _("There is no such message any more.")
    if row.claim != answer.claim:
        return _("The line is about another sending of it.")
    if row.status not in (Status.SENDING, Status.UNCERTAIN):
        return _("It says already how its sending ended (%(status)s).") % {
            "status": row.get_status_display()
        }
    is_evidence = answer.status in (Status.ACCEPTED, Status.REJECTED)
    if row.status == Status.UNCERTAIN and not is_evidence:
        return _("The line says no more than the message.")
    if record([to_result(answer, row)], using=using):
        return _("It could not be written; the log says why.")
    return ""
