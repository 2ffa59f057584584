"""Say what keeps messages from leaving; for people and for monitoring."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from negin_sms import services

from ._findings import add_arguments, finish, judge
from ._output import SmsCommand


class Command(SmsCommand):
    """Examine everything; exit by the worst finding."""

    help = (
        "Look at the settings, the way to the SMS gateway, the credentials, the clocks, "
        "and all that sms_queue_status looks at. Sends nothing, changes nothing. Exit "
        "status, as Nagios has it: 0 ok, 1 warning, 2 critical, 3 could not look."
    )
    # What is wrong with the settings is a finding like the others.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the account, the thresholds and the form of the output."""
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Examine, print, exit."""
        finish(self, judge(services.examine, options), options)
