"""django-otp: a device is added, its code arrives, and its user logs in with it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.admin import site
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.checks import run_checks
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.urls import reverse
from django.utils import timezone

from negin_sms.contrib.codes import CodeNotSent
from negin_sms.exceptions import InvalidMessage, Vetoed
from negin_sms.models import Message
from negin_sms.signals import pre_send
from tests.contrib import require
from tests.guarantees.test_error_reports import gone, reports
from tests.oracles import orders, tellers

require("django_otp", "otp")

from negin_sms.contrib.otp.models import SMSDevice  # noqa: E402

E164 = "+989395213300"
FAILURE = "The code could not be sent. Ask for a new one in a few minutes."
NOBODY_LISTENS = "http://127.0.0.1:9/api"
HOUR = timedelta(hours=1)

pytestmark = pytest.mark.django_db(transaction=True)


def create_user():
    users = get_user_model().objects
    return users.create_user("maryam", password="secret", is_staff=True)


@pytest.fixture
def user():
    return create_user()


@pytest.fixture
def device(user):
    return SMSDevice.objects.create(user=user, name="phone", mobile="09395213300")


def log_in(client, device, **fields: str):
    password = {"username": "maryam", "password": "secret"}
    chosen = {"otp_device": device.persistent_id}
    # The admin's login page of django-otp, which wants a password and a code.
    return client.post("/otp/login/", {**password, **chosen, **fields})


def errors(response) -> str:
    return str(response.context["form"].non_field_errors())


def test_added_in_the_admin_then_log_in_with_the_code(client, admin_client, last_code):
    user = create_user()
    page = reverse("admin:negin_sms_otp_smsdevice_add")
    form = {"user": user.pk, "name": "phone", "mobile": "+۹۸ (۹۳۹) ۵۲۱ ۳۳ ۰۰"}
    admin_client.post(page, {**form, "confirmed": "on"})
    device = SMSDevice.objects.get()
    assert device.mobile == E164

    assert "on its way by SMS" in errors(log_in(client, device, otp_challenge="1"))
    assert log_in(client, device, otp_token=last_code()).status_code == 302
    assert client.get("/home/").content == b"True"


def test_message_is_marked_as_what_it_is(device, live, settings):
    settings.OTP_SMS_FIELDS = {"group": "staff"}
    device.generate_challenge()
    row = Message.objects.get()
    assert (row.source, row.group, row.sensitive) == ("otp", "staff", True)
    assert (row.priority, row.expires_at - row.due_at) == (0, timedelta(seconds=120))


def test_message_does_not_outlive_its_code(device, live, settings):
    settings.OTP_SMS_TOKEN_VALIDITY = 30
    device.generate_challenge()
    row = Message.objects.get()
    assert row.expires_at - row.due_at == timedelta(seconds=30)


def test_code_works_once_and_in_persian_digits(device, last_code):
    device.generate_challenge()
    persian = last_code().translate(str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹"))
    assert device.verify_token(f" {persian} ")
    assert not device.verify_token(last_code())


def test_wrong_codes_have_to_wait(device, last_code):
    device.generate_challenge()
    assert not device.verify_token("wrong")
    assert not device.verify_token(last_code())
    SMSDevice.objects.update(throttling_failure_timestamp=timezone.now() - HOUR)
    device.refresh_from_db()
    assert device.verify_token(last_code())
    assert device.throttling_failure_count == 0


def test_code_is_no_good_after_its_time(device, last_code):
    device.generate_challenge()
    SMSDevice.objects.update(valid_until=timezone.now())
    device.refresh_from_db()
    assert not device.verify_token(last_code())


def test_second_code_has_to_wait(device, texts):
    device.generate_challenge()
    assert "wait before" in device.generate_challenge()
    assert len(texts()) == 1


def test_failure_is_said_and_starts_no_cooldown(device, use_account, live):
    use_account(NOBODY_LISTENS)
    with pytest.raises(CodeNotSent, match="could not be sent"):
        device.generate_challenge()
    device.refresh_from_db()
    assert device.generate_is_allowed() == (True, None)


def test_wrong_setting_is_said_and_starts_no_cooldown(device, live, settings):
    settings.OTP_SMS_FIELDS = {"sender": "clinic"}
    for _again in range(2):
        with pytest.raises(InvalidMessage, match="sender"):
            device.generate_challenge()
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("OTP_SMS_TOKEN_VALIDITY", "300", "must be a number, at least 1, not '300'"),
        ("OTP_SMS_TOKEN_VALIDITY", 0, "at least 1"),
        ("OTP_SMS_COOLDOWN_DURATION", None, "at least 0"),
        ("OTP_SMS_COOLDOWN_DURATION", True, "at least 0"),
        ("OTP_SMS_THROTTLE_FACTOR", float("nan"), "at least 0"),
        ("OTP_SMS_FIELDS", ["group"], "must be a dictionary"),
        ("OTP_SMS_FIELDS", {"sender": "clinic"}, "cannot have sender, only: account"),
        ("OTP_SMS_FIELDS", {"idempotency_key": "k"}, "cannot have idempotency_key"),
        ("OTP_SMS_FIELDS", {"account": "nope"}, "There is no SMS account 'nope'"),
        ("OTP_SMS_FIELDS", {"scenario": "x"}, "scenario: "),
        ("OTP_SMS_FIELDS", {"footer": True}, "footer: "),
        ("OTP_SMS_FIELDS", {"expires_in": 0}, "expires_in: "),
    ],
)
def test_setting_that_cannot_be_used_is_found_by_check(settings, name, value, told):
    setattr(settings, name, value)
    (error,) = run_checks(tags=["negin_sms_otp"])
    assert error.id == "negin_sms_otp.E001"
    assert error.msg.startswith(name)
    assert told in error.msg


def test_settings_that_can_be_used_are_passed_by_check(settings):
    assert run_checks(tags=["negin_sms_otp"]) == []
    settings.OTP_SMS_FIELDS = {"line": "9830003300", "group": "staff", "expires_in": 60}
    settings.OTP_SMS_COOLDOWN_DURATION = 0
    settings.OTP_SMS_THROTTLE_FACTOR = 0.5
    assert run_checks(tags=["negin_sms_otp"]) == []


def test_failure_forgets_no_wrong_code(device, live):
    """One that was typed in while the gateway was asked."""

    def guess(**_kwargs):
        assert not SMSDevice.objects.get().verify_token("000000")
        raise Vetoed("no")

    pre_send.connect(guess)
    try:
        with pytest.raises(CodeNotSent):
            device.generate_challenge()
    finally:
        pre_send.disconnect(guess)
    device.refresh_from_db()
    assert device.throttling_failure_count == 1
    assert device.generate_is_allowed() == (True, None)


def test_failure_after_the_commit_starts_no_cooldown(device, use_account):
    use_account(NOBODY_LISTENS)
    with transaction.atomic():
        device.generate_challenge()
        assert not device.generate_is_allowed()[0]
    assert device.generate_is_allowed()[0]
    device.refresh_from_db()
    assert device.generate_is_allowed()[0]


def test_form_shows_the_sentence_and_no_reason(client, device, live):
    SMSDevice.objects.update(mobile="+982122345678")
    shown = errors(log_in(client, device, otp_challenge="1"))
    assert FAILURE in shown


def test_number_that_is_none_is_not_saved(user):
    with pytest.raises(ValidationError, match="not a mobile"):
        SMSDevice(user=user, name="phone", mobile="02122345678").full_clean()
    with pytest.raises(InvalidMessage):
        SMSDevice.objects.create(user=user, name="phone", mobile="nonsense")


@pytest.mark.parametrize("names", [None, ["user"], ["user_id", "mobile"]])
def test_code_ends_when_the_device_is_given_to_another_user(device, last_code, names):
    device.generate_challenge()
    device.user = get_user_model().objects.create_user("ali")
    device.save(update_fields=names)
    assert not SMSDevice.objects.get().verify_token(last_code())


@pytest.mark.parametrize("field", ["user", "mobile"])
def test_clerk_who_moves_a_device_does_not_move_its_code(
    client, device, last_code, field
):
    other = get_user_model().objects.create_user("ali")
    staff(client, "change_smsdevice", "view_smsdevice", "view_sensitive_message")
    device.generate_challenge()
    url = reverse("admin:negin_sms_otp_smsdevice_change", args=[device.pk])
    same = {"user": device.user_id, "name": "phone", "mobile": E164, "confirmed": "on"}
    moved = {"user": other.pk, "mobile": "09390000000"}
    client.post(url, same | {field: moved[field]})
    fresh = SMSDevice.objects.get()
    assert (fresh.user_id, fresh.mobile) != (device.user_id, device.mobile)
    assert not fresh.verify_token(last_code())


def test_code_stays_where_only_the_name_or_the_spelling_changes(device, last_code):
    SMSDevice.objects.update(mobile="09395213300")  # as an import wrote it
    device.generate_challenge()
    device.name = "old phone"
    device.save()
    assert SMSDevice.objects.get().verify_token(last_code())


def staff(client, *rights: str):
    member = get_user_model().objects.create_user("clerk", is_staff=True)
    member.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(member)
    return member


@pytest.mark.parametrize("page", ["changelist", "change", "delete"])
def test_number_is_shown_to_those_who_may_see_numbers(client, device, page):
    rights = ("view_smsdevice", "change_smsdevice", "delete_smsdevice")
    staff(client, *rights)
    keys = [] if page == "changelist" else [device.pk]
    url = reverse(f"admin:negin_sms_otp_smsdevice_{page}", args=keys)
    assert "9395213300" not in client.get(url).content.decode()


def test_clerk_with_the_right_sees_and_changes_the_number(client, device):
    staff(client, "change_smsdevice", "view_smsdevice", "view_sensitive_message")
    url = reverse("admin:negin_sms_otp_smsdevice_change", args=[device.pk])
    assert f'value="{E164}"' in client.get(url).content.decode()


def test_clerk_without_the_right_can_still_turn_a_device_off(client, device):
    staff(client, "change_smsdevice", "view_smsdevice")
    url = reverse("admin:negin_sms_otp_smsdevice_change", args=[device.pk])
    page = client.get(url).content.decode()
    assert "0939•••3300" in page
    client.post(url, {"user": device.user_id, "name": "old", "mobile": "09395213301"})
    device.refresh_from_db()
    assert (device.name, device.confirmed, device.mobile) == ("old", False, E164)


def test_mail_has_no_number_when_the_user_cannot_be_read(admin_client, user):
    page = reverse("admin:negin_sms_otp_smsdevice_add")
    admin_client.raise_request_exception = False
    with reports() as said, gone("django_session"):
        admin_client.post(page, {"user": user.pk, "name": "phone", "mobile": E164})
    assert len(said) == 1
    assert E164 not in said[0]


def test_admin_finds_devices_by_user_and_shows_no_code(admin_client, device, live):
    device.generate_challenge()
    url = reverse("admin:negin_sms_otp_smsdevice_changelist")
    assert "0939•••3300" in admin_client.get(url, {"q": "mary"}).content.decode()
    assert "0939•••3300" not in admin_client.get(url, {"q": "ali"}).content.decode()
    change = reverse("admin:negin_sms_otp_smsdevice_change", args=[device.pk])
    assert device.token not in admin_client.get(change).content.decode()


@pytest.mark.parametrize("rights", [["view_smsdevice"], ["view_sensitive_message"]])
def test_address_of_the_list_asks_no_code_and_no_number(client, device, live, rights):
    """``?token__startswith=2`` and every other look-up of every column."""
    device.generate_challenge()
    asks = staff(client, "view_smsdevice", *rights)
    other = {"user": asks, "name": "other", "mobile": "09000000001"}
    SMSDevice.objects.create(**other, confirmed=False)
    admin = site._registry[SMSDevice]
    assert tellers(admin, asks) == {"confirmed"}
    assert orders(admin, asks) <= {"user", "name", "confirmed"}


def at_once(count: int, attempt) -> list[bool]:
    """Let so many requests, each with its own copy of the device, go at one moment."""
    barrier = threading.Barrier(count)

    def one(number: int) -> bool:
        device = SMSDevice.objects.get()
        barrier.wait(10)
        try:
            return bool(attempt(device, number))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="threads share one connection in memory"
)
class TestAtOnce:
    def test_wrong_codes_are_throttled_as_one_after_the_other(self, device, live):
        device.generate_challenge()
        at_once(8, lambda each, number: each.verify_token(f"00000{number}"))
        device.refresh_from_db()
        assert device.throttling_failure_count == 1

    def test_code_lets_in_once(self, device, live):
        device.generate_challenge()
        code = device.token
        assert sum(at_once(8, lambda each, _number: each.verify_token(code))) == 1

    def test_one_message_is_sent(self, device, live):
        at_once(8, lambda each, _number: bool(each.generate_challenge()))
        assert Message.objects.count() == 1


def test_attempt_sees_what_another_copy_has_seen(device, live):
    """As requests do that have read the device at one moment."""
    device.generate_challenge()
    other = SMSDevice.objects.get()
    assert not device.verify_token("000000")
    assert not other.verify_token(device.token)


def test_code_that_ended_is_removed(device, live, capsys):
    device.generate_challenge()
    SMSDevice.objects.update(valid_until=timezone.now())
    call_command("clear_sms_codes")
    assert capsys.readouterr().out == "1 code(s) removed\n"
    device.refresh_from_db()
    assert device.token is None
    call_command("clear_sms_codes", verbosity=0)
    assert capsys.readouterr().out == ""


def test_code_that_ended_is_removed_by_the_attempt_to_use_it(device, live):
    device.generate_challenge()
    SMSDevice.objects.update(valid_until=timezone.now())
    assert not device.verify_token(device.token)
    device.refresh_from_db()
    assert device.token is None
