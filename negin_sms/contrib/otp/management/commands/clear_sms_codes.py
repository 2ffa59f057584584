"""Remove the codes whose time is over."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from negin_sms.contrib.otp.models import SMSDevice


class Command(BaseCommand):
    """Delete codes that nobody typed in; one that was is removed at once."""

    help = "Remove the codes of SMS devices that have ended without being used."

    def handle(self, **options: Any) -> None:
        """Remove them, and say how many these were."""
        count = SMSDevice.clear_ended_codes()
        if options["verbosity"]:
            self.stdout.write(f"{count} code(s) removed")
