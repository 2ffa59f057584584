from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.checks import WARNING, run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import ProgrammingError, connections, router
from django.db.backends.sqlite3.base import DatabaseWrapper

from negin_sms.checks.accounts import (
    check_alerts,
    check_brakes,
    check_celery_app,
    check_console,
    check_deployment,
    check_encryption,
    check_lines,
    check_settings,
    check_task_backend,
    check_wakers,
)
from negin_sms.checks.databases import (
    check_databases,
    check_left_behind,
    check_sqlite,
    check_time_zone,
)

# Django's own checks look at the database, for a field of the counts.
# What is checked are accounts as they are written.
pytestmark = [pytest.mark.django_db, pytest.mark.sms_live]

LOGIN = {"USERNAME": "canary-user", "PASSWORD": "canary-password"}
CONSOLE = "negin_sms.gateway.console.ConsoleGateway"
MEMORY = "negin_sms.gateway.memory.MemoryGateway"


@pytest.fixture
def account(settings):
    """Set the default account, a live one, with these keys."""

    def set_account(**keys):
        settings.NEGIN_SMS = {"default": LOGIN | keys}

    return set_account


class Router:
    def db_for_write(self, model: object, **hints: object) -> str:
        return "probe"


@pytest.fixture
def write_to(settings):
    """Let messages be written to this connection, which is never opened."""

    def use(connection: Any):
        connections["probe"] = connection
        settings.DATABASE_ROUTERS = [Router()]

    yield use
    del connections["probe"]


@pytest.fixture
def sqlite(write_to):
    def use(**options: object):
        write_to(DatabaseWrapper({"NAME": ":memory:", "OPTIONS": options}, "probe"))

    return use


@pytest.fixture
def mysql(write_to):
    """Stand in for servers that are not at hand: their kind, age and options."""

    def use(*version: int, mariadb: bool, **options: object):
        write_to(
            SimpleNamespace(
                vendor="mysql",
                alias="probe",
                settings_dict={"OPTIONS": options},
                mysql_is_mariadb=mariadb,
                mysql_version=version,
            )
        )

    return use


@pytest.fixture
def postgresql(write_to):
    write_to(SimpleNamespace(vendor="postgresql", alias="probe", settings_dict={}))


def ids(found):
    return [message.id.removeprefix("negin_sms.") for message in found]


def run_all(**kwargs):
    found = run_checks(**kwargs)
    return {m.id for m in found if m.id and m.id.startswith("negin_sms.")}


def test_good_settings_pass_every_check(account):
    account(LINE="9830003300")
    found = run_all(include_deployment_checks=True, databases=["default"])
    assert found == {"negin_sms.I001"}


def test_e001_missing_setting(settings):
    del settings.NEGIN_SMS
    found = check_settings(None)
    assert ids(found) == ["E001"]
    assert "Add: NEGIN_SMS = " in found[0].msg


def test_e001_missing_password(settings):
    settings.NEGIN_SMS = {"default": {"USERNAME": "canary-user"}}
    found = check_settings(None)
    assert ids(found) == ["E001"]
    assert found[0].msg.startswith('NEGIN_SMS["default"]["PASSWORD"] is missing.')


def test_e001_mistyped_key_does_not_show_the_password(settings):
    settings.NEGIN_SMS = {"default": {**LOGIN, "PASSWROD": "canary-password"}}
    found = check_settings(None)
    assert ids(found) == ["E001"]
    assert "canary" not in str(found)


def test_e001_no_default_account(settings):
    settings.NEGIN_SMS = {"bulk": LOGIN}
    found = check_settings(None)
    assert ids(found) == ["E001"]
    assert found[0].msg == (
        'NEGIN_SMS has no account "default". Name one of [\'bulk\'] "default".'
    )


def test_e001_no_account_at_all(settings):
    settings.NEGIN_SMS = {}
    found = check_settings(None)
    assert ids(found) == ["E001"]
    assert found[0].msg.startswith("NEGIN_SMS is empty. Write: NEGIN_SMS = ")


NO_GATEWAYS = ["ConsoleGateway", "negin_sms.gateway.console", "nobody.Gateway"]
NO_GATEWAYS += ["django.db.models.Model", "negin_sms.gateway.console.Console"]


@pytest.mark.parametrize("path", NO_GATEWAYS)
def test_e001_backend_that_is_no_gateway(account, path):
    account(BACKEND=path)
    (found,) = check_settings(None)
    assert found.id == "negin_sms.E001"
    assert '["BACKEND"] names no gateway. Write the dotted path' in found.msg


