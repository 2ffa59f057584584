"""A project of its own, which tests its messages with nothing but the kit."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[1] / "sample"


def run_tests(place: Path, *options: str) -> str:
    """Run tests as the sample's developers would; return what is said."""
    ours = {"DJANGO_SETTINGS_MODULE", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER"}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider"),
            *_plugin(),
            *("-c", str(SAMPLE / "pytest.ini"), str(place), *options),
        ],
        cwd=SAMPLE.parent.parent,
        env={name: value for name, value in os.environ.items() if name not in ours},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout + done.stderr


def _plugin() -> list[str]:
    """Name the plugin where this package is not installed, or before it had one."""
    installed = entry_points(group="pytest11", name="negin_sms")
    return [] if installed else ["-p", "negin_sms.testing.plugin"]


@pytest.mark.long
def test_sample_project_tests_its_messages_with_the_kit():
    assert "3 passed" in run_tests(SAMPLE)


def test_sample_project_s_tests_take_under_forty_lines():
    tests = (SAMPLE / "test_shop.py").read_text().splitlines()
    assert len(tests) < 40


@pytest.mark.long
def test_sample_project_would_send_without_the_kit():
    """The kit is what keeps its messages here: its accounts are the real ones."""
    said = run_tests(SAMPLE, "-o", "sms_live=true", "-k", "sign_up")
    assert "The gateway cannot be reached" in said
