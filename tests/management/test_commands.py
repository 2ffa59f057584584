"""The commands: parse, call one service, report; exit codes for cron."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import termios
import threading
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import BaseCommand, CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.exceptions import NotSent
from negin_sms.gateway import memory
from negin_sms.management.commands import poll_sms_states
from negin_sms.models import Message
from tests.badgateway import wait_until
from tests.factories import MessageFactory

ROOT = Path(__file__).resolve().parents[2]
MANAGE = ROOT / "example_project" / "manage.py"


def run(name: str, *args: object, **options: object) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(name, *map(str, args), stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


@pytest.mark.django_db
class TestSend:
    def test_sends_and_prints_the_id(self):
        out, _err = run("send_sms", "0939 521 3300", "hello")
        row = Message.objects.get()
        assert (row.source, row.status) == ("command", "accepted")
        assert out == (
            f"Message {row.pk}: Accepted, gateway id {row.gateway_id}, "
            "line 9830003300.\n"
        )

    def test_takes_the_options_of_the_scenarios(self):
        run("send_sms", "09395213300", "x", "--scenario=service_line", "--template=0")
        assert memory.outbox[0].form["template"] == "0"
        run("send_sms", "09395213300", "x", "--scenario=second_line", "--line2=98301")
        assert memory.outbox[1].form["line2"] == "98301"

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["02122345678", "x"], "not a mobile number"),
            (["09395213300", ""], "text is empty"),
            (["09395213300", "x", "--account=nobody"], "no SMS account 'nobody'"),
            (["09395213300", "x", "--line="], "needs a line"),
        ],
    )
    def test_says_what_is_wrong(self, arguments, words):
        with pytest.raises(CommandError, match=words):
            run("send_sms", *arguments)

    def test_missing_settings_say_what_to_write(self, settings):
        del settings.NEGIN_SMS
        with pytest.raises(CommandError, match="NEGIN_SMS = "):
            run("send_sms", "09395213300", "x", skip_checks=True)


@pytest.mark.django_db
def test_send_with_a_key_that_waits_says_who_queued_it():
    services.queue_sms("09395213300", "x", idempotency_key="k")
    words = r"Message \d+: Queued\. An earlier call with this key queued it\. The mess"
    with pytest.raises(CommandError, match=words):
        run("send_sms", "09395213300", "x", "--idempotency-key=k")


@pytest.mark.django_db(transaction=True)
def test_send_to_a_gateway_that_is_away_keeps_the_row(use_account):
    use_account("http://127.0.0.1:9/api")
    with pytest.raises(CommandError, match=r"Message \d+: Queued.*stays in the queue"):
        run("send_sms", "09395213300", "x")
    assert Message.objects.get().status == Status.QUEUED


@pytest.mark.django_db(transaction=True)
def test_advice_at_a_terminal_names_commands(use_account):
    use_account("http://127.0.0.1:9/api")
    with pytest.raises(CommandError, match=r"manage\.py dispatch_sms_queue") as told:
        run("send_sms", "09395213300", "x", "--idempotency-key", "k")
    assert "error.message" not in str(told.value)
    services.hold_queue(reason="restored")
    with pytest.raises(CommandError, match=r"manage\.py hold_sms_queue") as told:
        run("send_sms", "09395213300", "x", "--idempotency-key", "k")
    assert "error.message" not in str(told.value)
    with pytest.raises(NotSent, match=r"send_messages\(\[error\.message\]\)"):
        services.send_sms("09395213300", "y")


@pytest.mark.django_db(transaction=True)
def test_recipient_who_opted_out_is_told_with_the_message():
    services.opt_out("09395213300")
    told = r"Message \d+: Cancelled\. The recipient"
    with pytest.raises(CommandError, match=told):
        call_command("send_sms", "09395213300", "x")


@pytest.mark.django_db(transaction=True)
def test_message_that_an_order_keeps_says_which_and_what_to_do(use_account):
    use_account(DISPATCH=False)
    told = (
        r"Message \d+: Queued\. Sending is switched off .+manage\.py dispatch_sms_queue"
    )
    with pytest.raises(CommandError, match=told):
        call_command("send_sms", "09395213300", "x")


@pytest.mark.django_db(transaction=True)
class TestDispatch:
    def test_prints_counts_in_a_closing_line(self):
        MessageFactory.create_batch(3)
        out, err = run("dispatch_sms_queue")
        assert out == (
            "3 accepted, 0 rejected, 0 uncertain, 0 not sent (queued again).\n"
        )
        assert err == ""

    def test_counts_what_a_rule_keeps_back(self, use_account):
        use_account(MOBILE_CAPS={"day": 1})
        MessageFactory.create_batch(2, mobile="+989395213300")
        out, _err = run("dispatch_sms_queue")
        assert out.startswith("1 accepted")
        assert out.endswith(", 1 kept back by a rule (queued again).\n")

    def test_is_silent_when_asked(self):
        assert run("dispatch_sms_queue", verbosity=0) == ("", "")

    @pytest.mark.parametrize("options", [(), ("--no-progress",)])
    def test_draws_a_bar_with_its_rate_on_a_terminal(self, monkeypatch, options):
        MessageFactory.create_batch(3)
        reader, writer = os.openpty()
        os.set_blocking(reader, False)
        termios.tcsetwinsize(writer, (24, 80))
        with open(writer, "w", encoding="utf-8") as terminal:
            monkeypatch.setattr(sys, "stderr", terminal)
            run("dispatch_sms_queue", *options)
            monkeypatch.undo()
            terminal.write(".")
            terminal.flush()  # there is something to read in any case
            assert ("SMS/s" in os.read(reader, 4096).decode()) is not bool(options)
        os.close(reader)

    @pytest.mark.parametrize(
        ("mobile", "status"), [("09000000001", 0), ("09000000005", 3)]
    )
    def test_exit_status_says_whether_anything_left(self, live, mobile, status):
        services.queue_sms(mobile, "x")
        code = 0
        try:
            run("dispatch_sms_queue")
        except SystemExit as ended:
            code = int(ended.code or 0)
        assert code == status

    def test_says_what_is_paused_and_expired(self):
        MessageFactory(expires_at=timezone.now() - timedelta(seconds=1))
        services.pause_account("default", reason="maintenance")
        with pytest.raises(SystemExit) as ended:
            run("dispatch_sms_queue")
        assert ended.value.code == 3
        assert Message.objects.get().status == "expired"

    @pytest.mark.parametrize(
        ("option", "words"),
        [
            ("--workers=0", "whole number from 1"),
            ("--limit=x", "whole number from 1"),
            ("--rate=-1", "number above 0"),
            ("--interval=nan", "number above 0"),
            ("--lease=soon", "number above 0"),
        ],
    )
    def test_options_are_checked(self, option, words):
        with pytest.raises(CommandError, match=words):
            run("dispatch_sms_queue", option)

    def test_lease_that_could_be_overtaken_is_refused(self):
        with pytest.raises(CommandError, match=r"lease given.* is 20 s.*least 180\.$"):
            run("dispatch_sms_queue", "--lease=20")

    def test_database_that_is_away_is_a_sentence(self, settings):
        backend = settings.NEGIN_SMS["default"]
        settings.NEGIN_SMS = {"default": {**backend, "RESULT_RETRY": 0.1}}

        def away(execute, sql, params, many, context):
            raise OperationalError("server closed the connection")

        with (
            connection.execute_wrapper(away),
            pytest.raises(CommandError, match="run the command again"),
        ):
            run("dispatch_sms_queue")

    def test_database_that_is_away_while_django_checks_is_a_sentence(self, monkeypatch):
        def away(*args, **options):
            raise OperationalError("Can't connect to server")

        # On MariaDB and MySQL the checks of models ask the server.
        monkeypatch.setattr(BaseCommand, "check", away)
        with pytest.raises(CommandError, match="run the command again"):
            run("dispatch_sms_queue", skip_checks=False)


def past() -> datetime:
    """Return a moment that is over on SQLite's clock too, which counts milliseconds."""
    return timezone.now() - timedelta(seconds=1)


