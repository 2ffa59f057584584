from __future__ import annotations

import dataclasses
import pickle
import traceback
from datetime import time, timedelta
from pathlib import Path
from types import MappingProxyType

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from negin_sms import conf
from negin_sms.conf.prices import price_of
from negin_sms.conf.thresholds import THRESHOLDS
from negin_sms.exceptions import InvalidConfiguration

# What is read are accounts as they are written.
pytestmark = pytest.mark.sms_live

USER, SECRET = "canary-user", "canary-password"
LOGIN = {"USERNAME": USER, "PASSWORD": SECRET}
HOUR = 3600


@pytest.fixture
def read(settings):
    """Return what NEGIN_SMS's default account becomes with these keys."""

    def read_account(**keys):
        settings.NEGIN_SMS = {"default": LOGIN | keys}
        return conf.get_account()

    return read_account


@pytest.fixture
def complain(read):
    """Return the text with which an account of these keys is refused."""

    def read_text(**keys):
        with pytest.raises(InvalidConfiguration) as caught:
            read(**keys)
        return str(caught.value)

    return read_text


def test_defaults_are_those_of_the_design(read):
    account = dataclasses.asdict(read())
    assert account == {
        "alias": "default",
        "backend": "negin_sms.gateway.client.NeginGateway",
        "username": USER,
        "password": SECRET,
        "line": "",
        "line2": "",
        "base_url": "https://sms.3300.ir/api",
        "ca_file": None,
        "trust_env": False,
        "connect_timeout": 5,
        "read_timeout": 20,
        "deadline": 30,
        "keep_alive": 5,
        "workers": 4,
        "rate": None,
        "lease": 180,
        "result_retry": 60,
        "state_dir": None,
        "expires_in": 24 * HOUR,
        "max_parts": 10,
        "states_batch_size": 100,
        "poll_schedule": (
            *(10, 30, 60, 120, 300, 900),
            *(HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 23 * HOUR),
        ),
        "redact_after": 24 * HOUR,
        "dispatch": True,
        "only_to": None,
        "waker": None,
        "mobile_caps": (),
        "account_caps": (),
        "quiet_hours": None,
        "opt_outs": True,
        "opt_out_days": 30,
        "footer": "",
        "prices": (),
        "service_texts": (),
        "thresholds": tuple(THRESHOLDS.items()),
    }


