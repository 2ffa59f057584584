"""In Django's test environment, set up here as in any run, nothing else is reached."""

from __future__ import annotations

import subprocess
import sys

import pytest

from negin_sms import services
from negin_sms.conf import Account
from negin_sms.exceptions import Effect, NotSent
from negin_sms.gateway import loopback_only, reachability
from negin_sms.gateway.client import NeginGateway
from negin_sms.gateway.wire import SendRequest
from negin_sms.models import AccountState
from tests.badgateway import BadGateway

FAR = "http://192.0.2.1:9/api"  # an address that nobody has
REQUEST = SendRequest(mobile="+989395213300", text="x", line="98")


def gateway(url: str) -> NeginGateway:
    return NeginGateway(
        Account(alias="default", base_url=url, connect_timeout=0.2, deadline=1)
    )


@pytest.mark.parametrize("url", [FAR, "https://sms.3300.ir/api", "http://gw.test/api"])
def test_other_hosts_are_refused(url: str):
    with pytest.raises(NotSent, match="test run") as caught:
        gateway(url).send(REQUEST)
    assert caught.value.effect is Effect.IGNORED
    assert "SmsTestMixin" in str(caught.value)


def test_states_are_not_asked_either():
    with pytest.raises(NotSent, match="test run"):
        gateway(FAR).states(["5001"])


def test_this_machine_is_reached():
    with BadGateway() as server:
        assert gateway(server.url).send(REQUEST).gateway_id
        local = server.url.replace("127.0.0.1", "localhost")
        assert gateway(local).send(REQUEST).gateway_id


def test_refusal_can_be_lifted_by_those_who_really_send():
    with loopback_only.lifted(), pytest.raises(NotSent, match="cannot be reached"):
        gateway(FAR).send(REQUEST)
    with pytest.raises(NotSent, match="test run"):
        gateway(FAR).send(REQUEST)


def test_look_connects_to_nobody_else():
    way = reachability.look(Account(alias="default", base_url=FAR))
    assert (way.failed, way.cause) == (
        reachability.Step.CONNECTION,
        "test run: only this machine is reached",
    )


@pytest.mark.django_db
@pytest.mark.sms_live
def test_marker_of_the_kit_lifts_it(use_account):
    use_account(FAR, CONNECT_TIMEOUT=0.2)
    with pytest.raises(NotSent, match="cannot be reached"):
        services.send_sms("09395213300", "x")


@pytest.mark.django_db
def test_refused_message_waits_and_the_account_is_not_blamed(settings):
    with pytest.raises(NotSent, match="test run") as caught:
        send_through(settings, FAR)
    assert caught.value.message.status == "queued"
    assert AccountState.objects.get().failures == 0


def send_through(settings, url: str) -> object:
    settings.NEGIN_SMS = {
        "default": {
            "BACKEND": "tests.gateway.test_loopback_only.Own",
            "USERNAME": "u",
            "PASSWORD": "p",
            "LINE": "98",
            "BASE_URL": url,
        }
    }
    return services.send_sms("09395213300", "x")


class Own(NeginGateway):
    """The real client by another name, which the kit leaves alone."""


OUTSIDE = """
import django
from django.conf import settings
settings.configure(NEGIN_SMS={})
django.setup()
from negin_sms.gateway import loopback_only
before = loopback_only.is_on()
from django.test.utils import setup_test_environment, teardown_test_environment
setup_test_environment()
inside = loopback_only.is_on()
teardown_test_environment()
print(before, inside, loopback_only.is_on())
"""


def test_only_while_the_test_environment_is_set_up():
    done = subprocess.run(
        [sys.executable, "-c", OUTSIDE], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True", "False"]
