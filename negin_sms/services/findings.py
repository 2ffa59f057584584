"""What the doctor says: findings, in words, with what to do about them."""

from __future__ import annotations

import enum
from dataclasses import dataclass


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
