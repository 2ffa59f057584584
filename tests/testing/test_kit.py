"""The kit for users: pytest's plugin, and the mixin for unittest."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import unittest
from importlib import import_module
from pathlib import Path

import pytest
from django.test import SimpleTestCase, TestCase, override_settings

from negin_sms import conf, testing
from negin_sms.exceptions import InvalidConfiguration
from negin_sms.gateway import get_gateway, memory
from negin_sms.gateway.client import NeginGateway
from negin_sms.gateway.console import ConsoleGateway
from negin_sms.gateway.memory import MemoryGateway
from negin_sms.gateway.wire import SendReply, SendRequest
from negin_sms.models import AccountState, Message
from negin_sms.services import (
    adopt_account,
    dispatch_queue,
    queue_many,
    queue_sms,
    send_sms,
)
from negin_sms.testing import SmsTestMixin, gateways, in_memory, sandboxed

pytestmark = pytest.mark.long

MOBILE = "09395213300"
REAL = {"USERNAME": "user", "PASSWORD": "secret", "LINE": "98"}
CONSOLE = "negin_sms.gateway.console.ConsoleGateway"
LOOPBACK = "http://127.0.0.1:8300/api"
ROOT = Path(__file__).parents[2]


class OwnMemory(MemoryGateway):
    pass


class Fake:
    """A test's own stand-in."""

    def __init__(self, account: conf.Account) -> None:
        pass

    def send(self, request: SendRequest) -> SendReply:
        raise NotImplementedError


def gateway_of(settings, **options):
    settings.NEGIN_SMS = {"default": REAL | options}
    return type(get_gateway())


class TestSwitch:
    """What the plugin does with the accounts of a test."""

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"USERNAME": ""},
            {"BACKEND": conf.LIVE_BACKEND, "BASE_URL": "https://sms.3300.ir/api"},
            {"BASE_URL": "https://localhost.example/api"},
        ],
    )
    def test_account_that_would_send_is_kept_in_memory(self, settings, options):
        assert gateway_of(settings, **options) is MemoryGateway

    @pytest.mark.parametrize(
        ("options", "kind"),
        [
            ({"BASE_URL": LOOPBACK}, NeginGateway),
            ({"BACKEND": CONSOLE}, ConsoleGateway),
            ({"BACKEND": "tests.testing.test_kit.OwnMemory"}, OwnMemory),
            ({"BACKEND": "tests.testing.test_kit.Fake"}, Fake),
        ],
    )
    def test_gateway_that_a_test_chooses_is_its_own(self, settings, options, kind):
        assert gateway_of(settings, **options) is kind

    @pytest.mark.parametrize("options", [{"BASE_URL": LOOPBACK}, {"BACKEND": CONSOLE}])
    def test_what_the_project_develops_with_is_no_choice(
        self, settings, monkeypatch, options
    ):
        monkeypatch.setattr(
            gateways, "_project_accounts", lambda: {"default": REAL | options}
        )
        assert gateway_of(settings, **options, MAX_PARTS=1) is MemoryGateway
        assert conf.get_account().max_parts == 1

    def test_the_project_s_waker_is_not_called(self, settings, monkeypatch):
        given = REAL | {"WAKER": "negin_sms.tasks.wake"}
        monkeypatch.setattr(gateways, "_project_accounts", lambda: {"default": given})
        for own in ({}, {"BASE_URL": LOOPBACK}):
            settings.NEGIN_SMS = {"default": given | own}
            assert conf.get_account().waker is None
        settings.NEGIN_SMS = {"default": given | {"WAKER": "shop.tasks.wake"}}
        assert conf.get_account().waker == "shop.tasks.wake"

    @pytest.mark.sms_live
    def test_marked_test_has_the_accounts_as_they_are(self, settings):
        assert gateway_of(settings) is NeginGateway

    def test_every_account_is_switched(self, settings):
        settings.NEGIN_SMS = {"default": REAL, "bulk": REAL}
        assert type(get_gateway("bulk")) is MemoryGateway

    def test_broken_settings_stay_broken(self, settings):
        settings.NEGIN_SMS = {"default": {"BACKEND": "nowhere.Gateway"}}
        with pytest.raises(InvalidConfiguration, match="names no gateway"):
            get_gateway()


