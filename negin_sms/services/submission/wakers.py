"""Calling an account's waker: the program that starts its dispatcher."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from django.utils.module_loading import import_string

from negin_sms import conf
from negin_sms.exceptions import InvalidConfiguration
from negin_sms.services.database import after_commit_once

logger = logging.getLogger("negin_sms")


def wake(alias: str, using: str) -> None:
    """Call the account's waker once the caller's work is durable, if it has one.

    At most once a transaction, however many messages that queues.
    """
    waker = conf.get_account(alias).waker
    if waker:
        after_commit_once(using, _WakerCall(waker, alias))


@dataclass(frozen=True, slots=True)
class _WakerCall:
    """A call to come; equal to another of the same waker for the same account."""

    waker: str
    alias: str

    def __call__(self) -> None:
        # A broker that is down costs delay, never the caller's request.
        try:
            import_string(self.waker)(self.alias)
        except Exception as error:
            why = _why(error)
            logger.error(
                "The waker of SMS account %r failed: %s. What is queued leaves with the "
                "next run of a dispatcher.",
                self.alias,
                why,
            )


def _why(error: Exception) -> str:
    """Return what may be logged: others' words may hold the broker's password."""
    if isinstance(error, InvalidConfiguration):
        return str(error)
    kind = type(error).__name__
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"{kind} ({error.name})"
    return kind
