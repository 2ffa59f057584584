"""A Django project around a benchmark: one database, one account, empty tables."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django

from tests.chaos import fresh_database


@contextlib.contextmanager
def project(database: str, base_url: str, **account: Any) -> Iterator[None]:
    """Set Django up on a fresh database (a server's URL, or: sqlite)."""
    keys = {"USERNAME": "user", "PASSWORD": "secret", "LINE": "9830003300"}
    with (
        tempfile.TemporaryDirectory() as folder,
        fresh_database(database, Path(folder)) as url,
    ):
        os.environ["CHAOS_DATABASE_URL"] = url
        os.environ["CHAOS_ACCOUNT"] = json.dumps(
            {**keys, "BASE_URL": base_url, **account}
        )
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.chaos_settings"
        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        try:
            yield
        finally:
            connection.close()


def peak_megabytes() -> float:
    """Return the most memory that this process has had."""
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
