"""Told once when it begins, hourly while it lasts, once when it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django import VERSION
from django.core import mail
from django.utils import timezone

from negin_sms import services
from negin_sms.models import AccountState, Alert
from negin_sms.services.operations import alerts
from tests.factories import MessageFactory
from tests.pages import ROOT

pytestmark = [
    pytest.mark.django_db(transaction=True),
    # The default mailer, from Django 6.1 on, where settings name it as before.
    pytest.mark.filterwarnings("ignore:.*MAILERS"),
]

ADDRESS = "admin@example.com"
# Django 6.0 has addresses where 5.2 has pairs.
ADMINS: list[Any] = [ADDRESS] if VERSION >= (6,) else [("Admin", ADDRESS)]


@pytest.fixture(autouse=True)
def alive(settings) -> None:
    """Have all run, and somebody to tell."""
    settings.ADMINS = ADMINS
    now = timezone.now()
    AccountState.objects.create(
        account="default", dispatcher_seen_at=now, poller_seen_at=now
    )


@pytest.fixture(autouse=True)
def nothing_told():
    TOLD.clear()


def look() -> tuple[str, ...]:
    return alerts.alert(using="default")


def pass_time(**kwargs: float) -> None:
    past = timezone.now() - timedelta(**kwargs)
    Alert.objects.update(began_at=past)
    Alert.objects.filter(told_at__isnull=False).update(told_at=past)
    AccountState.objects.filter(paused_at__isnull=False).update(paused_at=past)


def test_without_a_thread_nothing_is_told_and_nothing_ends(monkeypatch):
    services.pause_account("default", reason="credit")

    def refuse(*args: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", refuse)
        look()
    assert len(mail.outbox) == 0
    look()
    assert len(mail.outbox) == 1


def test_pause_is_told_once_then_hourly_then_its_end():
    services.pause_account("default", reason="credit")
    assert [look(), look()] == [
        ("CRITICAL: default: The account is paused: credit.",),
        (),
    ]
    pass_time(minutes=61)
    (words,) = look()
    assert words.startswith("CRITICAL: default: The account is paused: credit. (since")
    assert look() == ()
    services.resume_account("default")
    assert look() == ("OK: It is over: default: The account is paused: credit.",)
    assert look() == ()
    assert len(mail.outbox) == 3
    assert "runbook-paused" in mail.outbox[0].body


@pytest.mark.parametrize("is_resumed", [False, True])
def test_another_pause_is_told_at_once(is_resumed):
    """Who was told of a planned one would take a real one for that."""
    services.pause_account("default", reason="planned")
    assert look() == ("CRITICAL: default: The account is paused: planned.",)
    if is_resumed:
        services.resume_account("default")
    services.pause_account("default", reason="credit")
    assert [look(), look()] == [
        ("CRITICAL: default: The account is paused: credit.",),
        (),
    ]
    services.resume_account("default")
    assert look() == ("OK: It is over: default: The account is paused: credit.",)


def test_warning_is_told_when_it_has_lasted():
    row = MessageFactory(uncertain=True)
    assert look() == ()
    pass_time(minutes=6)
    (words,) = look()
    assert words.startswith("WARNING: default: 1 message is uncertain")
    services.resolve(row, "rejected", by=None, why="not there")
    assert look()[0].startswith("OK: ")


def test_short_warning_is_told_to_nobody():
    row = MessageFactory(uncertain=True)
    look()
    services.resolve(row, "rejected", by=None, why="not there")
    assert (look(), mail.outbox) == ((), [])
    assert not Alert.objects.exists()


def test_what_becomes_critical_is_told_at_once():
    AccountState.objects.update(poller_seen_at=None)
    look()
    pass_time(minutes=6)
    assert look()[0].startswith("WARNING: default: No poller runs")
    MessageFactory(accepted=True, poll_at=timezone.now() - timedelta(minutes=9))
    assert look()[0].startswith("CRITICAL: default: States are due")


def test_site_s_language_is_spoken(settings):
    settings.LANGUAGE_CODE = "fa"
    services.pause_account("default", reason="x")
    assert look()[0].startswith("CRITICAL: default: ")


def test_nobody_is_told_where_nobody_wants_it(settings):
    settings.NEGIN_SMS_ALERTS = None
    services.pause_account("default", reason="x")
    assert len(look()) == 1  # the command's own output
    assert mail.outbox == []


TOLD: list[Any] = []


def test_hook_gets_what_is_to_be_told(settings):
    settings.NEGIN_SMS_ALERTS = f"{__name__}.remember"
    services.pause_account("default", reason="x")
    look()
    (told,) = TOLD
    assert (told.code, told.severity, told.account) == ("paused", "critical", "default")
    services.resume_account("default")
    look()
    _began, ended = TOLD
    assert (ended.severity, ended.text) == ("ok", told.text)
    assert "default" not in told.text


def remember(news: list[alerts.Alert]) -> None:
    TOLD.extend(news)


def fail(news: list[alerts.Alert]) -> None:
    raise ConnectionError("smtp.example.com refuses 09395213300")


def test_hook_that_fails_is_tried_again(settings, caplog):
    services.pause_account("default", reason="x")
    settings.NEGIN_SMS_ALERTS = f"{__name__}.fail"
    look()
    assert "SMS alerts could not be told: ConnectionError" in caplog.text
    assert "9395213300" not in caplog.text
    del settings.NEGIN_SMS_ALERTS
    look()
    assert len(mail.outbox) == 1


@pytest.mark.parametrize("seconds", [0, 3601])
def test_end_that_could_not_be_told_is_tried_again(settings, seconds):
    """Who closes a case by it waits; so after a repetition that failed, too."""
    services.pause_account("default", reason="x")
    assert look()
    pass_time(seconds=seconds)
    settings.NEGIN_SMS_ALERTS = f"{__name__}.fail"
    look()
    services.resume_account("default")
    look()
    settings.NEGIN_SMS_ALERTS = f"{__name__}.remember"
    look()
    look()
    assert [each.severity for each in TOLD] == ["ok"]
    assert not Alert.objects.exists()


def test_what_began_again_before_its_end_was_told_is_told(settings):
    services.pause_account("default", reason="x")
    look()
    settings.NEGIN_SMS_ALERTS = f"{__name__}.fail"
    services.resume_account("default")
    look()
    services.pause_account("default", reason="y")
    settings.NEGIN_SMS_ALERTS = f"{__name__}.remember"
    look()
    services.resume_account("default")
    look()
    assert [each.severity for each in TOLD] == ["critical", "ok"]


def test_database_that_is_away_ends_nothing(monkeypatch):
    services.pause_account("default", reason="x")
    look()
    unknown = services.Finding(
        code="database", severity=services.Severity.UNKNOWN, text=""
    )
    monkeypatch.setattr(alerts, "health", lambda: (unknown,))
    assert look() == ()
    assert Alert.objects.count() == 1


SCRIPT = """
import django, sys; django.setup()
from django.core.management import call_command
for _ in range(int(sys.argv[1])):
    try: call_command("dispatch_sms_queue", verbosity=0)
    except SystemExit: pass
"""


def finish(process: subprocess.Popen[str]) -> str:
    err = process.communicate(timeout=120)[1]
    assert process.returncode == 0, err
    return err


@pytest.mark.long
def test_thirty_runs_of_two_processes_tell_once(database, tmp_path: Path):
    def start(script: str, *args: str) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "tests.alert_settings",
            "CHAOS_DATABASE_URL": database,
            "CHAOS_ACCOUNT": '{"BACKEND": "negin_sms.gateway.memory.MemoryGateway"}',
            "ALERT_MAILS": str(tmp_path / "mails"),
        }
        command = [sys.executable, "-c", script, *args]
        return subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    prepare = "import django; django.setup()\nfrom negin_sms import services\n"
    migrate = "from django.core.management import call_command as c; c('migrate')"
    finish(start(f"{prepare}{migrate}"))
    lines = []
    for change in ("pause_account('default', reason='x')", "resume_account('default')"):
        finish(start(f"{prepare}services.{change}"))
        both = [start(SCRIPT, "15") for _ in range(2)]
        for process in both:
            err = finish(process).splitlines()
            lines += [line for line in err if line.startswith(("CRITICAL", "OK"))]
    assert len(lines) == 2
    assert len(list((tmp_path / "mails").iterdir())) == 2
