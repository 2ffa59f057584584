"""From arguments to a row: everything is refused here before anything is saved."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TypedDict

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from negin_sms import conf
from negin_sms.choices import Priority, Scenario, Status
from negin_sms.dates import read_moment
from negin_sms.exceptions import (
    InvalidConfiguration,
    InvalidMessage,
)
from negin_sms.gateway import wire
from negin_sms.gateway.cleaning import clean
from negin_sms.models import Message
from negin_sms.phones import normalize_mobile
from negin_sms.segments import measure
from negin_sms.texts import read_text

User = AbstractBaseUser

_PRIORITIES = tuple(Priority.values)  # a property that makes a list each time
_UNSENDABLE = re.compile("[\0\ud800-\udfff]")


class WishFields(TypedDict, total=False):
    """What may be said of a message beside its recipient and its text.

    ``expires_in`` is in seconds or a timedelta, counted from when it is due;
    ``line`` and ``line2`` left out or None mean the account's own. ``priority``
    counts wherever the message waits, for a waker's dispatcher say. ``template`` is
    the vendor's number of a service-line text, or its name in SERVICE_TEXTS.
    """

    scenario: str
    line: str | None
    line2: str | None
    template: int | str | None
    account: str
    idempotency_key: str | None
    expires_in: float | timedelta | None
    sensitive: bool
    source: str
    group: str
    created_by: User | None
    priority: int


class QueueFields(WishFields, total=False):
    """What may be said besides of a message that waits in the queue.

    ``send_at`` is a datetime, naive ones in the current time zone, one of jdatetime,
    or text in either calendar.
    """

    send_at: datetime | str | None


@sensitive_variables()
def compose(
    mobile: object,
    text: str,
    *,
    now: datetime,
    scenario: str = Scenario.SINGLE,
    line: str | None = None,
    line2: str | None = None,
    template: int | str | None = None,
    account: str = conf.DEFAULT_ALIAS,
    idempotency_key: str | None = None,
    expires_in: float | timedelta | None = None,
    sensitive: bool = False,
    source: str = "",
    group: str = "",
    created_by: User | None = None,
    send_at: datetime | str | None = None,
    priority: int = Priority.NORMAL,
) -> Message:
    """Return an unsaved, queued message; raise InvalidMessage for what cannot be."""
    settings_of = find_account(account)
    own_line, own_line2 = _lines(scenario, line, line2, settings_of)
    number = _template(template, settings_of)
    wire.check_fields(scenario, line=own_line, line2=own_line2, template=number)
    wish = None if send_at is None else read_moment(send_at, now=now)
    text = read_text(text)
    due_at = max(wish, now) if wish else now
    return Message(
        account=account,
        mobile=normalize_mobile(mobile),
        text=text,
        parts=_parts(text, settings_of),
        scenario=str(scenario),
        line=own_line,
        line2=own_line2,
        template=number,
        status=Status.QUEUED,
        priority=_priority(priority),
        send_at=wish,
        due_at=due_at,
        expires_at=due_at + _lifetime(expires_in, settings_of),
        created_at=now,
        idempotency_key=_short("idempotency_key", idempotency_key) or None,
        sensitive=bool(sensitive),
        source=_short("source", source),
        group=_short("group", group),
        created_by_id=getattr(created_by, "pk", None),
    )


def find_account(alias: str) -> conf.Account:
    """Return an account; InvalidMessage where only its name is wrong."""
    try:
        return conf.get_account(alias)
    except InvalidConfiguration as error:
        accounts: Mapping[str, Any] = getattr(settings, conf.SETTING, None) or {}
        if not accounts or alias in accounts:
            raise
        raise InvalidMessage("account", str(error)) from None


def _lines(
    scenario: str, line: str | None, line2: str | None, account: conf.Account
) -> tuple[str, str]:
    """Fill in the account's own lines where the scenario uses them."""
    required = wire.uses(scenario).requires
    if line is None:
        line = account.line if "line" in required else ""
    if line2 is None:
        line2 = account.line2 if "line2" in required else ""
    return _digits("line", line), _digits("line2", line2)


def _digits(field: str, value: str | int) -> str:
    text = str(value).strip()
    if not text:
        return ""
    if not text.isdecimal() or len(text) > 20:
        raise InvalidMessage(field, _("A line is a number of up to 20 digits."))
    return "".join(str(unicodedata.decimal(c)) for c in text)


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
        words = {"name": name, "known": ", ".join(known) or gettext("none")}
        raise InvalidMessage("template", reason % words)
    return known[name]


def _parts(text: str, account: conf.Account) -> int:
    if _UNSENDABLE.search(text):
        raise InvalidMessage(
            "text",
            _("The text holds characters that cannot be sent (NUL, surrogates)."),
        )
    parts = measure(text).parts
    refuse_parts(parts, account)
    return parts


def refuse_parts(parts: int, account: conf.Account) -> None:
    """Raise InvalidMessage("text") for more parts than the account allows."""
    if parts > account.max_parts:
        reason = ngettext(
            "The text takes %(parts)s parts; at most %(limit)s part is allowed.",
            "The text takes %(parts)s parts; at most %(limit)s parts are allowed.",
            account.max_parts,
        )
        raise InvalidMessage(
            "text", reason % {"parts": parts, "limit": account.max_parts}
        )


def _priority(value: Any) -> int:
    if value not in _PRIORITIES:
        raise InvalidMessage("priority", _("Unknown priority; use one of Priority."))
    return int(value)


def _lifetime(value: Any, account: conf.Account) -> timedelta:
    seconds = account.expires_in if value is None else value
    try:
        lifetime = (
            seconds
            if isinstance(seconds, timedelta)
            else timedelta(seconds=float(seconds))
        )
        # Rows are kept for people to read, not for millennia.
        valid = timedelta(0) < lifetime <= timedelta(days=3660)
    except (TypeError, ValueError, OverflowError):
        valid = False
    if not valid:
        reason = _("The lifetime is a number of seconds above 0, or a timedelta.")
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
