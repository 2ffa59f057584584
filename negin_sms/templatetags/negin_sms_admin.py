"""The overview on the app's index page, for any AdminSite; dates for our templates."""

from __future__ import annotations

import re
from typing import Any

from django import template
from django.template import Context
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from negin_sms.dates import both_words, day_words, moment_words
from negin_sms.digits import in_persian_digits, spoken
from negin_sms.models import AccountState, Message
from negin_sms.services import health, overview
from negin_sms.services.submission.batches import LISTED, unconfirmed

register = template.Library()
register.filter("day", day_words)
register.filter("moment", moment_words)

# A command of ours with what stands behind it, and settings.
_TYPED = re.compile(
    r"((?:manage\.py )?\w+_sms_\w+(?: -*\w+)*|\b[A-Z]{2,}(?:_[A-Z]+)*\b)"
)


@register.filter
def typed(text: str) -> SafeString:
    """Set what is typed from left to right, as code, in a sentence of any language."""
    parts = enumerate(_TYPED.split(text))
    return format_html_join(
        "",
        "{}",
        (
            (format_html('<code dir="ltr">{}</code>', p) if n % 2 else p,)
            for n, p in parts
        ),
    )


register.filter("both", both_words)
register.filter("digits", in_persian_digits)
register.filter("spoken", spoken)


@register.inclusion_tag("admin/negin_sms/overview.html", takes_context=True)
def negin_sms_overview(context: Context) -> dict[str, Any]:
    """Show what waits for a person, as far as the user may see its models.

    The index's own list of models says what that is, whatever the AdminSite.
    """
    may_see_messages = _may_see(context, Message)
    may_see_accounts = _may_see(context, AccountState)
    findings = health() if may_see_messages else ()
    return {
        "request": context.get("request"),
        "findings": findings,
        "is_calm": not findings and not unconfirmed(),
        "overview": overview() if may_see_accounts else None,
        "may_see_messages": may_see_messages,
        "may_see_accounts": may_see_accounts,
        "may_pause": may_see_accounts and _may_pause(context),
    }


@register.inclusion_tag("admin/negin_sms/unconfirmed.html", takes_context=True)
def negin_sms_unconfirmed(context: Context) -> dict[str, Any]:
    """Say how many batches of drafts wait for somebody."""
    count = len(unconfirmed()) if _may_see(context, Message) else 0
    return {"count": count, "is_capped": count >= LISTED}


def _may_pause(context: Context) -> bool:
    request = context.get("request")
    return bool(request and request.user.has_perm("negin_sms.pause_accountstate"))


def _may_see(context: Context, model: type) -> bool:
    apps = context.get("app_list") or []
    listed = (each for app in apps for each in app["models"] if each["model"] is model)
    return any(each["perms"].get("view") for each in listed)
