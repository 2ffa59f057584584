"""Every benchmark that its README names runs, here with the smallest numbers.

What they print is the machine's and no test's matter; that they fit the code still is.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "benchmarks/README.rst").read_text(encoding="utf-8")
SMALL = {
    "chaos": "sqlite --sends 40 --kills 1",
    "dispatch": "sqlite --messages 40 --rounds 1 --no-peers",
    "enumeration": "2",
    "journal": "sqlite --messages 40 --rounds 1",
    "pace": "",
    "poll": "sqlite --messages 300",
    "purge": "sqlite --messages 1000 --queued 2000 --alone 1",
    "queue": "sqlite --messages 300 --rounds 1",
    "scale": "sqlite --messages 40 --rounds 1 --sizes 500",
    "start": "--rounds 1",
}
# An hour's soak, a large table, and a table of inputs that has limits of time.
SLOW = {"soak", "admin_pages", "compose"}


def test_readme_names_them_all():
    named = set(re.findall(r"^``(\w+)`` ", README, re.M))
    named |= set(re.findall(r"python -m benchmarks\.(\w+)", README))
    assert named == SMALL.keys() | SLOW


@pytest.mark.long
@pytest.mark.parametrize("name", SMALL)
def test_runs(name):
    if name == "enumeration":
        pytest.importorskip("allauth")
    command = [sys.executable, "-m", f"benchmarks.{name}", *SMALL[name].split()]
    own = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        command, cwd=ROOT, env=own, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(SLOW))
def test_tells_its_options(name):
    command = [sys.executable, "-m", f"benchmarks.{name}", "--help"]
    assert "usage" in subprocess.check_output(command, cwd=ROOT, text=True)