def test_e001_authority_that_cannot_be_read(account):
    account(CA_FILE="/nowhere/ca.pem")
    (found,) = check_settings(None)
    assert '["CA_FILE"] cannot be read (No such file' in found.msg


def test_e001_number_of_only_to_that_is_none(account):
    account(ONLY_TO=["09395213300", "02188776655"])
    found = check_settings(None)
    assert ids(found) == ["E001"]
    assert found[0].msg == (
        'NEGIN_SMS["default"]["ONLY_TO"] holds something that is no Iranian mobile '
        "number: This is not a mobile number."
    )


def test_no_e001_for_numbers_in_any_spelling(account):
    account(ONLY_TO=["۰۹۳۹۵۲۱۳۳۰۰", "+989121112233"])
    assert check_settings(None) == []


def test_e002_without_time_zones(settings):
    settings.USE_TZ = False
    found = check_time_zone(None)
    assert ids(found) == ["E002"]
    assert found[0].hint == "Write USE_TZ = True in your settings."


def test_no_e002_with_time_zones(settings):
    settings.USE_TZ = True
    assert check_time_zone(None) == []


@pytest.mark.parametrize(
    ("zone", "found"),
    [(None, []), ("Asia/Tehran", []), ("Europe/Berlin", ["E002"])],
)
def test_e002_where_an_hour_is_there_twice(write_to, zone, found):
    settings = {"NAME": ":memory:", "OPTIONS": {}, "TIME_ZONE": zone}
    write_to(DatabaseWrapper(settings, "probe"))
    assert ids(check_time_zone(None)) == found


@pytest.mark.parametrize("options", [{}, {"transaction_mode": "DEFERRED"}])
def test_e003_sqlite_that_defers_its_locks(sqlite, options):
    sqlite(**options)
    found = check_sqlite(None)
    assert ids(found) == ["E003"]
    wanted = 'DATABASES["probe"]["OPTIONS"] = {"transaction_mode": "IMMEDIATE"'
    assert wanted in str(found[0].hint)


@pytest.mark.parametrize("mode", ["IMMEDIATE", "immediate", "EXCLUSIVE"])
def test_no_e003_for_sqlite_that_locks_at_once(sqlite, mode):
    sqlite(transaction_mode=mode)
    assert check_sqlite(None) == []


@pytest.mark.usefixtures("postgresql")
def test_no_e003_for_another_database():
    assert check_sqlite(None) == []


@pytest.mark.parametrize(
    ("version", "mariadb", "wanted"),
    [((10, 5, 23), True, "MariaDB 10.6 or newer"), ((5, 7), False, "MySQL 8.0.1 or")],
)
def test_e004_server_without_skip_locked(mysql, version, mariadb, wanted):
    mysql(*version, mariadb=mariadb)
    found = check_databases(None, databases=["probe"])
    assert ids(found) == ["E004"]
    assert found[0].msg.startswith(wanted)


@pytest.mark.parametrize("level", ["repeatable read", "SERIALIZABLE", None])
def test_e004_isolation_above_read_committed(mysql, level):
    mysql(10, 11, 19, mariadb=True, isolation_level=level)
    found = check_databases(None, databases=["probe"])
    assert ids(found) == ["E004"]
    assert 'Leave "isolation_level" out' in str(found[0].hint)


@pytest.mark.parametrize(("version", "mariadb"), [((10, 6, 0), True), ((8, 4), False)])
def test_no_e004_for_a_server_that_skips_locked_rows(mysql, version, mariadb):
    mysql(*version, mariadb=mariadb, isolation_level="read committed")
    assert check_databases(None, databases=["probe"]) == []


@pytest.mark.parametrize("databases", [None, [], ["other"]])
def test_no_database_is_asked_unless_named(mysql, databases):
    mysql(5, 5, mariadb=False)
    assert check_databases(None, databases=databases) == []


@pytest.mark.usefixtures("postgresql")
def test_no_e004_for_another_database():
    assert check_databases(None, databases=["probe"]) == []


@pytest.mark.parametrize(
    ("backend", "what"),
    [(CONSOLE, "prints messages"), (MEMORY, "keeps messages in memory")],
)
def test_e005_development_gateway(account, backend, what):
    account(BACKEND=backend)
    found = check_deployment(None)
    assert ids(found) == ["E005"]
    assert found[0].msg == (
        f'The SMS account "default" sends nothing: its gateway {what}.'
    )


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "sms.localhost"]
)
def test_e005_sandbox_on_this_machine(account, host):
    account(BASE_URL=f"http://{host}/api")
    found = check_deployment(None)
    assert ids(found) == ["E005"]
    assert "talks to a sandbox on this machine" in found[0].msg


