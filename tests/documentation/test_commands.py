"""Commands that the README and docs/ name exist and take what is written behind them.

No block of code is without a test: Python runs (test_pages.py, contrib/test_guide.py),
and what is typed is looked at here, unless the table below says why not.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.core.management import CommandParser, get_commands, load_command_class

from negin_sms import conf
from tests.pages import PAGES, ROOT, blocks, code, literals, read, typed

EVERYWHERE = ["README", *PAGES]
# Commands of packages that are no apps of the tests' project.
OF_OTHERS = {
    "cleanup_mail": "post_office",
    "db_worker": "django_tasks_db",
    "prune_db_task_results": "django_tasks_db",
    "send_queued_mail": "post_office",
}
# First words of what is typed and not looked at, with the reason.
NOT_LOOKED_AT = {
    ".": "the shell's own",
    "celery": "starts a worker that stays; services/submission/test_wakers.py starts some",
    "createdb": "needs PostgreSQL's programs",
    "createuser": "needs PostgreSQL's programs",
    "django-admin": "makes the project that test_followed.py works in",
    "export": "the shell's own",
    "journalctl": "needs systemd",
    "cd": "the shell's own",
    "set": "the shell's own",
    "mariadb": "needs MariaDB's programs",
    "install": "the system's",
    "mkdir": "the system's",
    "psql": "needs PostgreSQL's programs",
    "python3": "makes an environment, as .ci/run does with the README's line",
    "rm": "the system's",
    "sleep": "the system's",
    "systemctl": "needs systemd",
}


def parser_of(name: str) -> CommandParser:
    contrib = {"clear_sms_codes": "negin_sms.contrib.otp"}
    if name in contrib:
        pytest.importorskip("django_otp")
    app = {**get_commands(), "demo": "demo", **contrib}[name]
    return load_command_class(str(app), name).create_parser("manage.py", name)


def lines_of(page: str) -> Iterator[str]:
    """Yield what of a page's blocks is typed, or stands in a crontab or a unit."""
    for language, block in code(read(page)):
        if language == "console":
            yield from (command for command, _shown in typed(block))
        elif language in ("ini", "text"):
            yield from block.splitlines()
    for block in literals(read(page)):
        yield from block.splitlines()


def managed(page: str) -> list[str]:
    """Return the calls of manage.py on a page."""
    flowing = re.sub(r"\s+", " ", read(page))  # a call may go over the end of a line
    inline = re.findall(r"``((?:python )?manage\.py .+?)``", flowing)
    calls = [each for each in [*lines_of(page), *inline] if "manage.py " in each]
    behind = [each.partition("manage.py ")[2].partition("  #")[0] for each in calls]
    return [re.sub(r"\s+", " ", each) for each in behind]


@pytest.mark.parametrize("page", EVERYWHERE)
def test_calls_of_manage_py_are_understood(page):
    for call in managed(page):
        # Where people put their own words, anything will do.
        filled = re.sub(r"<.+?>", "09395213300", call.replace("…", "x"))
        filled = filled.replace("--database sms", "--database default")  # an alias
        name, *args = shlex.split(filled)
        if name in OF_OTHERS:
            package = OF_OTHERS[name]
            assert not find_spec(package) or find_spec(
                f"{package}.management.commands.{name}"
            )
        elif name != "COMMAND":
            parser = parser_of(name)
            if args and "--help" not in args:
                parser.parse_args(args)


@pytest.mark.parametrize("page", EVERYWHERE)
def test_all_else_that_is_typed_is_known(page):
    for language, block in code(read(page)):
        for command, _shown in typed(block) if language == "console" else []:
            first = command.split()[0]
            assert first in ("python", "pip") or first in NOT_LOOKED_AT, command


@pytest.mark.parametrize("page", EVERYWHERE)
def test_packages_that_are_installed_are_ours_or_known(page):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for named in re.findall(r"django-negin-sms\[([\w,-]+)\]", read(page)):
        assert set(named.split(",")) <= set(project["optional-dependencies"])


@pytest.mark.parametrize("page", EVERYWHERE)
def test_every_block_is_of_a_language_that_is_tested(page):
    languages = {language for language, _block in code(read(page))}
    assert languages <= {"python", "pycon", "console", "ini", "text"}
    if languages & {"python", "pycon"}:
        here = Path(__file__)
        tests = [
            *here.parent.glob("test_*.py"),
            here.parents[1] / "contrib/test_guide.py",
        ]
        # "section(" is of the README.
        name = "section(" if page == "README" else f'"{page}"'
        assert any(name in test.read_text() for test in tests if test != here)


def units() -> list[ConfigParser]:
    found = []
    for text in blocks(read("howto/service"), "ini"):
        unit = ConfigParser(interpolation=None)
        unit.optionxform = str  # type: ignore[assignment,method-assign]
        unit.read_string(text)
        found.append(unit)
    return found


def test_units_start_what_there_is_and_leave_it_time():
    dispatch, poll, timer = units()
    for unit in (dispatch, poll):
        start = unit["Service"]["ExecStart"].split()
        assert start[0].startswith("/")
        assert start[1] == "manage.py"  # found in the WorkingDirectory
        assert parser_of(start[2]).parse_args(start[3:])
    account = {each.name: each.default for each in fields(conf.Account)}
    longest = account["deadline"] + account["result_retry"]
    assert float(dispatch["Service"]["TimeoutStopSec"]) > longest
    assert timer["Timer"]["OnCalendar"] == "minutely"
