"""A collector for prometheus-client: counts, ages, pauses, heartbeats, findings.

Labels are accounts, statuses and codes; nothing in it is a number or a text. Asked at
each scrape, at the same cost beside a million messages; counts end at 1,001.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from negin_sms.services import AccountOverview, Finding, Severity
from negin_sms.services.database import closed_afterwards, write_alias
from negin_sms.services.operations.health.judgement import look

_WAITING = ("drafts", "queued", "due", "held", "sending", "uncertain", "states_due")
_ENDED = ("accepted", "rejected", "expired")


class SmsCollector(Collector):
    """Register it once: ``REGISTRY.register(SmsCollector())``."""

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering asks no database."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Look at the accounts and the findings."""
        # A scrape has a thread of its own, whose connection would stay open.
        with closed_afterwards(write_alias()):
            seen, findings = look()
        if seen is None:
            return [_findings(findings)]
        counts, moments = _counts(seen.accounts), _moments(seen.accounts, seen.now)
        return [*counts, *moments, _findings(findings)]


def _counts(accounts: Iterable[AccountOverview]) -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        "negin_sms_messages", "Messages that wait; 1001 is more.", labels=_OF_WHAT
    )
    ended = GaugeMetricFamily(
        "negin_sms_ended_last_hour",
        "How they ended, of the newest 1001 at the most.",
        labels=_OF_WHAT,
    )
    for each in accounts:
        for name in _WAITING:
            waiting.add_metric([each.account, name], getattr(each, name))
        for name in _ENDED:
            ended.add_metric([each.account, name], getattr(each, name))
    yield from (waiting, ended)


_OF_WHAT = ("account", "what")


def _moments(accounts: Iterable[AccountOverview], now: datetime) -> Iterator[Metric]:
    ages = GaugeMetricFamily(
        "negin_sms_age_seconds", "Since when, in seconds.", labels=_OF_WHAT
    )
    paused = GaugeMetricFamily(
        "negin_sms_paused", "Whether the account is paused.", labels=("account",)
    )
    for each in accounts:
        paused.add_metric([each.account], float(each.paused_at is not None))
        moments = {
            "oldest_due": each.oldest_due_at,
            "oldest_state_due": each.oldest_state_due_at,
            "oldest_uncertain": each.uncertain_since,
            "dispatcher_heartbeat": each.dispatcher_seen_at,
            "poller_heartbeat": each.poller_seen_at,
        }
        for what, at in moments.items():
            if at is not None:
                age = max(0.0, (now - at).total_seconds())
                ages.add_metric([each.account, what], age)
    yield from (ages, paused)


def _findings(findings: Iterable[Finding]) -> Metric:
    labels = ("account", "code", "severity")
    found = GaugeMetricFamily(
        "negin_sms_finding", "What needs a person.", labels=labels
    )
    for each in findings:
        if each.severity is not Severity.OK:
            found.add_metric([each.account, each.code, each.severity.value], 1)
    return found
