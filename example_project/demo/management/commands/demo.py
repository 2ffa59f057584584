"""The whole main job on this machine, with nothing configured."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError, call_command
from django.test import override_settings
from tqdm import tqdm

from demo import tour
from negin_sms import services
from negin_sms.gateway.sandbox import Sandbox
from negin_sms.models import Message

_ACCOUNT = {"USERNAME": "demo", "PASSWORD": "demo", "LINE": "9830003300"}
_LINE2 = "9830003301"
# The sandbox moves on every 0.4 s, so the demo asks more often than one would.
_PACE = 0.4
_SCHEDULE = [0.5, 1.0, 1.5, 2.5, 4.0]


class Command(BaseCommand):
    """Migrate, send to a sandbox, poll until the states settle, print a table."""

    help = "Show the whole main job against a sandbox on this machine."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--serve", action="store_true", help="leave the admin running afterwards"
        )
        parser.add_argument("--port", type=int, default=8000, help="the admin's port")

    def handle(self, *args: Any, serve: bool, port: int, **options: Any) -> None:
        """Run the demo."""
        call_command("migrate", verbosity=0, interactive=False)
        with Sandbox(pace=_PACE) as sandbox, _account_at(sandbox.url):
            self.stdout.write(f"Sandbox gateway at {sandbox.url}; nothing leaves here.")
            rows = self._send()
            self._poll([message for _stop, message, _said in rows if message])
            self._print_table(rows)
            if serve:
                self._serve(sandbox.url, port)

    def _send(self) -> list[tuple[tour.Stop, Message | None, str]]:
        group = f"demo {time.time():.0f}"
        rows = list(
            tqdm(
                tour.send_all(group),
                total=len(tour.STOPS),
                desc="sending",
                file=sys.stderr,
                disable=None,
            )
        )
        return [*rows, (*tour.queue_one(group), "")]

    def _poll(self, messages: list[Message]) -> None:
        open_ones = Message.objects.filter(
            pk__in=[message.pk for message in messages], poll_at__isnull=False
        )
        total = open_ones.count()
        give_up_at = time.monotonic() + 60
        with tqdm(total=total, desc="polling", file=sys.stderr, disable=None) as bar:
            while left := open_ones.count():
                if time.monotonic() > give_up_at:
                    raise CommandError(f"{left} messages did not settle in a minute.")
                services.poll_states()
                bar.update(total - open_ones.count() - bar.n)
                time.sleep(0.1)

    def _print_table(self, rows: list[tuple[tour.Stop, Message | None, str]]) -> None:
        lines: list[tuple[str, ...]] = [
            ("", "to", "status", "delivery", "line used", "what was said")
        ]
        for stop, message, said in rows:
            if message is None:
                lines.append((stop.shows, "-", "no row", "-", "-", said))
                continue
            message.refresh_from_db()
            status, state = message.get_status_display(), message.state_words or "-"
            lines.append(
                (
                    stop.shows,
                    message.masked_mobile,
                    status,
                    state,
                    message.used_line or "-",
                    message.detail,
                )
            )
        for line in _columns(lines):
            self.stdout.write(line)

    def _serve(self, base_url: str, port: int) -> None:
        users = get_user_model()._default_manager
        if not users.filter(username="demo").exists():
            users.create_superuser("demo", "", "demo")
        self.stdout.write(
            f"Admin at http://127.0.0.1:{port}/admin/ (user demo, password demo), with a "
            "dispatcher and a poller; Ctrl-C ends them."
        )
        self.stdout.flush()
        environment = {
            **os.environ,
            "DEBUG": "1",
            "NEGIN_SMS_BACKEND": "negin_sms.gateway.client.NeginGateway",
            "NEGIN_SMS_BASE_URL": base_url,
            "NEGIN_SMS_LINE2": _LINE2,
            **{f"NEGIN_SMS_{key}": value for key, value in _ACCOUNT.items()},
        }
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        go_on = ("--forever", "--verbosity", "0")
        serve = ("runserver", "--noreload", f"127.0.0.1:{port}")
        with (
            _running(environment, "dispatch_sms_queue", *go_on),
            _running(environment, "poll_sms_states", *go_on),
            _running(environment, *serve) as server,
            contextlib.suppress(KeyboardInterrupt),
        ):
            server.wait()


@contextlib.contextmanager
def _running(
    environment: dict[str, str], *args: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of manage.py for as long as the block takes."""
    manage = Path(tour.__file__).resolve().parent.parent / "manage.py"
    process = subprocess.Popen([sys.executable, str(manage), *args], env=environment)  # noqa: S603 - our own manage.py
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def _account_at(base_url: str) -> Iterator[None]:
    account = {
        **_ACCOUNT,
        "LINE2": _LINE2,
        "BASE_URL": base_url,
        "POLL_SCHEDULE": _SCHEDULE,
    }
    with override_settings(NEGIN_SMS={"default": account}):
        yield


def _columns(lines: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]) - 1)]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
        yield "  ".join([*cells, line[-1]]).rstrip()