@pytest.mark.parametrize(
    ("key", "given", "read_as"),
    [
        ("LINE", 9830003300, "9830003300"),
        ("LINE2", "9830003301", "9830003301"),
        ("BASE_URL", "https://sms.3300.ir/api/", "https://sms.3300.ir/api"),
        ("BASE_URL", "HTTPS://sms.3300.ir/api", "https://sms.3300.ir/api"),
        ("BASE_URL", "http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("BASE_URL", "http://[::1]:8000/api", "http://[::1]:8000/api"),
        ("CA_FILE", Path("/etc/ca.pem"), "/etc/ca.pem"),
        ("TRUST_ENV", True, True),
        ("CONNECT_TIMEOUT", timedelta(seconds=2), 2.0),
        ("READ_TIMEOUT", 1.5, 1.5),
        ("DEADLINE", timedelta(minutes=0.25), 15.0),
        ("KEEP_ALIVE", 0, 0.0),
        ("WORKERS", 16, 16),
        ("RATE", 2, 2.0),
        ("LEASE", timedelta(hours=1), 3600.0),
        ("RESULT_RETRY", timedelta(0), 0.0),
        ("STATE_DIR", Path("/var/lib/shop"), "/var/lib/shop"),
        ("STATE_DIR", "", ""),
        ("EXPIRES_IN", timedelta(days=2), 172800.0),
        ("POLL_SCHEDULE", [1, timedelta(minutes=1)], (1.0, 60.0)),
        ("DISPATCH", False, False),
        ("ONLY_TO", ["09395213300"], frozenset({"09395213300"})),
        ("WAKER", "shop.tasks.wake", "shop.tasks.wake"),
    ],
)
def test_value_is_read(read, key, given, read_as):
    value = getattr(read(**{key: given}), key.lower())
    assert (value, type(value)) == (read_as, type(read_as))


@pytest.mark.parametrize(
    ("key", "wrong", "wanted"),
    [
        ("BACKEND", None, "text"),
        ("USERNAME", None, "text"),
        ("PASSWORD", 1234, "text"),
        ("LINE", "98-3000", "up to 20 digits"),
        ("LINE", True, "text"),
        ("LINE2", "9" * 21, "up to 20 digits"),
        ("LINE", -5, "up to 20 digits"),
        ("LINE", "+9830003300", "up to 20 digits"),
        ("LINE2", "۹۸۳۰", "up to 20 digits"),
        ("BASE_URL", None, "text"),
        ("CA_FILE", True, "text"),
        ("TRUST_ENV", 1, "True or False"),
        ("CONNECT_TIMEOUT", "5", "a number of seconds"),
        ("CONNECT_TIMEOUT", 0, "a number of seconds above 0"),
        ("READ_TIMEOUT", -1, "a number of seconds"),
        ("READ_TIMEOUT", None, "a number of seconds"),
        ("DEADLINE", float("inf"), "a number of seconds"),
        ("DEADLINE", True, "a number of seconds"),
        ("KEEP_ALIVE", timedelta(seconds=-1), "a number of seconds"),
        ("WORKERS", 0, "a whole number from 1"),
        ("WORKERS", 2.0, "a whole number from 1"),
        ("WORKERS", True, "a whole number from 1"),
        ("RATE", 0, "messages per second above 0, or None"),
        ("RATE", float("nan"), "messages per second above 0, or None"),
        ("LEASE", float("nan"), "a number of seconds"),
        ("RESULT_RETRY", "60", "a number of seconds"),
        ("STATE_DIR", "var/state", "an absolute path"),
        ("EXPIRES_IN", 10**400, "a number of seconds"),
        ("MAX_PARTS", "10", "a whole number from 1"),
        ("STATES_BATCH_SIZE", -1, "a whole number from 1"),
        ("POLL_SCHEDULE", 10, "a list of seconds"),
        ("POLL_SCHEDULE", [], "a list of seconds"),
        ("POLL_SCHEDULE", [30, 10], "a list of seconds"),
        ("POLL_SCHEDULE", ["soon"], "a list of seconds"),
        ("PRICES", {"+98": {"fa": 1, "en": 1}}, "a dict such as"),
        ("POLL_SCHEDULE", [10, 10], "a list of seconds"),
        ("DISPATCH", "False", "True or False"),
        ("ONLY_TO", "09395213300", "a list of mobile numbers"),
        ("ONLY_TO", [9395213300], "a list of mobile numbers"),
        ("WAKER", len, "text"),
    ],
)
def test_value_of_another_kind_is_refused(complain, key, wrong, wanted):
    text = complain(**{key: wrong})
    assert text.startswith(f'NEGIN_SMS["default"]["{key}"] must be {wanted}')
    assert text.endswith(
        f"What stands there is not (its type: {type(wrong).__name__})."
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sms.3300.ir/api",
        "//sms.3300.ir/api",
        "ftp://sms.3300.ir/api",
        "file:///etc/passwd",
        "https://",
        "https:///api",
        "https://user:pass@sms.3300.ir/api",
        "https://user@sms.3300.ir/api",
        "https://@sms.3300.ir/api",
        "https://sms.3300.ir/api?key=1",
        "https://sms.3300.ir/api?",
        "https://sms.3300.ir/api#here",
        "https://sms.3300.ir\\@evil.example/api",
        "https://sms.3300.ir:99999/api",
        "https://sms.3300.ir:port/api",
        "https://[::1/api",
        "https://sms.3300.ir/a pi",
        "https://sms.3300.ir/api\r\nHost: evil.example",
        "https://نگین.ir/api",
    ],
)
def test_bad_base_url_is_refused(complain, url):
    text = complain(BASE_URL=url)
    assert text.startswith('NEGIN_SMS["default"]["BASE_URL"] must be an')
    assert "evil" not in text