@pytest.mark.django_db
class TestFixtures:
    TEXTS = [str(number) for number in range(24)]

    def test_outbox_is_in_the_order_of_the_queue(self, sms_outbox):
        queue_many([{"mobile": MOBILE, "text": text} for text in self.TEXTS])
        dispatch_queue()
        assert [sent.text for sent in sms_outbox] == self.TEXTS

    def test_sandbox_takes_in_the_order_of_the_queue(self, sms_sandbox):
        queue_many([{"mobile": MOBILE, "text": text} for text in self.TEXTS])
        dispatch_queue()
        assert [sent.text for sent in sms_sandbox.taken] == self.TEXTS

    def test_outbox_holds_what_was_sent(self, sms_outbox):
        message = send_sms(MOBILE, "hello")
        assert [sent.text for sent in sms_outbox] == ["hello"]
        assert sms_outbox[0].gateway_id == message.gateway_id
        assert sms_outbox[0].mobile == message.mobile

    @pytest.mark.parametrize("_time", [1, 2])
    def test_outbox_is_empty_at_first(self, sms_outbox, _time):
        assert sms_outbox == []
        send_sms(MOBILE, "hello")

    def test_sandbox_is_talked_to_over_http(self, sms_sandbox, sms_outbox):
        sms_sandbox.report(2)
        message = send_sms(MOBILE, "hello")
        assert [taken.gateway_id for taken in sms_sandbox.taken] == [message.gateway_id]
        assert get_gateway().states([message.gateway_id]) == {message.gateway_id: 2}
        assert sms_outbox == []

    def test_sandbox_needs_no_settings_but_a_line(self, settings, request):
        settings.NEGIN_SMS = {"default": {"LINE": "98"}}
        sandbox = request.getfixturevalue("sms_sandbox")
        send_sms(MOBILE, "hello")
        assert len(sandbox.taken) == 1


class TestSmsTestMixin(SmsTestMixin, TestCase):
    earlier: Message

    @classmethod
    def setUpTestData(cls) -> None:
        with override_settings(NEGIN_SMS={"default": REAL}):
            cls.earlier = send_sms(MOBILE, "earlier")

    def test_class_data_is_kept_in_memory_too(self):
        assert self.earlier.status == "accepted"
        self.assertNoSmsSent()

    def test_message_is_found_by_number_and_text(self):
        send_sms(MOBILE, "one")
        send_sms("09395213301", "two")
        send_sms(MOBILE, "three")
        assert self.assertSmsSent().text == "three"
        assert self.assertSmsSent(to="+98 939 521 3300", containing="on").text == "one"
        self.assertNoSmsSent(to=MOBILE, containing="two")
        self.assertSmsCount(3)
        self.assertSmsCount(2, to=MOBILE)

    def test_failed_assertions_say_what_was_sent(self):
        with self.assertRaisesMessage(AssertionError, "None was sent."):
            self.assertSmsSent()
        send_sms(MOBILE, "one")
        sent = "Sent were:\n  +989395213300: 'one'"
        with self.assertRaisesMessage(
            AssertionError, f"Expected an SMS to 09395213301 containing 'x'. {sent}"
        ):
            self.assertSmsSent(to="09395213301", containing="x")
        with self.assertRaisesMessage(AssertionError, f"Expected 0 SMS, not 1. {sent}"):
            self.assertNoSmsSent()
        with self.assertRaisesMessage(AssertionError, "Expected 2 SMS to"):
            self.assertSmsCount(2, to=MOBILE)

    def test_queued_message_is_not_sent(self):
        queue_sms(MOBILE, "later")
        self.assertNoSmsSent()
        assert Message.objects.filter(status="queued").count() == 1

    def test_orders_are_given_to_the_outbox(self):
        self.sms_outbox.throttle()
        message = send_sms(MOBILE, "x", fail_silently=True)
        assert (message.status, message.code) == ("queued", 23)


class TestOrderedBefore(SmsTestMixin, SimpleTestCase):
    def test_orders_are_forgotten_a(self):
        assert memory.outbox._orders == []
        self.sms_outbox.refuse(27)

    test_orders_are_forgotten_b = test_orders_are_forgotten_a


class Ordering(SmsTestMixin, SimpleTestCase):
    def loses_its_answer(self):
        self.sms_outbox.lose_answer()
        MemoryGateway(conf.get_account()).send(
            SendRequest(mobile="+989395213300", text="x", line="98")
        )


def test_orders_of_the_mixin_are_none_of_the_next_class_s():
    result = unittest.TestResult()
    Ordering("loses_its_answer").run(result)
    assert "OutcomeUnknown" in result.errors[0][1]
    assert (memory.outbox, memory.outbox._orders) == ([], [])


def test_orders_end_with_their_block_and_what_was_sent_stays():
    with in_memory():
        MemoryGateway(conf.get_account()).send(
            SendRequest(mobile="+989395213300", text="x", line="98")
        )
        memory.outbox.refuse(27)
    assert (len(memory.outbox), memory.outbox._orders) == (1, [])


