"""Pausing an account by hand, and resuming it, whatever paused it."""

from __future__ import annotations

import logging
from datetime import datetime

from django.utils.translation import gettext as _

from negin_sms import conf
from negin_sms.exceptions import InvalidMessage, NeginSmsError
from negin_sms.gateway.cleaning import clean
from negin_sms.models import AccountState
from negin_sms.querysets import database_now
from negin_sms.services import breaker
from negin_sms.services.accounts import account_state
from negin_sms.services.database import write_alias
from negin_sms.services.submission.arguments import User, user_key
from negin_sms.written_dates import read_moment

logger = logging.getLogger("negin_sms")


def pause_account(
    alias: str,
    *,
    reason: str,
    by: User | None = None,
    until: datetime | str | None = None,
) -> None:
    """Stop an account from claiming, until then or until it is resumed.

    Its messages stay queued, and expire in their time. Raise NeginSmsError when
    there is no reason: the next person has to know; InvalidMessage("until") for a
    moment that has passed.
    """
    conf.get_account(alias)
    why = clean(reason)  # it is printed on terminals and mailed
    if not why:
        raise NeginSmsError("Say why the account is paused: reason must not be empty.")
    who = user_key(by)
    end = None if until is None else _still_to_come(until, write_alias())
    breaker.stop_account(alias, why, by_id=who, until=end)
    logger.warning("SMS account %r was paused by hand", alias)


def resume_account(alias: str, *, by: User | None = None) -> bool:
    """End an account's pause, whoever or whatever paused it.

    Return whether it was paused. Its failures are forgotten, and what waited after
    trouble is tried, in either case.
    """
    conf.get_account(alias)
    who = user_key(by)
    using = write_alias()
    was_paused = account_state(alias, using).is_paused
    AccountState.objects.using(using).filter(account=alias).update(
        **breaker.NO_PAUSE,
        failures=0,
        pauses=0,
        poll_after=None,
        poll_failures=0,
        poll_error="",
    )
    told = "was resumed" if was_paused else "was not paused; what waited is tried"
    logger.warning("SMS account %r %s (by %s)", alias, told, who or "-")
    return was_paused


def _still_to_come(until: datetime | str, using: str) -> datetime:
    now = database_now(using)
    moment = read_moment(until, "until", now=now, is_end=True)
    if moment <= now:
        reason = _("That moment has passed; the account would not pause at all.")
        raise InvalidMessage("until", reason)
    return moment
