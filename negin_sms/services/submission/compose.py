"""From arguments to a row: everything is refused here before anything is saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict, Unpack

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from negin_sms import conf
from negin_sms.characters import latin_digits, listed
from negin_sms.choices import Priority, Scenario, Status
from negin_sms.exceptions import InvalidMessage
from negin_sms.gateway import wire
from negin_sms.gateway.cleaning import clean
from negin_sms.models import Message
from negin_sms.phones import normalize_mobile
from negin_sms.services.accounts import find_account
from negin_sms.services.submission.arguments import User, user_key
from negin_sms.texts import read_text, with_footer
from negin_sms.written_dates import read_moment

from .keywords import read_choice
from .text_length import count_parts

# Rows are kept for people to read, not for millennia.
_LONGEST_LIFE = timedelta(days=3660)


class MessageOptions(TypedDict, total=False):
    """The keywords of ``send_sms`` that say what a message is to be.

    For adapters that pass them on; the functions of ``negin_sms.services`` spell
    them out.
    """

    scenario: str
    line: str | None
    line2: str | None
    template: int | str | None
    account: str
    idempotency_key: str | None
    expires_in: float | timedelta | None
    expires_at: datetime | str | None
    sensitive: bool
    footer: bool | None
    source: str
    group: str
    created_by: User | None
    priority: int


class QueueOptions(MessageOptions, total=False):
    """Those of ``queue_sms``."""

    send_at: datetime | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """``QueueOptions`` as they came, with what stands for those that are left out."""

    scenario: str = Scenario.SINGLE
    line: str | None = None
    line2: str | None = None
    template: int | str | None = None
    account: str = conf.DEFAULT_ALIAS
    idempotency_key: str | None = None
    expires_in: float | timedelta | None = None
    expires_at: datetime | str | None = None
    sensitive: bool = False
    footer: bool | None = None
    source: str = ""
    group: str = ""
    created_by: User | None = None
    send_at: datetime | str | None = None
    priority: int = Priority.NORMAL


@sensitive_variables()
def compose(
    mobile: object,
    text: str,
    *,
    now: datetime,
    status: Status = Status.QUEUED,
    **options: Unpack[QueueOptions],
) -> Message:
    """Return an unsaved message; raise InvalidMessage, naming the field, for none."""
    wish = _Wish(**options)
    account = find_account(wish.account)
    way = _way(wish, account)
    planned = None if wish.send_at is None else read_moment(wish.send_at, now=now)
    due_at = max(planned, now) if planned else now
    text = _worded(text, wish, account)
    return Message(
        account=wish.account,
        mobile=normalize_mobile(mobile),
        text=text,
        parts=count_parts(text, account),
        **way,
        status=status,
        priority=read_choice("priority", wish.priority, Priority),
        send_at=planned,
        due_at=due_at,
        begins_at=due_at,
        expires_at=_expiry(wish, due_at, now, account),
        created_at=now,
        idempotency_key=_short("idempotency_key", wish.idempotency_key) or None,
        sensitive=bool(wish.sensitive),
        source=_short("source", wish.source),
        group=_short("group", wish.group),
        created_by_id=user_key(wish.created_by, "created_by"),
    )


def way_of(message: Message, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords that compose a message's way again, or the way given.

    What is given stands in for the old; another scenario takes none of its lines.
    """
    if given.get("scenario", message.scenario) != message.scenario:
        return dict(given)
    old: dict[str, Any] = {
        "scenario": message.scenario,
        "line": None if message.default_line else message.line,
        "line2": None if message.default_line2 else message.line2,
        "template": message.template,
    }
    return {**old, **given}


def _way(wish: _Wish, account: conf.Account) -> dict[str, Any]:
    """Return the columns that say which way it goes, and whose lines it names."""
    scenario = read_choice("scenario", wish.scenario, Scenario)
    given = {
        "line": read_line("line", wish.line),
        "line2": read_line("line2", wish.line2),
    }
    lines = _with_defaults(scenario, given, account)
    template = _template(wish.template, account)
    wire.check_fields(scenario, **lines, template=template)
    return {
        "scenario": scenario,
        "line": given["line"] or "",
        "line2": given["line2"] or "",
        "default_line": bool(lines["line"] and given["line"] is None),
        "default_line2": bool(lines["line2"] and given["line2"] is None),
        "template": template,
    }