@pytest.mark.django_db(transaction=True)
class TestPoll:
    def test_prints_counts_in_a_closing_line(self):
        services.send_sms("09395213300", "x")
        Message.objects.update(poll_at=past())
        out, err = run("poll_sms_states")
        assert out == (
            "1 asked, 1 answered, 1 changed, 1 settled (0 without a report), "
            "1 request(s). Delivered 1.\n"
        )
        assert err == ""

    def test_closing_line_names_every_known_state(self):
        told = poll_sms_states._words(Counter([1, 2, 8, 16, 0, -1]))
        assert told.count(",") == 5

    def test_json_is_for_programs(self):
        services.send_sms("09395213300", "x")
        Message.objects.update(poll_at=past())
        report = json.loads(run("poll_sms_states", "--json")[0])
        assert (report["due"], report["asked"], report["states"]) == (1, 1, {"1": 1})
        assert json.loads(run("poll_sms_states", "--json", "--dry-run")[0])["due"] == 0

    def test_dry_run_counts_once(self):
        with pytest.raises(CommandError, match="leave --forever out") as caught:
            run("poll_sms_states", "--dry-run", "--forever")
        assert caught.value.returncode == 2

    def test_dry_run_only_counts(self):
        MessageFactory.create_batch(2, accepted=True)
        assert run("poll_sms_states", "--dry-run")[0] == "2 due.\n"
        assert Message.objects.filter(state=None).count() == 2

    @pytest.mark.parametrize(
        ("port", "words"), [("9", "cannot be reached"), ("refuses", "password")]
    )
    def test_fails_clearly_and_loses_nothing(self, use_account, sandbox, port, words):
        use_account("http://127.0.0.1:9/api")
        if port == "refuses":
            sandbox._credentials = ("someone", "else")
            use_account(sandbox.url)
        MessageFactory.create_batch(3, accepted=True)
        err = io.StringIO()
        with pytest.raises(SystemExit) as ended:
            call_command("poll_sms_states", stderr=err)
        assert ended.value.code == 3
        assert words in err.getvalue()
        assert Message.objects.filter(poll_at__isnull=False, state=None).count() == 3

    def test_while_a_failure_is_waited_for_nothing_is_counted(self, use_account):
        use_account("http://127.0.0.1:9/api")
        MessageFactory.create_batch(3, accepted=True)
        said = []
        for _run in range(2):
            err = io.StringIO()
            Message.objects.update(poll_at=past())
            with pytest.raises(SystemExit) as ended:
                call_command("poll_sms_states", stderr=err)
            said.append((ended.value.code, err.getvalue().partition(" default: ")[0]))
        assert said == [
            (3, "3 message(s) could not be asked about and stay due."),
            (3, "What is due stays due."),
        ]

    def test_since_takes_dates_and_times(self):
        MessageFactory(accepted=True)
        assert (
            run("poll_sms_states", "--since=2020-01-01", "--dry-run")[0] == "1 due.\n"
        )
        after = (timezone.now() + timedelta(hours=1)).isoformat()
        assert run("poll_sms_states", f"--since={after}", "--dry-run")[0] == "0 due.\n"
        with pytest.raises(CommandError, match="not a date"):
            run("poll_sms_states", "--since=yesterday")


