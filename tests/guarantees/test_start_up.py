"""What a process that only has the app installed need not load."""

from __future__ import annotations

import subprocess
import sys

import pytest

# What takes longer to load than the app, or is of an extra. Each is needed by some:
# by those who send, who draw a bar, who are given an odd spelling of a number.
HEAVY = {
    "celery",
    "django_tasks",
    "jdatetime",
    "kombu",
    "phonenumbers",
    "requests",
    "tqdm",
    "urllib3",
}

START = """
import sys
import django
django.setup()  # which autodiscovers the admin
from django.contrib import admin
from django.urls import get_resolver
from negin_sms import services
from negin_sms.models import Message
get_resolver().url_patterns
assert Message in admin.site._registry
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    command = [sys.executable, "-c", START]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_start_loads_the_app(loaded):
    assert {"django", "negin_sms"} <= loaded


def test_start_loads_nothing_heavy(loaded):
    assert sorted(HEAVY & loaded) == []