def _worded(text: str, wish: _Wish, account: conf.Account) -> str:
    """Return the text as it is sent, with the account's footer where it is wanted."""
    text = read_text(text)
    if _wants_footer(wish.footer, wish.sensitive, account):
        return with_footer(text, account.footer)
    return text


def _wants_footer(wanted: object, sensitive: bool, account: conf.Account) -> bool:
    """Return whether the text gets the account's footer; refuse what has none."""
    if wanted is None or wanted is False:
        return False
    if wanted is not True:
        reason = _("Give True, False or None.")
    elif sensitive:
        reason = _("A sensitive message has no footer: nobody opts out of codes.")
    elif not account.footer:
        reason = _(
            "The account has no footer: leave it off, or write FOOTER into its settings."
        )
    else:
        return True
    raise InvalidMessage("footer", reason)


def read_line(field: str, value: str | int | None) -> str | None:
    """Return a line in ASCII digits, None where nobody named one."""
    if value is None:
        return None
    text = str(value).strip()
    if not text:
        return ""
    if not text.isdecimal() or len(text) > conf.LONGEST_LINE:
        raise InvalidMessage(field, _("A line is a number of up to 20 digits."))
    return latin_digits(text)


def _with_defaults(
    scenario: str, given: Mapping[str, str | None], account: conf.Account
) -> dict[str, str]:
    """Return the lines to be sent from now: the account's own where nobody named one.

    Only for the look at whether they fit: the account's are filled in at the claim.
    """
    required = wire.uses(scenario).requires
    return {
        name: (getattr(account, name) if name in required else "")
        if line is None
        else line
        for name, line in given.items()
    }


def _expiry(
    wish: _Wish, due_at: datetime, now: datetime, account: conf.Account
) -> datetime:
    if wish.expires_at is None:
        return due_at + _lifetime(wish.expires_in, account)
    ends_at = read_moment(wish.expires_at, "expires_at", now=now, is_end=True)
    if wish.expires_in is not None:
        reason = _("Give expires_in or expires_at, not both.")
        raise InvalidMessage("expires_at", reason)
    if not due_at < ends_at <= due_at + _LONGEST_LIFE:
        reason = _("It ends before the message may be sent, or in more than ten years.")
        raise InvalidMessage("expires_at", reason)
    return ends_at


def _template(value: Any, account: conf.Account) -> int | None:
    """Return the vendor's number of a service-line text, given as such or by name."""
    if value is None:
        return None
    if isinstance(value, str):
        return _service_text(value, account)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidMessage("template", _("The template is a number from 0."))
    return value


def _service_text(name: str, account: conf.Account) -> int:
    known = dict(account.service_texts)
    if name not in known:
        reason = _("There is no “%(name)s” in SERVICE_TEXTS; there are: %(known)s.")
        words = {"name": name, "known": listed(known) or gettext("none")}
        raise InvalidMessage("template", reason % words)
    return known[name]


def _lifetime(value: Any, account: conf.Account) -> timedelta:
    seconds = account.expires_in if value is None else value
    try:
        lifetime = (
            seconds
            if isinstance(seconds, timedelta)
            else timedelta(seconds=float(seconds))
        )
        valid = timedelta(0) < lifetime <= _LONGEST_LIFE
    except (TypeError, ValueError, OverflowError):
        valid = False
    if not valid:
        reason = _(
            "The lifetime is a number of seconds above 0, or a timedelta, of ten years "
            "at the most."
        )
        raise InvalidMessage("expires_in", reason)
    return lifetime


def _short(field: str, value: str | None) -> str:
    text = "" if value is None else str(value)
    if not text:
        return ""
    limit: int = getattr(Message._meta.get_field(field), "max_length", 0)
    if len(text) > limit:
        raise InvalidMessage(
            field, _("Give at most %(limit)s characters.") % {"limit": limit}
        )
    if clean(text, limit=limit) != text:
        raise InvalidMessage(
            field, _("Give plain characters on one line, without spaces around.")
        )
    return text
