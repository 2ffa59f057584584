import pytest

from negin_sms.services import dispatch_queue, refresh_states, send_sms
from tests.sample.shop import announce, arrived

pytestmark = pytest.mark.django_db


def test_sign_up_sends_the_code(client, sms_outbox):
    client.post("/sign-up/", {"mobile": "0939 521 3300"})
    (sms,) = sms_outbox
    assert sms.mobile == "+989395213300"
    assert client.session["code"] in sms.text


def test_news_reach_all_but_the_one_who_opted_out(sms_outbox):
    sms_outbox.refuse(27, to="09395213301")
    rows = announce(["09395213300", "09395213301", "09395213302"], "We have moved.")
    report = dispatch_queue()
    assert (report.accepted, report.rejected) == (2, 1)
    assert {sms.mobile[-1] for sms in sms_outbox} == {"0", "2"}
    rows[1].refresh_from_db()
    assert (rows[1].status, rows[1].code) == ("rejected", 27)


def test_arrival_is_noted_once_the_handset_has_it(sms_sandbox):
    sms_sandbox.report(8, 1, to="09395213300")
    message = send_sms("09395213300", "On its way.")
    refresh_states([message])
    assert arrived == []
    refresh_states([message])
    assert arrived == ["+989395213300"]
