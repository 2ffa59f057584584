"""When a message may leave, for how long, and what keeps it from leaving, in words."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from negin_sms.choices import Status
from negin_sms.dates import both_words
from negin_sms.digits import spoken
from negin_sms.exceptions import InvalidConfiguration
from negin_sms.models import Message
from negin_sms.services import Verdict, why_waiting
from negin_sms.services.outbox.transitions import WAITING

_ANY_DAY = datetime(2000, 1, 1)
_EXACTLY = 6  # units, of those that Django has


def reasons_to_wait(message: Message) -> SafeString:
    """Return what keeps a message from leaving, by the rules that it will meet."""
    try:
        verdicts = why_waiting(message)
    except InvalidConfiguration as error:
        return format_html('<bdi dir="auto">{}</bdi>', error)
    if not verdicts:
        return format_html("{}", _("Nothing keeps it: it leaves with the next run."))
    lines = [(spoken(_in_words(each, message)),) for each in verdicts]
    return format_html_join("", '<div><bdi dir="auto">{}</bdi></div>', lines)


def is_scheduled(message: Message) -> bool:
    """Return whether a message has a later send_at, and can."""
    later = message.send_at is not None and message.send_at > timezone.now()
    return message.status in WAITING and later


def is_timeless_draft(message: Message) -> bool:
    """Return whether a draft leaves as soon as it is confirmed, and at no time."""
    return message.status == Status.DRAFT and not is_scheduled(message)


def lifetime_words(lifetime: timedelta) -> str:
    """Return how long something may wait as people say it, to the second."""
    seconds = round(lifetime.total_seconds())
    if seconds % 60:
        words = ngettext("%(count)s second", "%(count)s seconds", seconds)
        return words % {"count": seconds}
    return timesince(_ANY_DAY, _ANY_DAY + lifetime, depth=_EXACTLY)


def _in_words(verdict: Verdict, message: Message) -> str:
    if verdict.until is None:
        return str(verdict.words)
    words = _("%(reason)s (until %(moment)s)")
    if verdict.until >= message.expires_at:
        words = _("%(reason)s (until %(moment)s; it expires before that)")
    return words % {"reason": verdict.reason, "moment": both_words(verdict.until)}
