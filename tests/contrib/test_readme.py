"""The README's section on one-time passwords is the project that is tested here."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model

from tests.contrib import require
from tests.test_docs import README

require("allauth", "allauth")
require("two_factor", "two-factor")
require("django_otp", "otp")

from negin_sms.contrib.otp import conf  # noqa: E402
from negin_sms.contrib.otp.models import SMSDevice  # noqa: E402
from tests.contrib.people import adapter  # noqa: E402

# A section ends where the next title stands; the blank lines of its code do not.
TEXT = re.split(
    r"\n\n\n(?=\S.*\n====)", README.partition("\nOne-time passwords\n====")[2]
)[0]
BLOCKS = [
    re.sub(r"^    ", "", block, flags=re.M).strip()
    for block in re.findall(
        r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", TEXT + "\n"
    )
]


def test_adapter_is_the_one_that_is_tested():
    source = Path(adapter.__file__).read_text(encoding="utf-8")
    (block,) = [block for block in BLOCKS if "class " in block]
    code = source.replace("tests.contrib.people", "people").strip()
    assert block == f"# people/adapter.py\n{code}"


@pytest.mark.parametrize("block", [b for b in BLOCKS if "class " not in b])
def test_settings_are_those_that_are_tested(block):
    named: dict[str, Any] = {"INSTALLED_APPS": [], "MIDDLEWARE": []}
    exec(compile(block, "README.rst", "exec"), named)
    keys = [key for key in named if key.isupper()]
    assert len(keys) > 1
    for key in keys:
        ours = getattr(settings, key)
        if key in ("INSTALLED_APPS", "MIDDLEWARE"):
            assert set(named[key]) <= set(ours)
        elif key == "ACCOUNT_ADAPTER":
            assert named[key] == ours.replace("tests.contrib.people", "people")
        else:
            assert named[key] == ours


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