def test_missing_setting_is_told_with_the_line_to_write(settings):
    del settings.NEGIN_SMS
    with pytest.raises(InvalidConfiguration) as caught:
        conf.get_account()
    assert str(caught.value) == (
        "Your settings have no NEGIN_SMS. Add: NEGIN_SMS = "
        '{"default": {"USERNAME": "…", "PASSWORD": "…", "LINE": "…"}}'
    )


@pytest.mark.parametrize("option", [{"STATE_DIR": "/x"}, {"PRICES": {"*": {}}}])
def test_option_beside_the_accounts_is_told_where_it_belongs(settings, option):
    settings.NEGIN_SMS = {"default": LOGIN, **option}
    with pytest.raises(InvalidConfiguration) as caught:
        conf.get_account()
    (key,) = option
    assert str(caught.value) == (
        f'NEGIN_SMS["{key}"] is an option of an account. Write it into the account: '
        f'NEGIN_SMS = {{"default": {{…, "{key}": …}}}}'
    )


@pytest.mark.parametrize("shape", ["text", [LOGIN], LOGIN, {"default": None}])
def test_setting_of_another_shape_is_refused(settings, shape):
    settings.NEGIN_SMS = shape
    with pytest.raises(InvalidConfiguration) as caught:
        conf.get_account()
    assert "must be a dict of accounts, each a dict of options" in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({}, "USERNAME"),
        ({"PASSWORD": SECRET}, "USERNAME"),
        ({"USERNAME": USER}, "PASSWORD"),
        ({"USERNAME": USER, "PASSWORD": ""}, "PASSWORD"),
    ],
)
def test_missing_credential_is_told_with_the_line_to_write(settings, options, missing):
    settings.NEGIN_SMS = {"default": options}
    with pytest.raises(InvalidConfiguration) as caught:
        conf.get_account()
    assert str(caught.value) == (
        f'NEGIN_SMS["default"]["{missing}"] is missing. Write the web service\'s '
        f"{missing.lower()} (not the panel's login): NEGIN_SMS = "
        f'{{"default": {{"{missing}": "…", …}}}}'
    )


def test_development_gateway_needs_no_credentials(settings):
    settings.NEGIN_SMS = {
        "default": {"BACKEND": "negin_sms.gateway.console.ConsoleGateway"}
    }
    assert not conf.get_account().is_live


def test_unknown_key_is_refused_with_the_known_ones(complain):
    text = complain(PASSWROD=SECRET)
    assert text.startswith('NEGIN_SMS["default"]["PASSWROD"] is not a known key.')
    assert text.endswith("EXPIRES_IN, MAX_PARTS, STATES_BATCH_SIZE, POLL_SCHEDULE, "
                         "REDACT_AFTER, DISPATCH, ONLY_TO, WAKER, MOBILE_CAPS, "
                         "ACCOUNT_CAPS, QUIET_HOURS, OPT_OUTS, OPT_OUT_DAYS, "
                         "FOOTER, PRICES, SERVICE_TEXTS, THRESHOLDS.")  # fmt: skip


@pytest.mark.parametrize("key", ["username", "ALIAS", "alias"])
def test_keys_are_upper_case_and_the_alias_is_none(complain, key):
    assert "is not a known key" in complain(**{key: "x"})


def test_unknown_alias_is_told_with_the_known_ones(read):
    read()
    with pytest.raises(InvalidConfiguration) as caught:
        conf.get_account("bulk")
    assert str(caught.value) == (
        "There is no SMS account 'bulk' (known: 'default'). Add it to your settings: "
        'NEGIN_SMS = {"bulk": {"USERNAME": "…", "PASSWORD": "…", "LINE": "…"}}'
    )


def test_lease_too_short_is_told_with_the_shortest(complain):
    assert complain(LEASE=179) == (
        'NEGIN_SMS["default"]["LEASE"] is 179 s; a claim must outlast the exchange '
        'and the write after it twice over. Write at least: "LEASE": 180'
    )


def test_lease_may_be_short_where_the_exchange_is(read):
    assert read(DEADLINE=4, RESULT_RETRY=1, LEASE=10).lease == 10