def test_e005_names_each_account(settings):
    settings.NEGIN_SMS = {
        "default": LOGIN,
        "a": {"BACKEND": CONSOLE},
        "b": {"BACKEND": MEMORY},
    }
    found = check_deployment(None)
    assert ['"a"' in found[0].msg, '"b"' in found[1].msg] == [True, True]


def test_no_e005_for_the_real_gateway(account):
    account()
    assert check_deployment(None) == []


def test_e005_is_for_deployment_only(account):
    account(BACKEND=MEMORY)
    assert run_all() == set()
    found = run_all(include_deployment_checks=True)
    assert found == {"negin_sms.E005", "negin_sms.I001", "negin_sms.W004"}


def test_check_deploy_fails_on_a_development_gateway(account):
    account(BACKEND=CONSOLE)
    with pytest.raises(SystemCheckError, match=r"negin_sms\.E005"):
        call_command("check", "--deploy")


@pytest.fixture
def outside_of_tests(monkeypatch):
    """Do as if Django's test environment were not set up."""
    monkeypatch.delattr("django.test.utils._TestState.saved_data")


@pytest.mark.usefixtures("outside_of_tests")
@pytest.mark.parametrize("debug", [True, False])
def test_e005_console_where_debug_is_off(account, settings, debug):
    settings.DEBUG = debug
    account(BACKEND=CONSOLE)
    found = check_console(None)
    assert ids(found) == ([] if debug else ["E005"])
    both = found + check_deployment(None)
    assert len(both) == 1


@pytest.mark.usefixtures("outside_of_tests")
def test_no_e005_for_memory_outside_of_deployment(account):
    account(BACKEND=MEMORY)
    assert check_console(None) == []


def test_no_e005_for_the_console_in_a_test_run(account):
    account(BACKEND=CONSOLE)
    assert check_console(None) == []


@pytest.mark.parametrize("url", ["http://sms.3300.ir/api", "HTTP://sms.3300.ir/api"])
def test_w001_password_over_plain_http(account, url):
    account(BASE_URL=url)
    found = check_encryption(None)
    assert ids(found) == ["W001"]
    assert found[0].level == WARNING
    assert found[0].hint == 'Write "BASE_URL": "https://sms.3300.ir/api"'


@pytest.mark.parametrize(
    "url",
    [
        "https://sms.3300.ir/api",
        "HTTPS://sms.3300.ir/api",
        "http://127.0.0.1:8080",
        "http://127.8.9.1",
        "http://[::1]:8080",
        "http://localhost:8080/api",
    ],
)
def test_no_w001_over_tls_or_on_this_machine(account, url):
    account(BASE_URL=url)
    assert check_encryption(None) == []


@pytest.mark.parametrize("url", ["http://localhost.evil.example", "http://10.0.0.1"])
def test_w001_for_a_host_that_only_looks_local(account, url):
    account(BASE_URL=url)
    assert ids(check_encryption(None)) == ["W001"]


def test_w001_is_told_without_deploy(account):
    account(BASE_URL="http://sms.3300.ir/api")
    assert run_all() == {"negin_sms.W001"}


def test_e006_waker_that_is_not_there(account):
    account(WAKER="shop.tasks.wake")
    (found,) = check_wakers(None)
    assert ids([found]) == ["E006"]
    assert "No module named 'shop'" in found.msg


@pytest.mark.parametrize(
    "path", ["negin_sms.services.asend_sms", "negin_sms.conf.SETTING"]
)
def test_e006_waker_that_cannot_be_called(account, path):
    account(WAKER=path)
    (found,) = check_wakers(None)
    assert "no function that can be called" in found.msg


def test_e006_celery_that_is_not_installed(account, monkeypatch):
    monkeypatch.setattr("negin_sms.checks.accounts.find_spec", lambda name: None)
    account(WAKER="negin_sms.tasks.wake")
    (found,) = check_wakers(None)
    assert "Celery is not installed" in found.msg


class TestCeleryApp:
    @pytest.fixture
    def use(self, account, monkeypatch):
        celery = pytest.importorskip("celery")
        account(WAKER="negin_sms.tasks.wake")

        def use_app(name):
            app = celery.Celery(name, set_as_current=False)
            monkeypatch.setattr(celery, "current_app", app)

        return use_app

    def test_w005_app_that_this_process_has_not_imported(self, use):
        tell = "import celery; print(celery.current_app.main, end='')"
        use(subprocess.check_output([sys.executable, "-c", tell], text=True))
        (found,) = check_celery_app(None)
        assert ids([found]) == ["W005"]

    def test_app_of_the_project(self, use):
        use("shop")
        assert check_celery_app(None) == []

    def test_account_that_is_dispatched_without_celery(self, use, account):
        use("default")
        account(WAKER=None)
        assert check_celery_app(None) == []


