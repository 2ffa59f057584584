"""Say how the queue stands; for people and for monitoring."""

from __future__ import annotations

import dataclasses
import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.timezone import localtime

from negin_sms import services

from ._arguments import plain_errors

NEEDS_A_PERSON = 2


class Command(BaseCommand):
    """Print the status; exit with 2 when something needs a person."""

    help = "Show the SMS queue; exits with 2 when something needs a person."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the form of the output."""
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print, then exit by what was found."""
        with plain_errors():
            status = services.queue_status()
        if options["json"]:
            data = {**dataclasses.asdict(status), "problems": status.problems}
            self.stdout.write(json.dumps(data, cls=DjangoJSONEncoder, indent=2))
        else:
            for account in status.accounts:
                self.stdout.write("\n".join(_lines(account)))
        if status.problems:
            sys.exit(NEEDS_A_PERSON)


def _lines(account: services.AccountStatus) -> list[str]:
    held = f" ({account.held} of the queued held)" if account.held else ""
    counts = ", ".join(f"{name} {n}" for name, n in sorted(account.messages.items()))
    seen = {
        "dispatcher": account.dispatcher_seen_at,
        "poller": account.poller_seen_at,
    }
    signs = [
        f"{who} last seen {localtime(at):%Y-%m-%d %H:%M:%S}" if at else f"no {who} yet"
        for who, at in seen.items()
    ]
    return [
        f"{account.account}: {counts or 'no messages'}{held}",
        f"  {account.due} due, the oldest for {account.oldest_due_seconds:.0f} s; "
        f"{account.states_due} states to ask for, "
        f"the oldest for {account.oldest_state_due_seconds:.0f} s",
        f"  {', '.join(signs)}",
        *(f"  ! {text.partition(': ')[2]}" for text in account.problems),
    ]