def test_accounts_come_in_the_order_they_are_written(settings):
    settings.NEGIN_SMS = {"bulk": LOGIN, "default": LOGIN, "alpha": LOGIN}
    assert [a.alias for a in conf.get_accounts()] == ["bulk", "default", "alpha"]


def test_any_mapping_will_do(settings):
    settings.NEGIN_SMS = MappingProxyType({"default": MappingProxyType(LOGIN)})
    assert conf.get_account().username == USER


def test_account_is_parsed_once(read):
    assert read() is conf.get_account()


def test_override_settings_is_seen_and_forgotten(read):
    before = read(WORKERS=2)
    with override_settings(NEGIN_SMS={"default": LOGIN | {"WORKERS": 3}}):
        assert conf.get_account().workers == 3
    assert conf.get_account() == before


def test_other_settings_leave_the_cache_alone(read):
    before = read()
    with override_settings(LANGUAGE_CODE="fa"):
        assert conf.get_account() is before


def test_account_cannot_be_changed(read):
    with pytest.raises(dataclasses.FrozenInstanceError):
        read().workers = 5


def test_repr_holds_neither_credentials_nor_numbers(read):
    account = read(ONLY_TO=["09395213300"])
    for text in (repr(account), str(account), f"{account}", repr([account])):
        assert "canary" not in text
        assert "395213300" not in text


@pytest.mark.parametrize(
    "keys",
    [
        {"PASSWROD": SECRET},
        {"LINE": SECRET},
        {"LINE": USER},
        {"BASE_URL": f"https://{USER}:{SECRET}@sms.3300.ir/api"},
        {"BASE_URL": SECRET},
        {"CONNECT_TIMEOUT": SECRET},
        {"TRUST_ENV": SECRET},
        {"WORKERS": SECRET},
        {"RATE": SECRET},
        {"POLL_SCHEDULE": SECRET},
        {"ONLY_TO": SECRET},
        {"PASSWORD": [SECRET]},
        {"PASSWORD": SECRET.encode()},
        {"CA_FILE": [SECRET]},
        {"LEASE": 1},
    ],
)
def test_no_error_tells_the_credentials(read, keys):
    with pytest.raises(InvalidConfiguration) as caught:
        read(**keys)
    chain = "".join(traceback.format_exception(caught.value))
    assert "canary" not in f"{chain}{pickle.dumps(caught.value)!r}"


def test_error_is_djangos_own(complain):
    complain(WORKERS=0)
    assert issubclass(InvalidConfiguration, ImproperlyConfigured)


@pytest.mark.parametrize(
    ("url", "host", "encrypted"),
    [
        ("https://sms.3300.ir/api", "sms.3300.ir", True),
        ("HTTPS://SMS.3300.IR:8443/api", "sms.3300.ir", True),
        ("http://sms.3300.ir/api", "sms.3300.ir", False),
        ("http://[::1]:8000", "::1", False),
    ],
)
def test_host_and_encryption_follow_the_base_url(read, url, host, encrypted):
    account = read(BASE_URL=url)
    assert (account.host, account.is_encrypted) == (host, encrypted)


def test_caps_are_pairs_of_seconds_and_messages(read):
    account = read(MOBILE_CAPS={"minute": 1, "day": 20}, ACCOUNT_CAPS={"hour": 900})
    assert account.mobile_caps == ((60, 1), (86400, 20))
    assert account.account_caps == ((3600, 900),)


@pytest.mark.parametrize("caps", [{}, {"week": 1}, {"day": 0}, {"day": "5"}, 5, [60]])
def test_caps_that_are_none_are_refused(complain, caps):
    assert '["MOBILE_CAPS"] must be a dict such as ' in complain(MOBILE_CAPS=caps)


def test_thresholds_of_time_may_be_timedelta(read):
    account = read(THRESHOLDS={"no_dispatcher": timedelta(minutes=10)})
    assert dict(account.thresholds)["no_dispatcher"] == 600