@pytest.mark.parametrize(
    "waker", [None, "tests.services.submission.test_wakers.note_waking"]
)
def test_no_e006_for_a_waker_that_is_there(account, waker):
    account(WAKER=waker)
    assert run_all() == set()


def test_w002_tasks_without_a_worker(account, settings):
    account(WAKER="negin_sms.background.wake")
    assert ids(check_task_backend(None)) == ["W002"]
    dummy = "django.tasks.backends.dummy.DummyBackend"
    settings.TASKS = {"default": {"BACKEND": dummy}}
    (found,) = check_task_backend(None)
    assert "dispatched by nobody" in found.msg
    settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
    assert check_task_backend(None) == []


def test_no_w002_for_another_waker(account):
    account(WAKER="negin_sms.tasks.wake")
    assert check_task_backend(None) == []


def test_unreadable_settings_are_told_once(settings):
    settings.NEGIN_SMS = {"default": {"USERNAME": 5}}
    assert ids(check_encryption(None) + check_deployment(None)) == []
    assert run_all(include_deployment_checks=True) == {"negin_sms.E001"}


@pytest.mark.parametrize(("line", "found"), [("", {"W004"}), ("9830003300", set())])
def test_w004_without_a_line(account, line, found):
    account(LINE=line)
    assert set(ids(check_lines(None))) == found


def test_brakes_are_told(settings):
    account = {**LOGIN, "DISPATCH": False, "ONLY_TO": ["09395213300"]}
    brakes = {"MOBILE_CAPS": {"hour": 5}, "QUIET_HOURS": ("22:00", "08:00")}
    settings.NEGIN_SMS = {"default": account, "bulk": {**LOGIN, **brakes}}
    first, second = check_brakes(None)
    assert "DISPATCH off: nothing is sent, ONLY_TO 1 number(s)" in first.msg
    assert "MOBILE_CAPS none" in first.msg
    assert "set caps" in first.hint
    assert "MOBILE_CAPS 5 in 3600 s" in second.msg
    assert "QUIET_HOURS 22:00 to 08:00" in second.msg
    assert (second.hint, "0939" in first.msg) == (None, False)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("no.such.hook", "No module named 'no'"),
        ("negin_sms.conf.SETTING", "no function that can be called"),
        ("negin_sms.services.asend_sms", "no function that can be called"),
        (5, "it is no text"),
    ],
)
def test_e007_hook_of_alerts_that_cannot_be_called(settings, path, told):
    settings.NEGIN_SMS_ALERTS = path
    (found,) = check_alerts(None)
    assert ids([found]) == ["E007"]
    assert told in found.msg


def test_hook_of_alerts_that_is_there_or_not_wanted(settings):
    assert check_alerts(None) == []
    settings.NEGIN_SMS_ALERTS = None
    assert check_alerts(None) == []


def test_e001_flag_that_is_none(settings):
    settings.NEGIN_SMS_JALALI = "False"
    (found,) = check_settings(None)
    assert "NEGIN_SMS_JALALI must be True or False" in found.msg


def test_e001_name_of_an_account_that_is_no_text(settings):
    settings.NEGIN_SMS = {5: LOGIN, "default": LOGIN}
    (found,) = check_settings(None)
    assert 'write "5" instead of 5' in found.msg


@pytest.mark.parametrize(
    ("level", "found"),
    [(None, []), (2, []), (3, ["W003"]), ("repeatable read", [])],  # Django's to refuse
)
def test_w003_where_a_key_is_met_unseen(write_to, level, found):
    options = {"isolation_level": level}
    settings = {"OPTIONS": options}
    write_to(
        SimpleNamespace(vendor="postgresql", alias="probe", settings_dict=settings)
    )
    assert ids(check_databases(None, databases=["probe"])) == found


def test_w006_tables_that_cannot_be_read_say_nothing(monkeypatch):
    def refuse(*_args):
        raise ProgrammingError("permission denied")

    monkeypatch.setattr(router, "db_for_write", lambda model: "sms")
    with connections["default"].execute_wrapper(refuse):
        assert check_left_behind(None, databases=["default", "sms"]) == []