def manage(*args: str, **environment: str) -> subprocess.Popen[str]:
    clean = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(MANAGE), *args],
        cwd="/",
        env={**clean, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def heed_ctrl_c():
    """Undo what a shell does to its background jobs, and we hand on: ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heed_ctrl_c")
def test_sandbox_command_serves_until_interrupted():
    process = manage("serve_sms_sandbox", "--port=0")
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "http://127.0.0.1:" in line
    rest = [process.stdout.readline() for _ in range(3)]
    assert any("09000000001  delivered" in text for text in rest)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=10)[1] == ""
    assert process.returncode == 0


@pytest.mark.usefixtures("heed_ctrl_c")
def test_sandbox_command_ends_quietly_on_ctrl_c():
    interrupt = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    interrupt.start()
    out, err = run("serve_sms_sandbox", "--port=0")
    interrupt.join()
    assert "09000000010  taken, and the connection cut" in out
    assert err == ""


def test_sandbox_command_says_when_the_port_is_taken(sandbox):
    port = sandbox.url.split(":")[2].split("/")[0]
    with pytest.raises(CommandError, match="choose another --port"):
        run("serve_sms_sandbox", f"--port={port}")


@pytest.mark.parametrize(
    ("command", "sign", "words"),
    [
        ("dispatch_sms_queue", "dispatcher_seen_at", "0 accepted"),
        ("poll_sms_states", "poller_seen_at", "0 asked"),
    ],
)
@pytest.mark.long
def test_service_ends_well_on_sigterm(tmp_path, command, sign, words):
    database = f"sqlite:///{tmp_path}/db.sqlite3"
    assert manage("migrate", DATABASE_URL=database).communicate(timeout=60)[1] == ""
    process = manage(command, "--forever", DATABASE_URL=database)
    seen = f"SELECT 1 FROM negin_sms_accountstate WHERE {sign} IS NOT NULL"
    with contextlib.closing(sqlite3.connect(tmp_path / "db.sqlite3")) as connection:
        give_up_at = time.monotonic() + 30
        while not connection.execute(seen).fetchone():
            assert time.monotonic() < give_up_at
            time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, "")
    assert out.startswith(words)


@pytest.mark.long
def test_demo_does_the_whole_job_as_often_as_it_is_run(tmp_path):
    database = f"sqlite:///{tmp_path}/db.sqlite3"
    words = ("Chelcheleh", "9830003301", "Uncertain", "No report", "Delivered")
    for _time in range(2):
        process = manage("demo", DATABASE_URL=database)
        out, err = process.communicate(timeout=90)
        assert process.returncode == 0, err
        assert [each for each in (*words, "(error 27)") if each not in out] == []
        assert "09000000" not in out + err


@pytest.mark.long
@pytest.mark.usefixtures("heed_ctrl_c")
def test_demo_that_serves_sends_what_is_queued_in_its_admin(tmp_path):
    database = tmp_path / "db.sqlite3"
    url = f"sqlite:///{database}"
    demo = manage("demo", "--serve", "--port=0", DATABASE_URL=url, PYTHONUNBUFFERED="1")
    assert demo.stdout
    assert any("Admin at http://127.0.0.1:0/admin/" in line for line in demo.stdout)
    code = "from negin_sms.services import *; print(queue_sms('09000000001', 'x').pk)"
    queued = manage("shell", "--no-imports", "-c", code, DATABASE_URL=url)
    pk = int(queued.communicate(timeout=60)[0])
    with contextlib.closing(sqlite3.connect(database)) as rows:
        question = "SELECT state FROM negin_sms_message WHERE id = ?"
        wait_until(lambda: rows.execute(question, [pk]).fetchone() == (1,), 60)
    demo.terminate()  # Ctrl-C would reach what it started, too
    err = demo.communicate(timeout=60)[1]
    assert (demo.returncode, "Traceback" in err) == (0, False), err


@pytest.mark.long
def test_clinic_of_the_example_project_tests_its_messages(tmp_path):
    database = f"sqlite:///{tmp_path / 'clinic.sqlite3'}"
    err = manage("test", "clinic", DATABASE_URL=database).communicate(timeout=90)[1]
    assert "Ran 7 tests" in err
    assert "\nOK\n" in err


def test_example_project_passes_its_checks(tmp_path):
    process = manage("check", "--fail-level=WARNING")
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 0
