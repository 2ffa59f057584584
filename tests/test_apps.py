"""Loading the app does nothing but to register its checks."""

from __future__ import annotations

from django.apps import apps
from django.core.checks.registry import registry

from negin_sms import checks


def test_checks_are_registered_when_the_app_is_ready():
    registered = registry.get_checks(include_deployment_checks=True)
    ours = {each for name, each in vars(checks).items() if name.startswith("check_")}
    assert ours <= set(registered)


def test_the_app_has_a_name_for_people():
    assert str(apps.get_app_config("negin_sms").verbose_name) == "SMS (Negin)"
