"""The README says what the code does."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class

from negin_sms import conf, services
from negin_sms.admin.operations import OPERATIONS
from negin_sms.choices import Scenario, Status
from negin_sms.exceptions import InvalidMessage
from negin_sms.gateway import wire

README = (Path(__file__).parent.parent / "README.rst").read_text(encoding="utf-8")


def section(title: str) -> str:
    _before, _title, rest = README.partition(f"\n{title}\n====")
    return re.split(r"\n\n\n", rest)[0]


def documented_defaults() -> dict[str, str]:
    rows = re.findall(
        r"^``([A-Z_0-9]+)``\s{2,}(.+?)\s{2,}\S", section("Settings"), re.M
    )
    return {key: value.strip("`") for key, value in rows}


def test_settings_table_has_every_key_and_no_other():
    known = [f.name.upper() for f in fields(conf.Account) if f.name != "alias"]
    assert list(documented_defaults()) == known


@pytest.mark.parametrize(
    "key", [f.name for f in fields(conf.Account) if f.name != "alias"]
)
def test_settings_table_has_the_defaults(key):
    text = documented_defaults()[key.upper()]
    default: Any = {f.name: f.default for f in fields(conf.Account)}[key]
    if key == "poll_schedule":
        assert text == f"{default[0]:g} s … {default[-1] / 3600:g} h"
    elif key in ("username", "password"):
        assert text == "required"
    elif isinstance(default, float):
        assert float(text) == default
    else:
        assert text.strip('"') == str(default)


def test_scenario_table_is_the_wire_s():
    rows = re.findall(
        r"^``Scenario\.(\w+)``.*?(yes|no)\s+(yes|no)\s+(optional|no)$", README, re.M
    )
    assert [Scenario[row[0]] for row in rows] == list(Scenario)
    for name, line, line2, template in rows:
        use = wire.uses(Scenario[name])
        assert ("line" in use.requires) == (line == "yes")
        assert ("line2" in use.requires) == (line2 == "yes")
        assert ("template" in use.allows) == (template == "optional")


def test_statuses_are_explained():
    for status in Status.values:
        assert f"\n``{status}``" in section("Where a message stands")


def test_commands_and_their_options_are_listed():
    ours = [name for name, app in get_commands().items() if app == "negin_sms"]
    for name in ours:
        assert f"\n``{name}" in section("Commands")
        parser = load_command_class("negin_sms", name).create_parser("", name)
        assert parser.format_help()


def test_operations_table_is_the_admin_s():
    rows = re.findall(
        r"^(\S.*?)\s{2,}``negin_sms\.(\w+)_message``\s{2,}", section("Admin"), re.M
    )
    assert rows == [(str(each.label), each.name) for each in OPERATIONS]


def test_named_services_exist():
    for name in re.findall(r"``(\w+_\w+)``", section("Sending")):
        if name not in ("fail_silently", "on_not_sent"):
            assert hasattr(services, name), name


@pytest.mark.django_db
def test_python_blocks_of_sending_run(capsys):
    blocks = re.findall(
        r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)",
        section("Sending") + "\n" + section("The five scenarios") + "\n",
    )
    assert len(blocks) == 3
    code = "\n".join(re.sub(r"^    ", "", block, flags=re.M) for block in blocks)
    exec(compile(code, "README.rst", "exec"), {"InvalidMessage": InvalidMessage})
