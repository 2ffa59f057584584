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

KEYS = {"USERNAME": "user", "PASSWORD": "secret", "LINE": "9830003300"}


@contextlib.contextmanager
def project(
    database: str, base_url: str, *, settings: str | None = None, **options: Any
) -> Iterator[None]:
    """Set Django up on a fresh database (a server's URL, or: sqlite)."""
    with (
        tempfile.TemporaryDirectory() as folder,
        fresh_database(database, Path(folder)) as url,
    ):
        os.environ["CHAOS_DATABASE_URL"] = url
        os.environ["CHAOS_ACCOUNT"] = json.dumps(
            {**KEYS, "BASE_URL": base_url, **options}
        )
        os.environ["DJANGO_SETTINGS_MODULE"] = settings or "tests.chaos_settings"
        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        try:
            yield
        finally:
            connection.close()


@contextlib.contextmanager
def account(base_url: str, **options: Any) -> Iterator[None]:
    """Give the account another gateway, here and in the processes that are started."""
    from django.test import override_settings

    given = {**KEYS, "BASE_URL": base_url, **options}
    os.environ["CHAOS_ACCOUNT"] = json.dumps(given)
    with override_settings(NEGIN_SMS={"default": given}):
        yield


def peak_megabytes() -> float:
    """Return the most memory that this process has had."""
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
