"""The README and the reference say what the code does."""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Permission
from django.core.management import BaseCommand, get_commands, load_command_class
from django.db import connection
from django.dispatch import Signal
from django.test.utils import CaptureQueriesContext
from django.utils.module_loading import import_string

from negin_sms import conf, exceptions, services, signals
from negin_sms.admin.actions import ACTIONS
from negin_sms.choices import Priority, Scenario, State, Status
from negin_sms.exceptions import InvalidMessage, Vetoed
from negin_sms.gateway import wire
from negin_sms.gateway.memory import SentMessage
from negin_sms.gateway.scripts import Scripted
from negin_sms.models import Message, SmsTemplate
from negin_sms.services.operations import shutdown
from tests.pages import README, ROOT, blocks, read, section
from tests.testing.test_sample import run_tests


def documented_defaults() -> dict[str, str]:
    rows = re.findall(
        r"^``([A-Z_0-9]+)``\s{2,}(.+?)\s{2,}\S", read("reference/settings"), re.M
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
    if key.endswith("_caps") or key == "service_texts":
        assert (text, default) == ("None", ())
    elif key == "prices":
        assert (text, default) == ("{}", ())
    elif key == "thresholds":
        assert text == "below"
    elif key == "poll_schedule":
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


def test_states_are_named_as_the_admin_names_them():
    words = re.sub(r"\s+", " ", section("Where a message stands"))
    said = words.partition("of its delivery: ")[2].partition(". ")[0]
    assert dict(re.findall(r"(-?\d+) ([^,]+)", said)) == {
        str(state.value): str(state.label).lower() for state in State
    }


def test_commands_and_their_options_are_listed():
    ours = [name for name, app in get_commands().items() if app == "negin_sms"]
    for name in ours:
        assert f"\n``{name}" in read("reference/commands")
        assert (
            load_command_class("negin_sms", name).create_parser("", name).format_help()
        )


def test_commands_that_draw_a_bar_are_named():
    ours = [name for name, app in get_commands().items() if app == "negin_sms"]
    drawing = {
        name
        for name in ours
        if "--no-progress"
        in load_command_class("negin_sms", name).create_parser("", name).format_help()
    }
    (names,) = re.findall(r"(``[^.]*)draw a progress bar", read("reference/commands"))
    assert set(re.findall(r"``(\w+)``", names)) == drawing


@pytest.mark.parametrize(
    "name", ["dispatch_sms_queue", "poll_sms_states", "check_sms_gateway"]
)
def test_options_of_the_services_are_listed(name):
    parser = load_command_class("negin_sms", name).create_parser("", name)
    text = read("reference/commands").partition(f"``{name}``")[2].partition("\n``")[0]
    options = {o for a in parser._actions for o in a.option_strings}
    django_s = {
        o
        for a in BaseCommand().create_parser("", "")._actions
        for o in a.option_strings
    }
    assert set(re.findall(r"``(--[a-z-]+)``", text)) == options - django_s


def test_signals_are_listed_and_their_example_runs(capsys):
    listed = re.findall(r"^``(\w+_\w+)``", read("reference/signals"), re.M)
    ours = [name for name, its in vars(signals).items() if isinstance(its, Signal)]
    assert listed == ours
    (block,) = blocks(read("reference/signals"))
    namespace: dict[str, Any] = {}
    exec(compile(block, "signals.rst", "exec"), namespace)
    message = Message(pk=7, state=1)
    signals.message_settled.send(sender=Message, message=message)
    signals.message_settled.disconnect(namespace["note_delivery"])
    assert capsys.readouterr().out == "7 Delivered\n"


def test_guide_to_brakes_works(settings):
    block, caller, veto = blocks(read("howto/brakes"))
    namespace: dict[str, Any] = {}
    exec(block, namespace)
    settings.NEGIN_SMS = namespace["NEGIN_SMS"]
    settings.NEGIN_SMS["default"].update(USERNAME="user", PASSWORD="secret")
    assert conf.get_account().mobile_caps == ((60, 3), (3600, 10), (86400, 30))
    exec(veto, namespace)
    signals.pre_send.disconnect(namespace["respect_our_own_list"])
    assert "def text_a_code" in caller
    message = Message(group="newsletter", mobile="+989395213300")
    with pytest.raises(Vetoed):
        namespace["respect_our_own_list"](Message, message)


def veto(sender: object, message: Message, **kwargs: object) -> None:
    raise Vetoed("no")


def fail(sender: object, message: Message, **kwargs: object) -> None:
    raise RuntimeError


def fill(periods: int) -> None:
    """Use up a cap of one message of a day, and of the next day."""
    for _period in range(periods):
        services.queue_sms("09395213300", "before", priority=Priority.HIGH)
    services.dispatch_queue()


# What a row of the table "What a caller sees" needs to come true.
OBSTACLES: dict[str, tuple[dict[str, Any], Callable[[], object]]] = {
    "``DISPATCH`` is ``False``": ({"DISPATCH": False}, int),
    "the account is paused": (
        {},
        lambda: services.pause_account("default", reason="why"),
    ),
    "``QUIET_HOURS``": ({"QUIET_HOURS": ("00:00", "23:59:59")}, int),
    "``ONLY_TO``": ({"ONLY_TO": ["09390000000"]}, int),
    "an opt-out": ({}, lambda: services.opt_out("09395213300")),
    "its number's cap": ({"MOBILE_CAPS": {"day": 1}}, lambda: fill(1)),
    "that of the next period": ({"MOBILE_CAPS": {"day": 1}}, lambda: fill(2)),
    "the account's cap": ({"ACCOUNT_CAPS": {"day": 1}}, lambda: fill(1)),
    "``pre_send``: ``Vetoed``": ({}, lambda: signals.pre_send.connect(veto)),
    "``pre_send``: other errors": ({}, lambda: signals.pre_send.connect(fail)),
}


def rows_of_brakes() -> dict[str, tuple[str, str]]:
    text = section("What a caller sees", "howto/brakes")
    rows = re.findall(r"^(\S.*?) {2,}(waits|is ``\w+``) {2,}(r.+)$", text, re.M)
    return {what: (queued, told) for what, queued, told in rows}


def test_every_obstacle_is_in_the_table_of_brakes():
    assert rows_of_brakes().keys() == OBSTACLES.keys()


@pytest.fixture
def obstacle(request, settings, transactional_db) -> Iterator[str]:
    keys, begin = OBSTACLES[request.param]
    account = {**settings.NEGIN_SMS["default"], **keys}
    settings.NEGIN_SMS = {"default": account}
    begin()
    yield request.param
    signals.pre_send.disconnect(veto)
    signals.pre_send.disconnect(fail)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("obstacle", OBSTACLES, indirect=True)
@pytest.mark.parametrize("on_not_sent", ["queue", "cancel"])
def test_caller_sees_what_the_guide_to_brakes_says(obstacle, on_not_sent):
    words = rows_of_brakes()[obstacle][1]
    error = getattr(
        exceptions, (re.findall(r"raises ``(\w+)``", words) or [""])[0], None
    )
    status = re.findall(r"``(\w+)``", words)[-1]
    if on_not_sent == "cancel" and "DISPATCH" not in obstacle:
        status = "cancelled"
    low: dict[str, Any] = {"priority": Priority.LOW} if "QUIET" in obstacle else {}
    with pytest.raises(error) if error else contextlib.nullcontext() as told:
        row = services.send_sms("09395213300", "hello", on_not_sent=on_not_sent, **low)
    if error:
        assert type(told.value) is error
        row = told.value.message
    assert row.status == status


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("obstacle", OBSTACLES, indirect=True)
def test_queued_message_waits_as_the_guide_to_brakes_says(obstacle):
    low: dict[str, Any] = {"priority": Priority.LOW} if "QUIET" in obstacle else {}
    row = services.queue_sms("09395213300", "hello", **low)
    services.dispatch_queue()
    row.refresh_from_db()
    said = rows_of_brakes()[obstacle][0]
    assert said == ("waits" if row.status == "queued" else f"is ``{row.status}``")
    assert services.why_waiting(row) or said != "waits" or "pre_send" in obstacle
    of_all = ("DISPATCH", "paused", "QUIET", "account's cap")
    assert bool(row.detail) is not any(words in obstacle for words in of_all)


@pytest.mark.django_db(transaction=True)
def test_guide_to_brakes_tells_how_long_to_wait(settings):
    names: dict[str, Any] = {}
    exec(blocks(read("howto/brakes"))[1], names)
    account = {**settings.NEGIN_SMS["default"], "MOBILE_CAPS": {"day": 1}}
    settings.NEGIN_SMS = {"default": account}
    said = [names["text_a_code"]("09395213300", code) for code in ("1", "2")]
    assert said[0] == "On its way."
    assert re.fullmatch(r"Too many codes\. Wait at least \d+ seconds\.", said[1])


def test_reference_has_the_whole_api_once():
    listed = re.findall(
        r"^\.\. auto(?:function|class):: (\w+)$", read("reference/api"), re.M
    )
    assert sorted(listed) == sorted(services.__all__)


def test_operations_table_is_the_admin_s():
    rows = re.findall(
        r"^(\S.*?)\s{2,}``negin_sms\.(\w+)_message``\s{2,}",
        read("reference/admin"),
        re.M,
    )
    assert rows == [(str(each.label), each.name) for each in ACTIONS]


@pytest.mark.django_db
def test_permissions_of_the_security_page_exist():
    text = section("Permissions", "security")
    named = set(re.findall(r"``(\w+_\w+)``", text)) - {"negin_sms"}
    ours = Permission.objects.filter(content_type__app_label="negin_sms")
    assert named <= set(ours.values_list("codename", flat=True))
    assert {f"{each.name}_message" for each in ACTIONS} <= named


def test_named_services_exist():
    keywords = inspect.signature(services.send_sms).parameters
    named = re.findall(r"``(\w+_\w+)``", section("Sending"))
    assert [n for n in named if n not in keywords and not hasattr(services, n)] == []


@pytest.mark.django_db
def test_guide_to_templates_works(settings):
    for text in ("Dear {name}: {code}", "{name} عزیز: {code}"):
        language = "en" if text.isascii() else "fa"
        SmsTemplate.objects.create(name="code", language=language, text=text)
    send, named = blocks(read("howto/templates"))
    exec(send, {})
    texts = set(Message.objects.values_list("text", flat=True))
    assert texts == {"Dear Sara: 1234", "Sara عزیز: 1234", "Ali عزیز: 5678"}
    namespace: dict[str, Any] = {}
    exec(named, namespace)
    settings.NEGIN_SMS = namespace["NEGIN_SMS"]
    assert dict(conf.get_account().service_texts) == {"otp": 3, "bill": 4}


@pytest.mark.long
def test_recipes_for_tests_work_with_both_runners(tmp_path):
    tested, *with_pytest, with_unittest = blocks(read("howto/testing-recipes"))
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "messages.py").write_text(tested)
    (tmp_path / "test_messages.py").write_text("\n".join(with_pytest))
    said = run_tests(tmp_path)
    assert "10 passed" in said, said
    (tmp_path / "shop" / "tests.py").write_text(with_unittest)
    done = subprocess.run(
        [sys.executable, "-m", "django", "test", "--settings=tests.sample.settings"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Ran 6 tests" in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_guide_to_testing_works(tmp_path):
    with_pytest, with_unittest = blocks(read("howto/testing"))
    (tmp_path / "test_with_pytest.py").write_text(with_pytest)
    (tmp_path / "test_with_unittest.py").write_text(with_unittest)
    assert "5 passed" in run_tests(tmp_path)


def test_orders_of_the_kit_are_listed():
    listed = re.findall(r"^``(\w+)\(.*?\)``  ", read("howto/testing"), re.M)
    public = {name for name in vars(Scripted) if not name.startswith("_")}
    assert set(listed) == public - {"forget_orders", "next_order", "next_state"}
    fields_of = [f"``{field.name}``" for field in fields(SentMessage)]
    assert [f for f in fields_of if f not in read("howto/testing")] == []


@pytest.mark.django_db(transaction=True)
def test_python_blocks_of_sending_run(capsys):
    essentials = [*blocks(section("Sending")), *blocks(section("The five scenarios"))]
    assert len(essentials) == 4
    code = "\n".join(essentials)
    namespace: dict[str, Any] = {"InvalidMessage": InvalidMessage}
    exec(compile(code, "README.rst", "exec"), namespace)
    assert async_to_sync(namespace["send_code"])(None).content == b"accepted"


@pytest.mark.django_db(transaction=True)
def test_queueing_costs_what_the_guide_to_sending_says():
    assert "a look at the database's clock and one INSERT" in read("howto/sending")
    with CaptureQueriesContext(connection) as queries:
        services.queue_sms("09395213300", "hello", idempotency_key="order-7")
    verbs = [query["sql"].split()[0] for query in queries]
    ends = ("BEGIN", "START", "COMMIT")  # a transaction's, as each database writes them
    assert [verb for verb in verbs if verb not in ends] == ["SELECT", "INSERT"]


def settings_of(page: str) -> dict[str, Any]:
    """Run the settings that a page shows, behind those of a project."""
    settings: dict[str, Any] = {"NEGIN_SMS": {"default": {}}, "INSTALLED_APPS": []}
    exec(compile("\n".join(blocks(read(page))), page, "exec"), settings)
    return settings


def test_celery_settings_work():
    celery = pytest.importorskip("celery")
    settings = settings_of("howto/celery")
    assert import_string(settings["NEGIN_SMS"]["default"]["WAKER"])
    app = celery.Celery("site", broker="memory://", set_as_current=False)
    app.config_from_object(settings, namespace="CELERY")
    for name in ("negin_sms.dispatch", "negin_sms.poll"):
        assert app.tasks[name]
        assert app.amqp.router.route({}, name)["queue"].name == "sms"
    scheduled = {each["task"] for each in app.conf.beat_schedule.values()}
    assert scheduled == {"negin_sms.dispatch", "negin_sms.poll"}


def test_settings_of_django_tasks_work():
    pytest.importorskip("django_tasks_db")
    settings = settings_of("howto/django-tasks")
    assert import_string(settings["NEGIN_SMS"]["default"]["WAKER"])
    path = settings["TASKS"]["default"]["BACKEND"]
    assert import_string(path)
    assert settings["INSTALLED_APPS"] == [path.rpartition(".")[0]]


@pytest.mark.parametrize("page", ["howto/celery", "howto/django-tasks"])
def test_a_shift_is_as_long_as_the_guides_say(page):
    words = re.sub(r"\s+", " ", read(page))
    assert f"no more messages after {shutdown._SHIFT:.0f} seconds" in words
