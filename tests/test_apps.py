"""Loading the app does nothing but to register its checks."""

from __future__ import annotations

import subprocess
import sys

from django.apps import apps

from negin_sms.checks import accounts, databases
from negin_sms.contrib import checks as of_adapters

# In a process of its own: importing a check registers it, and this module has.
TELL = """
import django
from django.core.checks.registry import registry
django.setup()
print(*(each.__name__ for each in registry.get_checks(include_deployment_checks=True)))
"""


def test_checks_are_registered_when_the_app_is_ready():
    tell = [sys.executable, "-c", TELL]
    done = subprocess.run(tell, check=True, capture_output=True, text=True, timeout=60)
    names = {*vars(accounts), *vars(databases), *vars(of_adapters)}
    ours = {name for name in names if name.startswith("check_")}
    assert len(ours) > 10
    assert ours <= set(done.stdout.split())


def test_the_app_has_a_name_for_people():
    assert str(apps.get_app_config("negin_sms").verbose_name) == "SMS (Negin)"
