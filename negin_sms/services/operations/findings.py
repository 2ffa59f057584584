"""What the doctor says: findings, in words, with what to do about them."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from django.utils.translation import gettext as _

_CLOCK_TOLERANCE = 10.0  # seconds; an answer's time is told in whole ones
_CLOCK_LIMIT = 300.0


class Level(enum.StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, in words, and what to do about it.

    ``account`` is empty for what concerns all of them.
    """

    account: str
    subject: str
    level: Level
    words: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings, in the order in which they were made."""

    findings: tuple[Finding, ...]

    @property
    def level(self) -> Level:
        """Return that of the worst finding."""
        levels = list(Level)
        found = (finding.level for finding in self.findings)
        return max(found, key=levels.index, default=Level.OK)

    @property
    def is_well(self) -> bool:
        """Return whether nothing needs a person."""
        return self.level is Level.OK


@dataclass(frozen=True, slots=True)
class Looking:
    """Findings about one account, or about all of them."""

    account: str = ""

    def ok(self, subject: str, words: str) -> Finding:
        """Say that something is as it should be."""
        return Finding(self.account, subject, Level.OK, words)

    def warning(self, subject: str, words: str, advice: str = "") -> Finding:
        """Say what will go wrong, or keeps messages from leaving by somebody's wish."""
        return Finding(self.account, subject, Level.WARNING, words, advice)

    def failure(self, subject: str, words: str, advice: str = "") -> Finding:
        """Say what keeps messages from leaving."""
        return Finding(self.account, subject, Level.FAILURE, words, advice)


def judge_clock(subject: str, whose: str, ahead: float, looking: Looking) -> Finding:
    """Judge by how many seconds our clock is ahead of another."""
    if abs(ahead) <= _CLOCK_TOLERANCE:
        words = _("This machine's clock agrees with %(whose)s.") % {"whose": whose}
        return looking.ok(subject, words)
    words = (
        _("This machine's clock is %(seconds)d s ahead of %(whose)s.")
        if ahead > 0
        else _("This machine's clock is %(seconds)d s behind %(whose)s.")
    ) % {"seconds": abs(ahead), "whose": whose}
    advice = _("Have the clocks set by NTP: timedatectl set-ntp true.")
    serious = abs(ahead) > _CLOCK_LIMIT
    return (looking.failure if serious else looking.warning)(subject, words, advice)
