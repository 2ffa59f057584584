"""The app's tables in a database of their own, on each server, in any time zone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.chaos import ROOT, fresh_database


@pytest.mark.long
@pytest.mark.parametrize("zone", ["", "Asia/Tehran", "America/Bogota"])
def test_tables_stand_apart_from_those_of_the_site(database, tmp_path, zone):
    """Every page, every way in, and a user who is deleted."""
    server = database if "://127" in database or "@" in database else "sqlite"
    with fresh_database(server, tmp_path) as site:
        places = {"SITE_DATABASE_URL": site, "SMS_DATABASE_URL": database}
        ours = {"DJANGO_SETTINGS_MODULE": "tests.apart.settings", "PYTHONPATH": "."}
        zones = {"SMS_ZONE": zone} if zone else {}
        done = subprocess.run(
            [sys.executable, "-m", "tests.apart.walk"],
            env={**os.environ, **places, **ours, **zones},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.stdout.endswith("walked\n"), done.stderr[-3000:]
