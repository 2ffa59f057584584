"""The development gateway: it prints what would be sent."""

from __future__ import annotations

import io
import sys

from negin_sms.gateway import get_gateway
from negin_sms.gateway.wire import SendRequest

PATH = "negin_sms.gateway.console.ConsoleGateway"
REQUEST = SendRequest(mobile="+989395213300", text="سلام", line="9830003300")


def test_console_prints_what_would_be_sent(settings, capsys):
    path = "negin_sms.gateway.console.ConsoleGateway"
    settings.NEGIN_SMS = {"default": {"BACKEND": path}}
    get_gateway().send(REQUEST)
    printed = capsys.readouterr().out
    assert "mobile: 989395213300" in printed
    assert "message: سلام" in printed


def test_terminal_that_knows_no_persian_gets_escapes(settings, monkeypatch):
    settings.NEGIN_SMS = {"default": {"BACKEND": PATH}}
    plain = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", plain)
    assert get_gateway().send(REQUEST).gateway_id
    plain.seek(0)
    assert "\\u0633" in plain.read()