@pytest.mark.parametrize("code", ["rejected", "expired"])
def test_threshold_of_a_share_is_one_at_the_most(complain, read, code):
    assert "of shares up to 1" in complain(THRESHOLDS={code: 5})
    assert dict(read(THRESHOLDS={code: 1}).thresholds)[code] == 1


def test_quiet_hours_are_times_of_the_day(read):
    assert read(QUIET_HOURS=("22:00", time(8))).quiet_hours == (time(22), time(8))


@pytest.mark.parametrize(
    "hours", ["22:00", ("22:00",), ("8", "9", "10"), ("22:00", "22:00"), (8, 22), 5]
)
def test_quiet_hours_that_are_none_are_refused(complain, hours):
    assert '["QUIET_HOURS"] must be two different times' in complain(QUIET_HOURS=hours)


def test_service_texts_are_pairs_of_name_and_number(read):
    assert read(SERVICE_TEXTS={"otp": 3, "welcome": 0}).service_texts == (
        ("otp", 3),
        ("welcome", 0),
    )
    assert read(SERVICE_TEXTS=None).service_texts == ()


@pytest.mark.parametrize(
    "wrong",
    [["otp"], {"otp": "3"}, {"otp": True}, {"otp": -1}, {"3": 3}, {" ": 3}, {3: 3}],
)
def test_service_texts_that_are_none_are_refused(complain, wrong):
    text = complain(SERVICE_TEXTS=wrong)
    assert 'NEGIN_SMS["default"]["SERVICE_TEXTS"] must be a dict of names' in text


def test_rewritten_options_hold_in_any_order_of_ending(settings):
    settings.NEGIN_SMS = {"default": LOGIN}
    first = conf.rewritten(lambda alias, options: options | {"LINE": "1"})
    second = conf.rewritten(lambda alias, options: options | {"LINE": "2"})
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert conf.get_account().line == "2"
    second.__exit__(None, None, None)
    assert conf.get_account().line == ""


class TestPrices:
    KNOWN = {"9830003300": {"fa": 1430, "en": 620}, "*": {"fa": 1700, "en": 800.5}}

    def test_are_those_of_the_line_and_alphabet(self, read):
        known = read(PRICES=self.KNOWN).prices
        assert price_of(known, "9830003300", is_unicode=True) == 1430
        assert price_of(known, "9830003300", is_unicode=False) == 620
        assert price_of(known, "", is_unicode=False) == 800.5

    def test_none_is_known_without_a_price(self, read):
        assert price_of(read().prices, "98", is_unicode=True) is None
        free = {"98": {"fa": 0, "en": 0}}
        assert price_of(read(PRICES=free).prices, "98", is_unicode=True) == 0

    @pytest.mark.parametrize(
        "prices",
        [
            *(1430, None, [], {"98": 1430}, {"98": {"fa": 1430}}, {"": {}}),
            {"98": {"fa": 1430, "en": 620, "de": 1}},
            {"98": {"fa": -1, "en": 620}},
            {"98": {"fa": float("nan"), "en": 620}},
            {"98": {"fa": "1430", "en": True}},
        ],
    )
    def test_of_another_shape_are_refused_with_theirs(self, complain, prices):
        assert '["PRICES"] must be a dict such as {"98' in complain(PRICES=prices)

    def test_named_line_has_to_be_one(self, complain):
        text = complain(PRICES={"mine": {"fa": 1, "en": 1}})
        assert '["PRICES"] must be a dict such as' in text


class TestFooter:
    def test_is_one_line(self, read):
        assert read(FOOTER=" لغو۱۱ ").footer == "لغو۱۱"

    @pytest.mark.parametrize("footer", [None, 11, "a\nb", "x" * 71, "لغو۱۱\u200f"])
    def test_of_another_shape_is_refused(self, complain, footer):
        assert '["FOOTER"] must be text' in complain(FOOTER=footer)


@pytest.mark.parametrize("days", [0, -1, 1.5, None, True])
def test_days_of_an_opt_out_are_a_whole_number(complain, days):
    assert '["OPT_OUT_DAYS"] must be a whole number' in complain(OPT_OUT_DAYS=days)
