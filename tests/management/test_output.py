"""No command, and not the console gateway, fails on an encoding."""

from __future__ import annotations

import contextlib
import importlib
import io
import pkgutil
import sys
from collections.abc import Callable, Iterator

import pytest
from django.core.management import ManagementUtility, call_command
from django.utils.translation import override

from negin_sms import conf, services
from negin_sms.choices import Status
from negin_sms.gateway.console import ConsoleGateway
from negin_sms.gateway.wire import SendRequest
from negin_sms.management import commands
from negin_sms.management.commands._output import SmsCommand
from negin_sms.models import Message
from tests.factories import MessageFactory

pytestmark = [pytest.mark.long, pytest.mark.django_db]

NAMES = [
    name
    for _finder, name, _package in pkgutil.iter_modules(commands.__path__)
    if not name.startswith("_")
]
CALLS = {
    "check_sms_gateway": [],
    "dispatch_sms_queue": [],
    "hold_sms_queue": ["--reason", "پشتیبان"],
    "pause_sms_account": [
        "default",
        "--reason",
        "تعمیر",
        "--until",
        "1470/01/01 12:00",
    ],
    "poll_sms_states": [],
    "purge_sms_messages": ["--older-than", "90d"],
    "resume_sms_account": ["default"],
    "send_sms": ["09395213300", "سلام"],
    "sms_queue_status": [],
}


@pytest.fixture(params=["ascii", "cp1252", "cp437"])
def run(request, monkeypatch) -> Iterator[Callable[..., str]]:
    """Run manage.py on an output that has no Persian, and return what it wrote."""

    def run_one(*arguments: str) -> str:
        written = io.BytesIO()
        stream = io.TextIOWrapper(written, encoding=request.param, write_through=True)
        monkeypatch.setattr(sys, "stdout", stream)
        with contextlib.suppress(SystemExit):
            ManagementUtility(["manage.py", *arguments]).execute()
        return written.getvalue().decode(request.param)

    with override("fa"):
        yield run_one


@pytest.mark.parametrize("name", sorted(CALLS))
def test_command_says_it_in_what_there_is(run, name):
    MessageFactory(status=Status.UNCERTAIN, detail="نامعلوم")
    services.pause_account("default", reason="اعتبار تمام شد")
    if name == "send_sms":
        services.resume_account("default")
    assert run(name, *CALLS[name])


# The command lets go of its connection: in a transaction nothing would be left to ask.
@pytest.mark.django_db(transaction=True)
def test_message_that_was_sent_is_told(run):
    assert "\\u0" in run("send_sms", "09395213300", "سلام")
    assert Message.objects.get().status == Status.ACCEPTED


@pytest.mark.parametrize("name", NAMES)
def test_help_is_shown(run, name):
    assert name in run(name, "--help")


def test_given_stream_is_not_failed_on_either():
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding="ascii", write_through=True)
    with override("fa"):
        call_command("send_sms", "09395213300", "سلام", stdout=stream)
    assert written.getvalue()


def test_chosen_handling_of_errors_stays(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace")
    monkeypatch.setattr(sys, "stdout", stream)
    SmsCommand()
    assert stream.errors == "replace"


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_one_of_these(name):
    module = importlib.import_module(f"{commands.__name__}.{name}")
    assert issubclass(module.Command, SmsCommand)


class TestConsoleGateway:
    def send(self) -> object:
        request = SendRequest(
            mobile="+989395213300",
            text="سلام 😀",
            line="9830003300",
        )
        return ConsoleGateway(conf.get_account()).send(request)

    @pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
    def test_prints_what_the_terminal_can_show(self, monkeypatch, encoding):
        written = io.BytesIO()
        stream = io.TextIOWrapper(written, encoding=encoding)
        monkeypatch.setattr(sys, "stdout", stream)
        assert self.send()
        shown = "سلام 😀" if encoding == "utf-8" else "\\u0633\\u0644"
        assert shown in written.getvalue().decode(encoding)

    def test_needs_no_terminal(self, monkeypatch):
        monkeypatch.setattr(sys, "stdout", None)
        assert self.send()
