from __future__ import annotations

import threading

import pytest

from negin_sms import conf, services
from negin_sms.exceptions import InvalidConfiguration
from negin_sms.gateway import memory
from negin_sms.models import AccountState, Message
from negin_sms.services.outbox import gateway_binding
from tests.factories import MOBILE, MessageFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def elsewhere(live, use_account):
    """Bind the account to the sandbox; then be a program with another address."""
    services.dispatch_queue()
    gateway_binding._agreed_until.clear()
    use_account(BASE_URL="http://localhost:9/api")


def test_another_host_is_refused_and_both_are_named(elsewhere):
    MessageFactory()
    with pytest.raises(InvalidConfiguration) as caught:
        services.dispatch_queue()
    words = str(caught.value)
    assert "127.0.0.1" in words
    assert "localhost" in words
    assert "manage.py adopt_sms_account default" in words
    assert Message.objects.get().status == "queued"


def test_what_a_person_sends_now_is_refused_too(elsewhere):
    message = MessageFactory()
    with pytest.raises(InvalidConfiguration):
        services.send_messages([message])


def test_new_messages_are_refused_too(elsewhere):
    """Their ids would be asked of the other gateway, which has others under them."""
    with pytest.raises(InvalidConfiguration, match="localhost"):
        services.send_sms(MOBILE, "x")
    assert not Message.objects.exists()


def test_dispatcher_that_runs_keeps_off_when_another_adopts(
    live, use_account, monkeypatch
):
    MessageFactory()
    monkeypatch.setattr(gateway_binding, "_MINUTE", 0.0)

    def adopted(_ended: int) -> None:
        AccountState.objects.update(gateway="sms.example.com 0")

    with pytest.raises(InvalidConfiguration, match=r"sms\.example\.com"):
        services.dispatch_queue(forever=True, interval=0.01, progress=adopted)
    assert Message.objects.get().status == "accepted"


def test_states_are_not_asked_of_another_host(elsewhere):
    MessageFactory(accepted=True)
    with pytest.raises(InvalidConfiguration):
        services.poll_states()


def test_poller_that_runs_keeps_off_when_another_adopts(live, monkeypatch):
    """The other gateway has other messages under these ids, or none."""
    monkeypatch.setattr(gateway_binding, "_MINUTE", 0.0)
    MessageFactory(accepted=True)
    stop = threading.Event()
    looks = []

    def adopted(*_told: object) -> None:
        looks.append(1)
        AccountState.objects.update(gateway="sms.example.com 0")
        MessageFactory(accepted=True)
        if len(looks) > 3:
            stop.set()

    with pytest.raises(InvalidConfiguration, match=r"sms\.example\.com"):
        services.poll_states(forever=True, interval=0.01, progress=adopted, stop=stop)
    assert len(looks) == 1


def test_states_are_not_asked_by_hand_of_another_host(elsewhere):
    row = MessageFactory(accepted=True)
    with pytest.raises(InvalidConfiguration):
        services.refresh_states([row])


def test_another_username_is_another_account(live, use_account):
    services.dispatch_queue()
    use_account(live.url, USERNAME="somebody")
    with pytest.raises(InvalidConfiguration, match="another USERNAME"):
        services.dispatch_queue()
    assert "somebody" not in AccountState.objects.get().gateway


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://127.0.0.1/other/api"])
def test_another_port_or_path_is_the_same_gateway(live, use_account, url):
    services.dispatch_queue()
    use_account(BASE_URL=url)
    services.dispatch_queue()


def test_a_backend_without_an_address_is_known_by_its_name(live, settings):
    """A copy of the site with the memory gateway: it would take the queue away."""
    services.dispatch_queue()
    MessageFactory()
    backend = "negin_sms.gateway.memory.MemoryGateway"
    settings.NEGIN_SMS = {"default": {"BACKEND": backend}}
    with pytest.raises(InvalidConfiguration, match="MemoryGateway"):
        services.dispatch_queue()
    assert list(memory.outbox) == []


def test_adopting_says_from_where_to_where(elsewhere, live, use_account, capsys):
    from django.core.management import call_command

    use_account(BASE_URL=live.url.replace("127.0.0.1", "localhost"))
    call_command("adopt_sms_account", "default")
    assert capsys.readouterr().out == (
        "Account 'default' sends to localhost (before: 127.0.0.1).\n"
    )
    MessageFactory()
    assert services.dispatch_queue().accepted == 1


def test_refusal_in_a_test_says_what_a_test_can_do(elsewhere, use_account, live):
    use_account(BASE_URL=live.url, USERNAME="another")
    with pytest.raises(
        InvalidConfiguration, match=r"In a test: services\.adopt_account"
    ):
        services.dispatch_queue()


def test_new_username_is_told_by_adopting(elsewhere, live, use_account, capsys):
    from django.core.management import call_command

    use_account(BASE_URL=live.url, USERNAME="another")
    call_command("adopt_sms_account", "default")
    assert "(before: 127.0.0.1, maybe with another USERNAME)" in capsys.readouterr().out


def test_settings_that_cannot_send_are_not_adopted(elsewhere, use_account):
    use_account(BACKEND="negin_sms.gateway.client.Nope")
    with pytest.raises(InvalidConfiguration, match="names no gateway"):
        services.adopt_account("default")


def test_an_account_that_is_not_configured_cannot_be_adopted():
    with pytest.raises(InvalidConfiguration, match="no SMS account 'bulk'"):
        services.adopt_account("bulk")


def test_accounts_are_told_apart(live, settings):
    services.dispatch_queue()
    settings.NEGIN_SMS = {
        **settings.NEGIN_SMS,
        "bulk": {**settings.NEGIN_SMS["default"], "USERNAME": "bulk"},
    }
    services.dispatch_queue()
    kept = dict(AccountState.objects.values_list("account", "gateway"))
    assert kept["default"] == gateway_binding.gateway_of(conf.get_account())
    assert kept["bulk"] != kept["default"]
