"""What the services tell their callers: counts and reasons, frozen."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields


@dataclass(frozen=True, slots=True)
class ActionReport:
    """How many messages a service acted on, and why it left the others alone.

    ``skipped`` holds a pair of primary key and reason for each of those.
    """

    done: int = 0
    skipped: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchReport:
    """One run of the dispatcher: messages by how their sending ended.

    ``not_sent`` counts attempts after which the message went back to the queue,
    ``put_off`` and ``cancelled`` what the gate did not let go, ``expired_claims`` those
    of crashed workers; ``paused`` maps the accounts that are paused now to the reason;
    ``alerts`` are what this run was the first to tell.
    """

    accepted: int = 0
    rejected: int = 0
    uncertain: int = 0
    not_sent: int = 0
    put_off: int = 0
    cancelled: int = 0
    expired: int = 0
    expired_claims: int = 0
    unwritten: int = 0
    paused: dict[str, str] = field(default_factory=dict)
    alerts: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Return whether a person has to look: nothing left, or it is not known."""
        tried = bool(self.paused) or self.sent > 0
        return bool(self.unwritten) or (tried and not self.accepted)

    @property
    def sent(self) -> int:
        """Return how many messages the gateway was asked to send."""
        return self.accepted + self.rejected + self.uncertain + self.not_sent


@dataclass(frozen=True, slots=True, kw_only=True)
class PollReport:
    """One run of the poller, or one refresh.

    ``asked`` messages, of which the gateway ``answered`` for some, ``changed``
    their state, and ``settled`` (of these ``no_report`` without a last word);
    ``put_off`` could not be asked about and stay due. ``states`` counts the
    answers by code, ``errors`` holds a sentence for each failed request.
    """

    due: int = 0
    asked: int = 0
    answered: int = 0
    changed: int = 0
    settled: int = 0
    no_report: int = 0
    put_off: int = 0
    requests: int = 0
    states: Counter[int] = field(default_factory=Counter)
    errors: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    skipped: tuple[tuple[int, str], ...] = ()

    def __add__(self, other: PollReport) -> PollReport:
        """Return both as one: counts are added, sentences follow each other."""
        names = [each.name for each in fields(self)]
        return PollReport(**{n: getattr(self, n) + getattr(other, n) for n in names})
