"""What is wrong, with a stable code: made once, formatted everywhere.

A code names the page of the runbook, a threshold in ``THRESHOLDS`` and a key of the
output for programs. Codes stay for life.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError
from django.utils.translation import gettext as _

from negin_sms import conf

if TYPE_CHECKING:
    from .overview import AccountOverview

Thresholds = Mapping[str, float | None]
CAP = 1_000  # so many are counted, and whether there are more


class Severity(enum.StrEnum):
    """How bad it is, in the words of Nagios; ``OK`` is a note that needs nobody."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"

    @property
    def exit_status(self) -> int:
        """Return Nagios's status: 0, 1, 2, and 3 for what could not be looked at."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, in words, with what to do about it.

    ``account`` is empty for what concerns all. ``value`` is what its threshold is
    compared with: a count, a share or seconds. ``is_capped``: no more than ``count``
    were looked at, there may be more. ``is_event``: with another ``since`` it is
    another one.
    """

    code: str
    severity: Severity
    text: str
    advice: str = ""
    account: str = ""
    count: int = 0
    is_capped: bool = False
    value: float = 0.0
    since: datetime | None = None
    until: datetime | None = None
    is_event: bool = False

    def __str__(self) -> str:
        return f"{self.account}: {self.text}" if self.account else self.text

    @property
    def runbook(self) -> str:
        """Return the anchor of its page in the runbook."""
        return f"runbook-{self.code.replace('_', '-')}"

    def as_dict(self) -> dict[str, Any]:
        """Return what programs read, in the order in which it is documented."""
        names = (
            *("code", "severity", "count", "account", "text", "advice", "value"),
            *("is_capped", "since", "until", "runbook"),
        )
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Case:
    """An account as it is set, as it stands, and the database's time."""

    account: conf.Account
    stands: AccountOverview
    now: datetime
    thresholds: Thresholds

    def limit(self, code: str) -> float | None:
        """Return a finding's threshold, None for one that is not wanted."""
        return self.thresholds.get(code)

    def finding(
        self, code: str, severity: Severity, text: str, advice: str, **more: Any
    ) -> Finding:
        """Make a finding about this account."""
        count = more.pop("count", 0)
        return Finding(
            code=code,
            severity=severity,
            text=text,
            advice=advice,
            account=self.account.alias,
            count=min(count, CAP),
            is_capped=count > CAP,
            **{"value": float(min(count, CAP)), **more},
        )

    def counted(self, code: str, text: str, advice: str, **more: Any) -> Finding:
        """Make a warning whose text has a place for the ``count`` of messages."""
        words = text % {"count": at_least(more["count"])}
        severity = more.pop("severity", Severity.WARNING)
        return self.finding(code, severity, words, advice, **more)

    @property
    def needs_dispatcher(self) -> bool:
        """Return whether nothing but a dispatcher is needed for messages to leave.

        It is also who ends a pause that has run out.
        """
        ends = self.stands.paused_until
        is_paused = self.stands.paused_at is not None and not (ends and ends < self.now)
        return self.account.dispatch and not is_paused

    def age(self, moment: datetime | None) -> float:
        """Return for how many seconds something is past; 0 for what is not."""
        return max(0.0, (self.now - moment).total_seconds()) if moment else 0.0

    def unseen_for(self, seen_at: datetime | None) -> float:
        """Return for how long there was no heartbeat; a year where there was none."""
        return self.age(seen_at) if seen_at else 365 * 86_400.0


Rule = Callable[[Case, float], Finding | None]


def note(code: str, text: str, account: str = "") -> Finding:
    """Say that something is as it should be."""
    return Finding(code=code, severity=Severity.OK, text=text, account=account)


def warning(code: str, text: str, advice: str, account: str = "") -> Finding:
    """Say what will go wrong, or keeps messages from leaving by somebody's order."""
    severity = Severity.WARNING
    return Finding(
        code=code, severity=severity, text=text, advice=advice, account=account
    )


def critical(code: str, text: str, advice: str = "", account: str = "") -> Finding:
    """Say what keeps messages from leaving."""
    severity = Severity.CRITICAL
    return Finding(
        code=code, severity=severity, text=text, advice=advice, account=account
    )


def worst(findings: Iterable[Finding]) -> Severity:
    """Return the verdict over findings: what is critical outdoes what is unknown."""
    found = {finding.severity for finding in findings}
    order = (Severity.CRITICAL, Severity.UNKNOWN, Severity.WARNING)
    return next((each for each in order if each in found), Severity.OK)


def at_least(count: int) -> str:
    """Return a count in words; one above the cap says that there are more."""
    return _("more than %(count)s") % {"count": CAP} if count > CAP else str(count)


def database_is_away(error: DatabaseError) -> Finding:
    """Return the finding where nothing could be asked."""
    kind = type(error).__name__
    return Finding(
        code="database",
        severity=Severity.UNKNOWN,
        text=_("The database cannot be used (%(kind)s: %(error)s).")
        % {"kind": kind, "error": " ".join(str(error).split())},
        advice=_("See that the server runs and that migrate was run; then look again."),
    )
