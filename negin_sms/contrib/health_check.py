"""A check for django-health-check 4: critical when messages do not leave.

``"negin_sms.contrib.health_check.Sms"`` in the ``checks`` of a HealthCheckView.
"""

from __future__ import annotations

import dataclasses

from health_check.base import HealthCheck
from health_check.exceptions import ServiceUnavailable

from negin_sms.services import Severity, health
from negin_sms.services.database import closed_afterwards, write_alias

_ALARMING = (Severity.CRITICAL, Severity.UNKNOWN)


@dataclasses.dataclass
class Sms(HealthCheck):
    """Fail with the codes of what is critical or unknown; a warning is no failure.

    Codes only: such a page is often open to all, and a reason may be a person's words.
    """

    account: str | None = None

    def run(self) -> None:
        """Judge; raise ServiceUnavailable."""
        # Runs in a thread of its own, whose connection would stay open.
        with closed_afterwards(write_alias()):
            findings = health(account=self.account)
        codes = [
            ": ".join(filter(None, (finding.account, finding.code)))
            for finding in findings
            if finding.severity in _ALARMING
        ]
        if codes:
            raise ServiceUnavailable(", ".join(codes))
