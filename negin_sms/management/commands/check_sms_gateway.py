"""Say what keeps messages from leaving; for people and for monitoring."""

from __future__ import annotations

import dataclasses
import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand

from negin_sms import services

from ._arguments import plain_errors

NEEDS_A_PERSON = 2


class Command(BaseCommand):
    """Examine everything; exit with 2 when something needs a person."""

    help = (
        "Look at the settings, the way to the SMS gateway, the credentials, the clocks, "
        "the dispatcher and the poller. Sends nothing, changes nothing. Exit status 2: "
        "something needs a person; 1: could not look (database)."
    )
    # What is wrong with the settings is a finding like the others.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the account and the form of the output."""
        parser.add_argument("--account", help="only this account; default: all")
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, account: str | None, **options: Any) -> None:
        """Print the findings, then exit by the worst of them."""
        with plain_errors():
            diagnosis = services.examine(account=account)
        if options["json"]:
            data = {"level": diagnosis.level, **dataclasses.asdict(diagnosis)}
            self.stdout.write(json.dumps(data, indent=2))
        else:
            for finding in diagnosis.findings:
                self.stdout.write(_line(finding))
        if not diagnosis.is_well:
            sys.exit(NEEDS_A_PERSON)


def _line(finding: services.Finding) -> str:
    where = " ".join(filter(None, (finding.account, finding.subject)))
    line = f"{finding.level.upper():<8} {where}: {finding.words}"
    return f"{line}\n{'':<8} → {finding.advice}" if finding.advice else line
