"""Run the stand-in gateway by hand."""

from __future__ import annotations

import contextlib
from argparse import ArgumentParser
from typing import Any

from django.core.management import CommandError

from negin_sms.gateway.sandbox import MAGIC, Sandbox

from ._output import SmsCommand


class Command(SmsCommand):
    """Serve the sandbox until interrupted."""

    help = "Serve a stand-in SMS gateway on this machine, for trying things out."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
        parser.add_argument("--port", type=int, default=8300, help="default: 8300")

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        """Print how to use it, then answer requests."""
        try:
            sandbox = Sandbox(host, port)
        except (OSError, OverflowError) as error:
            raise CommandError(
                f"Cannot listen on {host}:{port} ({error}); choose another --port, or "
                "an address of this machine as --host."
            ) from None
        with contextlib.suppress(KeyboardInterrupt), contextlib.closing(sandbox):
            self._explain(sandbox)
            sandbox.serve_forever()

    def _explain(self, sandbox: Sandbox) -> None:
        self.stdout.write(f'SMS sandbox: "BASE_URL": "{sandbox.url}" (Ctrl-C ends it)')
        self.stdout.write("Any username and password. Recipients:")
        for mobile, fate in MAGIC.items():
            self.stdout.write(f"  0{mobile.removeprefix('98')}  {fate.value}")
        self.stdout.write("  any other    delivered")
        self.stdout.flush()
