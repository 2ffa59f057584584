"""The README, the tutorial and the settings of the guides, followed by a stranger.

Each is typed into a project of its own, in processes of their own; only the address of
the stand-in gateway is another, and nobody waits until states are due. What the pages
show below a command has to be what it prints.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db.utils import ConnectionHandler

from negin_sms.management.commands import serve_sms_sandbox
from tests.pages import ROOT, blocks, code, read, section, typed

SANDBOX = "http://127.0.0.1:8300/api"
# Not typed here: the environment and the project are there, the sandbox runs, nobody
# waits; the second group goes on until it is ended, or asks for a password.
LEFT_OUT = r"(mkdir|python3 -m venv|\. \.venv|pip|django-admin|sleep)\b"
LEFT_OUT_OF_MANAGE = r"serve_sms_sandbox|runserver|createsuperuser"


class Project:
    """A new project in a folder, as ``startproject`` makes it."""

    def __init__(self, place: Path, gateway: str) -> None:
        self.place = place
        self.gateway = gateway
        self.python("-m", "django", "startproject", "shop", ".")

    def add(self, settings: str) -> None:
        """Write at the end of the settings."""
        with (self.place / "shop" / "settings.py").open("a") as file:
            file.write(settings.replace(SANDBOX, self.gateway))

    def python(
        self, *args: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run Python in the folder."""
        ours = {"DJANGO_SETTINGS_MODULE", "PYTHONPATH"}
        clean = {k: v for k, v in os.environ.items() if k not in ours}
        return subprocess.run(
            [sys.executable, *args],
            cwd=self.place,
            env={**clean, "PYTHONPATH": str(ROOT), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def type(self, command: str) -> str | None:
        """Type a command into the terminal; return all that it shows.

        Return None for what is not typed.
        """
        if re.match(LEFT_OUT, command):
            return None
        words = shlex.split(command)
        assert words[:2] == ["python", "manage.py"], command
        if re.match(LEFT_OUT_OF_MANAGE, words[2]):
            return None
        if words[2] == "poll_sms_states":
            self.pass_time()
        done = self.python(*words[1:])
        return done.stdout + done.stderr

    def pass_time(self) -> None:
        """Make states due as if somebody had waited."""
        path = self.place / "db.sqlite3"
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(
                "UPDATE negin_sms_message SET poll_at = datetime('now', '-1 minute')"
                " WHERE poll_at IS NOT NULL"
            )

    def converse(self, session: str) -> str:
        """Type a session into the shell; return what is not as shown."""
        (self.place / "session.txt").write_text(session, encoding="utf-8")
        lines = "import django, doctest, sys; django.setup(); sys.exit("
        lines += "doctest.testfile('session.txt', module_relative=False).failed)"
        done = self.python("-c", lines, DJANGO_SETTINGS_MODULE="shop.settings")
        return done.stdout + done.stderr if done.returncode else ""


@pytest.fixture
def project(tmp_path, sandbox):
    return Project(tmp_path, sandbox.url)


def pattern(shown: str) -> str:
    """Return what an output has to match: ids and seconds are never the same."""
    lines = [re.escape(line.strip()) for line in shown.strip().splitlines()]
    text = r"\s+".join(lines).replace(r"\.\.\.", r"[\s\S]*")
    text = re.sub(r"1795\d{12}", r"\\d+", text)
    return text.replace(r"\ 0\.0\ s", r"\ [\d.]+\ s")


def follow(project: Project, text: str) -> list[str]:
    """Do all that a text says, in its order; return the commands it has."""
    commands: list[str] = []
    for language, block in code(text):
        if language == "python":
            project.add(block)
        elif language == "pycon":
            assert project.converse(block) == ""
        for command, shown in typed(block) if language == "console" else []:
            said = project.type(command)
            assert said is None or re.search(pattern(shown), said), (command, said)
            commands.append(command)
    return commands


@pytest.mark.long
def test_readme_leads_to_a_delivered_message(project):
    commands = follow(project, section("Installation"))
    assert commands[-1] == "python manage.py poll_sms_states"
    assert "Delivered 1." in section("Installation")


@pytest.mark.long
def test_tutorial_shows_what_happens(project):
    text = read("tutorial")
    by_oneself, title, really = text.partition("\nThe real gateway\n")
    assert title
    commands = follow(project, by_oneself)
    assert len([each for each in commands if " manage.py " in each]) > 15
    (settings,) = blocks(really)
    project.add(settings)
    values = dict.fromkeys(("USERNAME", "PASSWORD"), "...") | {"LINE": "9830003300"}
    environment = {f"NEGIN_SMS_{key}": value for key, value in values.items()}
    checked = project.python("manage.py", "check", "--deploy", **environment)
    assert "negin_sms.I001" in checked.stderr
    assert not re.search(r"negin_sms\.[EW]", checked.stderr)


def test_tutorial_shows_what_the_sandbox_says(sandbox):
    said = io.StringIO()
    serve_sms_sandbox.Command(stdout=said)._explain(sandbox)
    starts = blocks(read("tutorial"), "console")
    shown = dict(each for block in starts for each in typed(block))
    expected = shown["python manage.py serve_sms_sandbox"]
    assert SANDBOX in expected
    expected = pattern(expected.replace(SANDBOX, sandbox.url))
    assert re.search(expected, said.getvalue())


@pytest.mark.long
def test_persian_quick_start_leads_to_a_delivered_message(project):
    by_oneself, title, _really = read("fa/index").partition("\nدرگاه واقعی\n")
    assert title
    settings, sqlite, _calls = blocks(by_oneself)
    project.add(settings + sqlite)
    for block in blocks(by_oneself, "console")[1:]:
        said = [project.type(command) for command, _shown in typed(block)]
    assert "Delivered 1." in (said[-1] or "")


GROUPS = """
from django.contrib.auth.models import Group, Permission
office, new = Group.objects.get_or_create(name="Office")
if new:
    office.permissions.set(Permission.objects.filter(codename="view_message"))
print(*office.permissions.values_list("codename", flat=True))
"""


@pytest.mark.long
def test_groups_are_allowed_the_same_in_another_database(project):
    """Also where an app came to the site later, so that ``migrate`` numbers anew."""
    tutorial, *_others = blocks(read("tutorial"))
    project.add(tutorial)
    project.type("python manage.py migrate")
    project.add('INSTALLED_APPS.insert(0, "django.contrib.sites")\n')
    project.type("python manage.py migrate")
    before = project.python("manage.py", "shell", "-c", GROUPS).stdout
    guide = read("howto/databases").partition("To move a site that runs")[2]
    dump, load, *_others = [block for kind, block in code(guide) if kind == "console"]
    for command, _shown in typed(dump):
        project.type(command)
    project.add('DATABASES["default"]["NAME"] = BASE_DIR / "new.sqlite3"\n')
    for command, _shown in typed(load):
        project.type(command)
    assert "view_message" in before
    assert project.python("manage.py", "shell", "-c", GROUPS).stdout == before


@pytest.mark.long
def test_messages_move_into_a_database_of_their_own(project):
    tutorial, *_others = blocks(read("tutorial"))
    project.add(tutorial)
    project.type("python manage.py migrate")
    keyed = "from negin_sms.services import queue_sms as q; print('row', q("
    keyed += "'09000000001', 'x', idempotency_key='k').pk)"
    assert "row 1" in project.python("manage.py", "shell", "-c", keyed).stdout
    guide = read("howto/databases").partition("\nA database of its own\n")[2]
    (router, setting), consoles = blocks(guide), blocks(guide, "console")
    migrate, dump, load = [
        [each for each, _shown in typed(block)] for block in consoles
    ]
    project.type(dump[0])
    (project.place / "shop" / "routers.py").write_text(router)
    project.add('DATABASES["sms"] = DATABASES["default"] | {"NAME": "sms.sqlite3"}\n')
    project.add(setting)
    warned = [project.type(command) or "" for command in migrate]
    assert ["negin_sms.W006" in said for said in warned] == [True, False]
    said = [project.type(command) or "" for command in load]
    assert "queued 1" in said[1]
    assert "row 1" in project.python("manage.py", "shell", "-c", keyed).stdout
    project.add('DATABASES["replica"] = DATABASES["sms"]\n')
    again = "python manage.py check --database default --database replica"
    assert "no issues" in (project.type(again) or "")


@pytest.mark.parametrize("page", ["howto/brakes", "howto/accounts", "howto/templates"])
def test_accounts_of_the_guides_pass_the_checks(project, page):
    (settings,) = [block for block in blocks(read(page)) if "NEGIN_SMS = {" in block]
    project.add('INSTALLED_APPS += ["negin_sms"]\n' + settings)
    project.add('NEGIN_SMS["default"] |= {"USERNAME": "user", "PASSWORD": "..."}\n')
    project.add(blocks(section("Installation"))[1])
    assert "no issues" in project.python("manage.py", "check").stdout


@pytest.mark.database  # where the drivers are
@pytest.mark.parametrize(("number", "driver"), [(0, "psycopg"), (1, "MySQLdb")])
def test_databases_of_the_guide_can_be_connected_to(number, driver):
    pytest.importorskip(driver)
    settings: dict[str, Any] = {}
    exec(blocks(read("howto/databases"))[number], settings)
    connection = ConnectionHandler(settings["DATABASES"])["default"]
    assert connection.get_connection_params()["user"] == "shop"


def test_theme_takes_our_mixins(project):
    pytest.importorskip("unfold", reason="django-unfold needs Python 3.12")
    (registrations,) = blocks(read("reference/admin"))
    project.add('INSTALLED_APPS += ["unfold", "shop", "negin_sms"]\n')
    project.add("INSTALLED_APPS.sort(key=lambda app: app != 'unfold')\n")
    project.add("".join(blocks(section("Installation"))[1:]))
    project.add(f'NEGIN_SMS = {{"default": {{"BASE_URL": "{SANDBOX}",')
    project.add('"USERNAME": "a", "PASSWORD": "b"}}\n')
    (project.place / "shop" / "admin.py").write_text(registrations)
    assert "no issues" in project.python("manage.py", "check").stdout
    lines = (
        "from django.contrib import admin; from negin_sms.models import Message;"
        "print(type(admin.site.get_model_admin(Message)))"
    )
    assert (
        "shop.admin.SmsAdmin"
        in project.python("manage.py", "shell", "-c", lines).stdout
    )


def test_sentry_keeps_numbers_and_texts_out(project):
    """An event of a view that fails with a number and a text in hand has neither."""
    pytest.importorskip("sentry_sdk")
    init, view = blocks(read("security"))
    init = init.replace(
        'dsn="..."', 'dsn="http://key@127.0.0.1:9/1", before_send=keep, debug=False'
    )
    project.add('INSTALLED_APPS += ["negin_sms"]\nALLOWED_HOSTS = ["*"]\n')
    project.add('NEGIN_SMS = {"default": {"LINE": "98", "USERNAME": "a",')
    project.add(f'"PASSWORD": "hush", "BASE_URL": "{SANDBOX}"}}}}\n')
    project.add(blocks(section("Installation"))[1])
    (project.place / "shop" / "urls.py").write_text(
        f"{view}\nfrom django.urls import path\n"
        "def fail(request):\n"
        "    mobile, text = request.POST['mobile'], f'Your code: {chr(81) * 6}'\n"
        "    send_sms(mobile, text, scenario='of no such name')\n"
        "urlpatterns = [path('fail/', fail)]\n"
    )
    (project.place / "try.py").write_text(
        "events = []\ndef keep(event, hint):\n    events.append(event)\n\n"
        f"{init}\nimport django; django.setup()\n"
        "from django.test import Client\n"
        "client = Client(raise_request_exception=False)\n"
        "client.post('/fail/', {'mobile': '09395213300'})\n"
        "print(len(events), repr(events))\n"
    )
    done = project.python("try.py", DJANGO_SETTINGS_MODULE="shop.settings")
    assert done.stdout.startswith("1 "), done.stderr
    assert "InvalidMessage" in done.stdout
    for secret in ("9395213300", "QQQQQQ", "hush"):
        assert secret not in done.stdout
