"""When a message may leave, and what keeps it from leaving, in words."""

from __future__ import annotations

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from negin_sms.dates import both_words
from negin_sms.digits import spoken
from negin_sms.exceptions import InvalidConfiguration
from negin_sms.models import Message
from negin_sms.services import Verdict, why_waiting


def reasons_to_wait(message: Message) -> SafeString:
    """Return what keeps a message from leaving, by the rules that it will meet."""
    try:
        verdicts = why_waiting(message)
    except InvalidConfiguration as error:
        return format_html('<bdi dir="auto">{}</bdi>', error)
    if not verdicts:
        return format_html("{}", _("Nothing: it leaves with the next run."))
    lines = [(spoken(_in_words(each, message)),) for each in verdicts]
    return format_html_join("", '<div><bdi dir="auto">{}</bdi></div>', lines)


def _in_words(verdict: Verdict, message: Message) -> str:
    if verdict.until is None:
        return str(verdict.reason)
    words = _("%(reason)s (until %(moment)s)")
    if verdict.until >= message.expires_at:
        words = _("%(reason)s (until %(moment)s; it expires before that)")
    return words % {"reason": verdict.reason, "moment": both_words(verdict.until)}
