"""The sandbox over HTTP: forms, paths and sizes that it does not know."""

from __future__ import annotations

import http.client
import json
import socket
import struct

import pytest

from negin_sms.gateway.sandbox import Sandbox
from tests.badgateway import wait_until

FORM = "username=u&password=p&mobile=989000000001&message=x&line=1"


@pytest.fixture
def running():
    with Sandbox() as sandbox:
        yield sandbox


def post(sandbox: Sandbox, path: str, body: str = FORM) -> tuple[int, bytes]:
    talk = http.client.HTTPConnection("127.0.0.1", sandbox._server.server_port)
    try:
        talk.request("POST", path, body)
        answer = talk.getresponse()
        return answer.status, answer.read()
    finally:
        talk.close()


def test_form_is_answered_in_json(running: Sandbox):
    status, body = post(running, "/api/wsSend.ashx")
    assert (status, json.loads(body)["status"]) == (200, -1)


def test_taken_message_tells_what_a_test_asks(running: Sandbox):
    post(running, "/api/wsSend.ashx")
    (taken,) = running.taken
    assert (taken.mobile, taken.text, taken.line) == ("+989000000001", "x", "1")


def test_other_paths_are_not_there(running: Sandbox):
    assert post(running, "/api/other")[0] == 404


def test_huge_form_is_refused(running: Sandbox):
    talk = http.client.HTTPConnection("127.0.0.1", running._server.server_port)
    talk.putrequest("POST", "/api/wsSend.ashx")
    talk.putheader("Content-Length", str(10**9))
    talk.endheaders()
    assert talk.getresponse().status == 413
    talk.close()


def test_message_that_gets_no_answer_has_its_connection_cut(running: Sandbox):
    with pytest.raises(http.client.RemoteDisconnected):
        post(running, "/api/wsSend.ashx", FORM.replace("0001&", "0010&"))
    assert len(running.taken) == 1


def test_stopping_cuts_what_is_open():
    sandbox = Sandbox().start()
    talk = http.client.HTTPConnection("127.0.0.1", sandbox._server.server_port)
    talk.request("POST", "/api/wsSend.ashx", FORM)
    talk.getresponse().read()
    sandbox.stop()
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        talk.request("POST", "/api/wsSend.ashx", FORM)
        talk.getresponse()
    talk.close()


def test_client_that_is_killed_leaves_no_traceback(running: Sandbox, capfd):
    server = running._server
    talk = socket.create_connection(("127.0.0.1", server.server_port))
    talk.sendall(b"POST /api/wsSend.ashx HTTP/1.1\r\nContent-Length: 9\r\n\r\nuser")
    wait_until(lambda: bool(server._open))
    at_once = struct.pack("ii", 1, 0)
    talk.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    talk.close()
    wait_until(lambda: not server._open)
    assert capfd.readouterr().err == ""
