"""What the page between a button and what it does warns of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from negin_sms.choices import Status
from negin_sms.models import Message
from negin_sms.querysets import MessageQuerySet
from negin_sms.services.database import write_alias
from negin_sms.services.dispatch.foresight import unreached
from negin_sms.services.operations.health.findings import Finding
from negin_sms.services.operations.health.judgement import obstacles
from negin_sms.services.operations.resending import planned_time, why_not_resent

from .action_words import scheduled_warnings
from .preview_warnings import delay_warnings, reach_warnings
from .waiting import is_scheduled


def obstacles_of(fit: Sequence[Message], *, are_left: bool) -> list[Finding]:
    """Return what keeps these accounts from sending.

    That no dispatcher runs concerns only what is left to one.
    """
    found = [each for alias in _by_account(fit) for each in obstacles(alias)]
    return [each for each in found if are_left or each.code != "no_dispatcher"]


def sending_warnings(
    waiting: Sequence[Message], fit: Sequence[Message], *, may_go_now: bool
) -> list[str]:
    """Return whom these do not reach, now or at their time, and what keeps them.

    Where ``may_go_now`` also what holds for all of them sent now instead.
    """
    told, at_once, now = late_warnings(fit), [], timezone.now()
    fit = [message for message in fit if not _is_late(message)]
    wait = {message.pk for message in waiting}
    for alias, of_account in _by_account(fit).items():
        told += reach_warnings(unreached(rows_of(of_account), alias), alias)
        if any(message.pk in wait for message in of_account):
            as_now = unreached(rows_of(of_account), alias, at=now)
            at_once += reach_warnings(as_now, alias)
    told += _delay_warnings(fit)
    if len(fit) == 1 and waiting:
        at_once += _delay_warnings_now(fit[0])
    # Whether in the same words or not: who reads both compares them.
    instead = _("By “Send now instead”: %(warning)s")
    return told + [instead % {"warning": words} for words in at_once if may_go_now]


def released_warnings(fit: Sequence[Message]) -> list[str]:
    """Return whom these do not reach at their times, and what keeps a single one."""
    told = late_warnings(fit)
    fit = [message for message in fit if not _is_late(message)]
    return told + warnings_of_reach(fit) + _delay_warnings(fit)


def late_warnings(fit: Sequence[Message]) -> list[str]:
    """Return a warning of those whose time is over already."""
    late = sum(map(_is_late, fit))
    if not late:
        return []
    words = ngettext(
        "The time of %(count)s message is over: it expires, and is not sent. "
        "“Reschedule” gives it another.",
        "The time of %(count)s messages is over: they expire, and are not sent. "
        "“Reschedule” gives each another.",
        late,
    )
    return [words % {"count": late}]


def _is_late(message: Message) -> bool:
    waits = message.status in (Status.QUEUED, Status.HELD)
    return waits and message.expires_at <= timezone.now()


def _delay_warnings(fit: Sequence[Message]) -> list[str]:
    """Return what a pause and quiet hours do to a single one, at its time or now.

    Not from when it was put off to: that is their end.
    """
    if len(fit) != 1:
        return []
    (alone,) = fit
    return delay_warnings(alone) if is_scheduled(alone) else _delay_warnings_now(alone)


def _delay_warnings_now(message: Message) -> list[str]:
    """Return what they do to one that is sent now.

    The lifetime of a draft, and of what has a time to come, begins anew then.
    """
    now, ends_at = timezone.now(), message.expires_at
    if message.lifetime and (message.status == Status.DRAFT or is_scheduled(message)):
        ends_at = now + message.lifetime
    return delay_warnings(message, due_at=now, expires_at=ends_at)


def _delay_warnings_again(fit: Sequence[Message]) -> list[str]:
    """Return what they do to the new message of a single one, which lives as long."""
    if len(fit) != 1:
        return []
    (old,) = fit
    lifetime = old.lifetime
    if lifetime is None:
        return []
    now = timezone.now()
    begins_at = max(planned_time(old) or now, now)
    return delay_warnings(old, due_at=begins_at, expires_at=begins_at + lifetime)


def resent_warnings(chosen: Sequence[Message], fit: list[Message]) -> list[str]:
    """Return why some are skipped, and what will become of the others."""
    reasons = Counter(why for message in chosen if (why := why_not_resent(message)))
    done = len(chosen) - len(fit) - reasons.total()
    reasons[_("It was sent again already.")] = done
    words = [
        ngettext(
            "%(count)s message will be skipped: %(reason)s",
            "%(count)s messages will be skipped: %(reason)s",
            count,
        )
        % {"count": count, "reason": reason}
        for reason, count in reasons.items()
        if count
    ]
    return (
        words
        + warnings_of_reach(fit)
        + _delay_warnings_again(fit)
        + scheduled_warnings(fit)
    )


def warnings_of_reach(fit: Sequence[Message]) -> list[str]:
    """Return the warnings of those whom these do not reach at their times."""
    told = []
    for alias, of_account in _by_account(fit).items():
        told += reach_warnings(unreached(rows_of(of_account), alias), alias)
    return told


def _by_account(messages: Sequence[Message]) -> dict[str, list[Message]]:
    accounts: dict[str, list[Message]] = {}
    for message in messages:
        accounts.setdefault(message.account, []).append(message)
    return accounts


def rows_of(chosen: Sequence[Message]) -> MessageQuerySet:
    """Return these messages as they stand now."""
    keys = [message.pk for message in chosen]
    return Message.objects.using(write_alias()).filter(pk__in=keys)
