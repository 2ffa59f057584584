"""django-two-factor-auth: set a phone up and log in with the tokens that arrive."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth import get_user_model
from django.contrib.messages import get_messages
from django.urls import reverse

from negin_sms.exceptions import InvalidConfiguration
from negin_sms.models import Message
from tests.contrib import require
from tests.pages import read

require("two_factor", "two-factor")

from two_factor.plugins.phonenumber.models import PhoneDevice  # noqa: E402

from negin_sms.contrib.two_factor import SMSGateway  # noqa: E402

FAILURE = "The code could not be sent. Ask for a new one in a few minutes."
NOBODY_LISTENS = "http://127.0.0.1:9/api"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user():
    return get_user_model().objects.create_user("maryam", password="secret")


@pytest.fixture
def device(user):
    return PhoneDevice.objects.create(
        user=user, name="default", method="sms", number="+989395213300"
    )


def step(client, url_name: str, current: str, **data: str):
    prefix = {"setup": "setup_view", "login": "login_view"}[url_name]
    fields = {f"{current}-{key}": value for key, value in data.items()}
    fields[f"{prefix}-current_step"] = current
    return client.post(reverse(f"two_factor:{url_name}"), fields)


def set_up_until_the_token(client, user, number="09395213300"):
    client.force_login(user)
    step(client, "setup", "welcome")
    step(client, "setup", "method", method="sms")
    return step(client, "setup", "sms", number=number)


def log_in_until_the_token(client):
    return step(client, "login", "auth", username="maryam", password="secret")


def test_set_up_then_log_in_with_the_tokens_that_arrive(client, user, last_code):
    set_up_until_the_token(client, user)
    step(client, "setup", "validation", token=last_code())
    assert PhoneDevice.objects.get().number.as_e164 == "+989395213300"

    client.logout()
    log_in_until_the_token(client)
    assert "_auth_user_id" not in client.session
    step(client, "login", "token", otp_token=last_code())
    assert client.session["_auth_user_id"] == str(user.pk)
    assert client.get("/home/").content == b"True"


def test_message_is_marked_as_what_it_is(client, device, live):
    log_in_until_the_token(client)
    row = Message.objects.get()
    assert (row.source, row.sensitive, row.priority) == ("two-factor", True, 0)
    assert (row.expires_at - row.due_at).total_seconds() == 120


def test_failure_during_set_up_is_explained(client, user, use_account):
    use_account(NOBODY_LISTENS)
    page = set_up_until_the_token(client, user)
    assert page.status_code == 200
    assert "encountered an issue" in page.content.decode()


def test_failure_at_login_is_told_beside_the_form_for_backup_tokens(
    client, device, use_account
):
    use_account(NOBODY_LISTENS)
    page = log_in_until_the_token(client)
    assert page.status_code == 200
    assert page.context["wizard"]["steps"].current == "token"
    told = [str(message) for message in get_messages(page.wsgi_request)]
    assert told == [FAILURE]


def test_failure_at_login_is_shown_by_a_template_as_the_guide_has_it(
    client, device, use_account, settings, tmp_path
):
    use_account(NOBODY_LISTENS)
    assert FAILURE not in log_in_until_the_token(client).content.decode()
    (loop,) = re.findall(r"``({% for message .*? %})``", read("howto/codes"))
    (tmp_path / "two_factor").mkdir()
    (tmp_path / "two_factor" / "_base.html").write_text(
        f"{loop}{{{{ message }}}}{{% endfor %}}{{% block content_wrapper %}}"
        "{% block content %}{% endblock %}{% endblock %}"
    )
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    assert FAILURE in log_in_until_the_token(client).content.decode()


def test_failure_while_a_backup_phone_is_set_up_breaks_no_page(
    client, user, use_account
):
    use_account(NOBODY_LISTENS)
    spare = PhoneDevice(user=user, method="sms", number="+989395213300")
    spare.generate_challenge()
    assert Message.objects.get().status == "cancelled"


def test_subclass_may_say_it_otherwise(device, live):
    class ClubGateway(SMSGateway):
        sms_fields = {"source": "club", "expires_in": 60}

        def get_text(self, token):
            return f"Club: {token}"

    ClubGateway().send_sms(device, "123456")
    row = Message.objects.get()
    assert (row.text, row.source) == ("Club: 123456", "club")


def test_voice_calls_are_refused(device):
    with pytest.raises(InvalidConfiguration, match="no voice calls"):
        SMSGateway().make_call(device, "123456")
