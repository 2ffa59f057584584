"""What a preview warns of: messages that may never leave, texts that cost more."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from negin_sms import conf
from negin_sms.characters import listed
from negin_sms.choices import Priority, Scenario
from negin_sms.dates import moment_words
from negin_sms.models import Message
from negin_sms.querysets import MessageQuerySet
from negin_sms.quiet_hours import never_leaves, quiet_since, quiet_until
from negin_sms.segments import costly_characters
from negin_sms.services.accounts import pause_ends_at
from negin_sms.services.database import write_alias
from negin_sms.services.dispatch.foresight import Unreached
from negin_sms.services.submission.batches import differing

_MOST_NAMED = 12


def delay_warnings(
    message: Message,
    *,
    due_at: datetime | None = None,
    expires_at: datetime | None = None,
) -> list[str]:
    """Return warnings where a pause or quiet hours keep a message, or end it.

    The moments are those of another time that it is to be given. Of a pause without an
    end the obstacles tell, as of an account that is gone.
    """
    begins_at, ends_at = due_at or message.due_at, expires_at or message.expires_at
    begins_at = max(begins_at, timezone.now())
    resumes_at = pause_ends_at(message.account, write_alias())
    if resumes_at is None or resumes_at <= begins_at:
        return _quiet_warnings(message, begins_at, ends_at)
    words = _("It waits until the pause of its account is over (%(moment)s).")
    is_over = ends_at <= resumes_at
    if is_over:
        words = _(
            "It may never leave: its account is paused until %(moment)s, and it expires "
            "before that."
        )
    told = [words % {"moment": moment_words(resumes_at)}]
    return told if is_over else told + _quiet_warnings(message, resumes_at, ends_at)


def _quiet_warnings(
    message: Message, begins_at: datetime, ends_at: datetime
) -> list[str]:
    known = {account.alias: account.quiet_hours for account in conf.get_accounts()}
    hours = known.get(message.account) if message.priority == Priority.LOW else None
    waits_until = quiet_until(begins_at, hours)
    if waits_until and never_leaves(begins_at, ends_at, hours):
        words = _(
            "It may never leave: quiet hours last until %(moment)s, and it expires "
            "before that."
        )
        return [words % {"moment": moment_words(waits_until)}]
    waits = _("It waits until quiet hours are over (%(moment)s).")
    expires = _(
        "It expires within the quiet hours that begin on %(moment)s; what has not left "
        "by then is not sent."
    )
    told = ((waits_until, waits), (quiet_since(ends_at, hours), expires))
    return [
        words % {"moment": moment_words(moment)} for moment, words in told if moment
    ]


def unlike_warnings(drafts: MessageQuerySet, consequence: str) -> list[str]:
    """Return a warning where a batch's messages are not alike, with what follows."""
    labels = {field.name: str(field.verbose_name) for field in Message._meta.fields}
    fields = [labels[name] for name in differing(drafts)]
    if not fields:
        return []
    words = _(
        "Some of them were changed on pages of their own, and differ: %(fields)s."
    )
    return [f"{words % {'fields': listed(fields)}} {consequence}"]


def past_warnings(first: Message) -> list[str]:
    """Return a warning where the time that drafts were given is over."""
    if first.send_at is None or first.send_at > timezone.now():
        return []
    words = _(
        "The time that was given is over (%(moment)s): what is confirmed now is due at "
        "once."
    )
    return [words % {"moment": moment_words(first.send_at)}]


def opt_out_warnings(found: Unreached, alias: str) -> list[str]:
    """Return warnings of those whom a single message does not reach, or may not."""
    if not (found.opted_out or found.tried):
        return []
    stopped = ngettext(
        "%(count)s recipient has opted out, and is left out when this is sent. These "
        "scenarios reach them: %(scenarios)s",
        "%(count)s recipients have opted out, and are left out when this is sent. These "
        "scenarios reach them: %(scenarios)s",
        len(found.opted_out),
    )
    tried = ngettext(
        "%(count)s recipient of what is urgent or sensitive has opted out: it is sent all "
        "the same, and the gateway may refuse it. These scenarios reach them: "
        "%(scenarios)s",
        "%(count)s recipients of what is urgent or sensitive have opted out: it is sent "
        "all the same, and the gateway may refuse it. These scenarios reach them: "
        "%(scenarios)s",
        len(found.tried),
    )
    ways = [way for way in Scenario if way != Scenario.SINGLE]
    if not conf.get_account(alias).line2:
        ways.remove(Scenario.SECOND_LINE)
    scenarios = " · ".join(str(way.label) for way in ways)
    told = ((len(found.opted_out), stopped), (len(found.tried), tried))
    return [
        words % {"count": count, "scenarios": scenarios}
        for count, words in told
        if count
    ]


def cap_warnings(found: Unreached) -> list[str]:
    """Return a warning of what is over its number's cap, and over the account's."""
    numbers = ngettext(
        "%(count)s message is over the cap of its number (MOBILE_CAPS): it waits for the "
        "next period, and is not sent where it expires before or that is full too.",
        "%(count)s messages are over the caps of their numbers (MOBILE_CAPS): they wait "
        "for the next period, and are not sent where they expire before or that is full "
        "too.",
        found.by_number,
    )
    accounts = ngettext(
        "%(count)s message is over the account's cap (ACCOUNT_CAPS): it waits for the "
        "next period, and is not sent where it expires before.",
        "%(count)s messages are over the account's cap (ACCOUNT_CAPS): they wait for the "
        "next period, and are not sent where they expire before.",
        found.by_account,
    )
    told = ((found.by_number, numbers), (found.by_account, accounts))
    return [words % {"count": count} for count, words in told if count]


def reach_warnings(found: Unreached, alias: str) -> list[str]:
    """Return all of these."""
    return [*opt_out_warnings(found, alias), *cap_warnings(found)]


def draft_warnings(drafts: MessageQuerySet, first: Message) -> list[str]:
    """Return a warning of when drafts are deleted, as sensitive ones are."""
    ages = {account.alias: account.redact_after for account in conf.get_accounts()}
    sensitive = Q(sensitive=True)
    found = drafts.order_by().aggregate(
        drafts=Count("pk"),
        count=Count("pk", filter=sensitive),
        earliest=Min("created_at", filter=sensitive),
    )
    if not found["count"] or first.account not in ages:
        return []
    end = found["earliest"] + timedelta(seconds=ages[first.account])
    words = _("They are sensitive: what nobody confirms until %(moment)s is deleted.")
    if found["count"] < found["drafts"]:
        words = ngettext(
            "%(count)s of them is sensitive: what nobody confirms until %(moment)s is "
            "deleted.",
            "%(count)s of them are sensitive: what nobody confirms until %(moment)s is "
            "deleted.",
            found["count"],
        )
    return [words % {"count": found["count"], "moment": moment_words(end)}]


def length_warnings(texts: Iterable[str]) -> list[str]:
    """Return a warning that names what makes these texts longer than they look."""
    found = dict.fromkeys(c for text in texts for c in costly_characters(text))
    if not found:
        return []
    names = [_name(character) for character in found]
    shown = " ".join(names[:_MOST_NAMED] + ["…"] * (len(names) > _MOST_NAMED))
    words = _("These characters make a text longer than it looks: %(characters)s")
    return [words % {"characters": shown}]


def _name(character: str) -> str:
    """Return a character as it is, or its number where nobody would see it."""
    if unicodedata.category(character)[0] in "CMZ":
        return f"U+{ord(character):04X}"
    return character
