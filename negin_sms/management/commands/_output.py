r"""Words of any language on a terminal or a log of any encoding.

Cron and Windows give standard output encodings that lack Persian. A command that has
sent a message must not fail while it says so: what an encoding lacks is written as
``\u0633``, as standard error does from the start.
"""

from __future__ import annotations

import sys
from typing import Any

from django.core.management import BaseCommand

from ._arguments import plain_errors


class SmsCommand(BaseCommand):
    """A command whose output never fails on an encoding."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take standard output as it is from here on, for ``--help`` too."""
        super().__init__(*args, **options)
        _never_fail(sys.stdout)

    def execute(self, *args: Any, **options: Any) -> Any:
        """Run with the streams that the caller gave."""
        for name in ("stdout", "stderr"):
            _never_fail(options.get(name))
        return super().execute(*args, **options)

    def check(self, *args: Any, **options: Any) -> None:
        """Check, and say it where the database is away.

        Django's own checks of models ask MariaDB and MySQL which of them they are.
        """
        with plain_errors():
            super().check(*args, **options)


def _never_fail(stream: Any) -> None:
    # What somebody chose by PYTHONIOENCODING stays.
    if getattr(stream, "errors", None) == "strict" and hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