@pytest.mark.sms_live
def test_mixin_s_switch_works_without_the_plugin(settings):
    with in_memory():
        assert gateway_of(settings) is MemoryGateway
    assert gateway_of(settings) is NeginGateway


def run(*code: str, **environment: str) -> str:
    """Run something in a process without settings; return what it prints."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DJANGO_SETTINGS_MODULE", "PYTEST_ADDOPTS")
    }
    done = subprocess.run(
        [sys.executable, *code],
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout + done.stderr


def test_plugin_imports_nothing_of_django():
    code = (
        "import sys, negin_sms.testing.plugin;"
        "print([m for m in sys.modules if m.startswith(('django', 'requests'))])"
    )
    assert run("-c", code) == "[]\n"


def test_plugin_leaves_a_project_without_django_alone(tmp_path):
    (tmp_path / "test_plain.py").write_text(
        "import sys\n\ndef test_plain():\n    assert 'django' not in sys.modules\n"
    )
    said = run(
        *("-m", "pytest", "-q", "-p", "no:django", "-p", "no:cacheprovider"),
        *("-p", "negin_sms.testing.plugin", "--rootdir", str(tmp_path), str(tmp_path)),
        # Other plugins of this environment may import Django.
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
    )
    assert "1 passed" in said


def test_plugin_leaves_a_project_without_the_app_alone(tmp_path):
    (tmp_path / "test_other.py").write_text(
        "import sys\n"
        "from django.conf import settings\n"
        "settings.configure()\n"
        "import django\n"
        "django.setup()\n"
        "def test_other():\n"
        "    assert 'negin_sms.conf' not in sys.modules\n"
    )
    said = run(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider"),
        *("-p", "negin_sms.testing.plugin", "--rootdir", str(tmp_path), str(tmp_path)),
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
    )
    assert "1 passed" in said


def test_mixin_works_with_djangos_own_runner(tmp_path):
    (tmp_path / "test_sign_up.py").write_text(
        "from django.test import TestCase\n"
        "from negin_sms.services import send_sms\n"
        "from negin_sms.testing import SmsTestMixin\n"
        "class SignUpTests(SmsTestMixin, TestCase):\n"
        "    @classmethod\n"
        "    def setUpTestData(cls):\n"
        "        send_sms('09395213300', 'Before the tests')\n"
        "    def test_code(self):\n"
        "        send_sms('09395213300', 'Your code: 1234', sensitive=True)\n"
        "        self.assertSmsSent(to='09395213300', containing='1234')\n"
        "    def test_none(self):\n"
        "        self.assertNoSmsSent()\n"
    )
    said = run(
        *("-m", "django", "test", str(tmp_path), "--settings", "tests.sample.settings"),
        *("--parallel", "2"),
    )
    assert "Ran 2 tests" in said
    assert "OK" in said


def test_plugin_is_an_entry_point():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (path,) = project["entry-points"]["pytest11"].values()
    assert import_module(path).sms_outbox


def test_kit_exports_what_it_names():
    assert [name for name in testing.__all__ if not hasattr(testing, name)] == []
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = testing.nothing


@pytest.mark.django_db
def test_sandbox_after_something_was_sent_has_to_be_adopted(sms_outbox):
    send_sms(MOBILE, "welcome")
    with sandboxed() as sandbox:
        with pytest.raises(InvalidConfiguration):
            send_sms(MOBILE, "hello")
        adopt_account("default")
        send_sms(MOBILE, "hello")
        assert [each.text for each in sandbox.taken] == ["hello"]


@pytest.mark.django_db
def test_next_test_is_refused_too_where_this_one_has_used_the_sandbox():
    with sandboxed():
        adopt_account("default")
        send_sms(MOBILE, "hello")
    AccountState.objects.update(gateway="")  # as the rollback leaves it
    with in_memory():
        send_sms(MOBILE, "welcome")
        with sandboxed(), pytest.raises(InvalidConfiguration):
            send_sms(MOBILE, "hello")


class TestEachTestOfAClass(SmsTestMixin, TestCase):
    def setUp(self):
        with sandboxed():
            adopt_account("default")
            send_sms(MOBILE, "hello")
        AccountState.objects.update(gateway="")
        super().setUp()

    def test_is_refused_too_where_the_one_before_has_used_the_sandbox(self):
        send_sms(MOBILE, "welcome")
        with sandboxed(), pytest.raises(InvalidConfiguration):
            send_sms(MOBILE, "hello")
