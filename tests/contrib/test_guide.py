"""The guide to one-time passwords is the project that is tested here."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model

from tests.contrib import require
from tests.pages import blocks, read

require("allauth", "allauth")
require("two_factor", "two-factor")
require("django_otp", "otp")

from negin_sms.contrib.otp import conf  # noqa: E402
from negin_sms.contrib.otp.models import SMSDevice  # noqa: E402
from tests.contrib.people import adapter, models  # noqa: E402

TEXT = read("howto/codes")
BLOCKS = [block.strip() for block in blocks(TEXT)]
# models.py and adapter.py of the app, and what a program of one's own calls.
CODE = [block for block in BLOCKS if "class " in block or "def " in block]


@pytest.mark.parametrize("module", [models, adapter])
def test_code_is_what_is_tested(module):
    source = Path(module.__file__ or "").read_text(encoding="utf-8")
    path = module.__name__.removeprefix("tests.contrib.").replace(".", "/")
    code = source.replace("tests.contrib.people", "people").strip()
    assert f"# {path}.py\n{code}" in CODE


@pytest.mark.django_db(transaction=True)
def test_function_of_one_s_own_says_what_became_of_the_code(sms_outbox):
    namespace: dict[str, Any] = {}
    exec(compile(CODE[-1], "codes.rst", "exec"), namespace)
    assert namespace["text_a_code"]("09395213300", 1234) == "On its way."
    sms_outbox.refuse(14)
    assert "Ask for a new one" in namespace["text_a_code"]("09395213300", 1234)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b not in CODE])
def test_settings_are_those_that_are_tested(block):
    named: dict[str, Any] = {"INSTALLED_APPS": [], "MIDDLEWARE": []}
    exec(compile(block, "codes.rst", "exec"), named)
    keys = [key for key in named if key.isupper()]
    assert keys
    for key in keys:
        ours = getattr(settings, key)
        if key in ("INSTALLED_APPS", "MIDDLEWARE"):
            known = {name.replace("tests.contrib.people", "people") for name in ours}
            assert set(named[key]) <= known
        elif key == "ACCOUNT_ADAPTER":
            assert named[key] == ours.replace("tests.contrib.people", "people")
        else:
            assert named[key] == ours


def test_app_of_the_phones_is_made_and_installed_before_it_is_migrated():
    steps = ["startapp people", 'INSTALLED_APPS += ["people"]', "makemigrations people"]
    places = [TEXT.find(step) for step in steps]
    assert -1 not in places
    assert places == sorted(places)


def test_settings_of_the_otp_app_have_their_defaults():
    rows = re.findall(r"^``(OTP_SMS_\w+)``\s+(\S+)", TEXT, re.M)
    assert [(key, value.strip("`")) for key, value in rows] == [
        (key, str(value)) for key, value in conf.DEFAULTS.items()
    ]


def test_extras_exist():
    project = Path(__file__).parents[2] / "pyproject.toml"
    extras = tomllib.loads(project.read_text())["project"]["optional-dependencies"]
    named = re.findall(r'install "django-negin-sms\[(.+)\]"', TEXT)
    assert named == ["allauth", "two-factor", "otp"]
    assert set(named) <= set(extras)


@pytest.mark.django_db
def test_device_is_made_as_shown():
    (line,) = re.findall(r"``(SMSDevice\.objects\.create\(.+?\))``", TEXT)
    user = get_user_model().objects.create_user("maryam")
    device = eval(line, {"SMSDevice": SMSDevice, "user": user})
    assert device.mobile == "+989395213300"
