"""Telling those who do not ask: once when a finding begins, hourly, once when it ends.

Dispatchers and pollers look every minute. What was told stands in the database, and
each step there is a compare-and-set, so one of many processes tells.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core import mail
from django.db import connections
from django.utils import translation
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from negin_sms.conf import beside
from negin_sms.models import Alert as Row
from negin_sms.querysets import database_now

from .health.findings import Finding, Severity
from .health.judgement import health

logger = logging.getLogger("negin_sms")

_AGAIN = timedelta(hours=1)
_SETTLE = timedelta(minutes=5)  # a warning that is over sooner is not worth a mail
_PATIENCE = 10.0  # s, for a mail server; dispatching waits for it
_ALARMING = (Severity.WARNING, Severity.CRITICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What to tell of one finding; as text it is the line to tell.

    ``severity`` is ``ok`` when it is over.
    """

    code: str
    severity: Severity
    account: str
    text: str
    advice: str
    began_at: datetime
    words: str

    def __str__(self) -> str:
        return self.words


def alert(*, using: str) -> tuple[str, ...]:
    """Tell what began, still lasts after an hour, or ended; return what was told."""
    with translation.override(settings.LANGUAGE_CODE):
        findings = health()
        if any(finding.severity is Severity.UNKNOWN for finding in findings):
            return ()  # nothing is known, so nothing has ended either
        news = _news(findings, using)
    alerts = [each for each, _row in news]
    if news and not _deliver(alerts):
        for _alert, row in news:  # so that the next look tells
            _take_back(row, using)
    return tuple(map(str, alerts))


def mail_admins(alerts: Sequence[Alert]) -> None:
    """Mail ADMINS where DEBUG is off; what is worst is the subject."""
    if settings.DEBUG:
        return
    order = list(Severity)
    first = max(alerts, key=lambda each: order.index(each.severity))
    body = "\n\n".join(f"{each}\n{each.advice}".rstrip() for each in alerts)
    mail.mail_admins(" ".join(str(first).split())[:200], body)


def _news(findings: Sequence[Finding], using: str) -> list[tuple[Alert, Row]]:
    """Take the steps that are ours; return what is to be told, with the rows before."""
    now = database_now(using)
    rows = {(row.code, row.account): row for row in Row.objects.using(using).all()}
    news = []
    for finding in findings:
        if finding.severity in _ALARMING:
            row = rows.pop((finding.code, finding.account), None)
            if row and _is_another(finding, row):
                _end(row, using)  # what comes now is told, not that this is over
                row = None
            row = row or _begin(finding, now, using)
            if _is_time(row, finding, now) and _claim(row, finding, now, using):
                news.append((_told(finding, row, now), row))
    ended = [row for row in rows.values() if _end(row, using) and row.told_at]
    return news + [(_over(row), row) for row in ended]


def _begin(finding: Finding, now: datetime, using: str) -> Row:
    values = {"severity": finding.severity, "text": finding.text, "began_at": now}
    rows = Row.objects.using(using)
    return rows.get_or_create(
        code=finding.code, account=finding.account, defaults=values
    )[0]


def _is_another(finding: Finding, row: Row) -> bool:
    """Return whether it began after what was told under its code."""
    began_at = finding.since if finding.is_event else None
    return began_at is not None and began_at > row.began_at


def _is_time(row: Row, finding: Finding, now: datetime) -> bool:
    is_critical = finding.severity is Severity.CRITICAL
    if row.told_at is None:
        return is_critical or now - row.began_at >= _SETTLE
    is_worse = is_critical and row.severity != Severity.CRITICAL
    return is_worse or now - row.told_at >= _AGAIN


def _claim(row: Row, finding: Finding, now: datetime, using: str) -> bool:
    """Take the step to told; return whether it was ours."""
    ours = Row.objects.using(using).filter(pk=row.pk, severity=row.severity)
    before = {"told_at": row.told_at} if row.told_at else {"told_at__isnull": True}
    values = {"severity": finding.severity, "text": finding.text, "told_at": now}
    return ours.filter(**before).update(**values) == 1


def _end(row: Row, using: str) -> bool:
    return Row.objects.using(using).filter(pk=row.pk).delete()[0] == 1


def _take_back(row: Row, using: str) -> None:
    """Let a step be taken again: write what stood there, or had ended."""
    names = ("severity", "text", "began_at", "told_at")
    Row.objects.using(using).update_or_create(
        code=row.code,
        account=row.account,
        defaults={name: getattr(row, name) for name in names},
    )


def _told(finding: Finding, row: Row, now: datetime) -> Alert:
    words = f"{finding.severity.upper()}: {finding}"
    if row.told_at:
        words += " " + _("(since %(moment)s UTC)") % {
            "moment": f"{row.began_at:%Y-%m-%d %H:%M}"
        }
    return Alert(
        code=finding.code,
        severity=finding.severity,
        account=finding.account,
        text=finding.text,
        advice=f"{finding.advice} [{finding.runbook}]".strip(),
        began_at=row.began_at,
        words=words,
    )


def _over(row: Row) -> Alert:
    ended = Finding(
        code=row.code, severity=Severity.OK, account=row.account, text=row.text
    )
    return Alert(
        code=ended.code,
        severity=ended.severity,
        account=ended.account,
        text=ended.text,
        advice="",
        began_at=row.began_at,
        words="OK: " + _("It is over: %(text)s") % {"text": ended},
    )


def _deliver(news: Sequence[Alert]) -> bool:
    """Tell, in a thread, so that a mail server that hangs does not stop sending."""
    path = beside.alerts()
    if path is None:
        return True
    failures: list[str] = []

    def tell() -> None:
        try:
            teller: Callable[[Sequence[Alert]], object] = import_string(path)
            teller(news)
        except Exception as error:
            # Its text may hold anything, so only its kind is told.
            failures.append(type(error).__name__)
        finally:
            connections.close_all()

    thread = threading.Thread(target=tell, name="negin-sms-alerts", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        failures.append("no thread to tell them with")
    else:
        thread.join(_PATIENCE)
    if thread.is_alive():
        failures.append("a timeout")
    if failures:
        logger.error("SMS alerts could not be told: %s", failures[0])
    return not failures
