from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negin_sms import retries
from negin_sms.conf import Account

DAY = 24 * 3600.0
SCHEDULE = Account(alias="default").poll_schedule
chances = st.floats(0, 1)


@pytest.mark.parametrize(
    ("attempt", "seconds"),
    [(0, 2), (1, 2), (2, 4), (3, 8), (8, 256), (9, 300), (50, 300), (10**6, 300)],
)
def test_retry_doubles_up_to_five_minutes(attempt, seconds):
    assert retries.retry_delay(attempt, chance=0.5) == seconds


@pytest.mark.parametrize(("chance", "share"), [(0, 0.75), (1, 1.25)])
def test_retry_is_spread_by_a_quarter_either_way(chance, share):
    assert retries.retry_delay(3, chance=chance) == 8 * share


def test_retry_draws_its_own_chance():
    delays = {retries.retry_delay(1) for _ in range(20)}
    assert len(delays) > 1
    assert all(1.5 <= delay <= 2.5 for delay in delays)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [(None, 5), (0, 5), (3, 5), (30, 30), (300, 300), (86400, 300), (math.inf, 300)],
)
def test_throttle_is_what_the_gateway_asks_within_bounds(retry_after, seconds):
    assert retries.throttle_delay(retry_after, chance=0) == seconds


def test_throttle_is_spread_upwards_only():
    assert retries.throttle_delay(None, chance=1) == 6


@given(st.none() | st.floats(0, 1e9), chances)
def test_throttle_is_never_under_five_seconds(retry_after, chance):
    assert 5 <= retries.throttle_delay(retry_after, chance=chance) <= 360


@pytest.mark.parametrize(
    ("level", "seconds"), [(0, 30), (1, 60), (4, 480), (5, 900), (99, 900)]
)
def test_outage_pause_doubles_to_a_quarter_of_an_hour(level, seconds):
    assert retries.outage_pause(level) == seconds


@pytest.mark.parametrize(
    ("level", "seconds"), [(0, 900), (1, 1800), (2, 3600), (99, 3600)]
)
def test_account_pause_doubles_to_an_hour(level, seconds):
    assert retries.account_pause(level) == seconds


@pytest.mark.parametrize(
    ("age", "next_age"),
    [(0, 10), (9.9, 10), (10, 30), (45, 60), (3600, 10800), (43200, 82800)],
)
def test_next_poll_is_the_next_age_of_the_schedule(age, next_age):
    assert retries.next_poll_age(age, SCHEDULE, chance=0) == next_age


@pytest.mark.parametrize("age", [82800, 82801, 10 * DAY])
def test_nothing_is_asked_after_the_schedule(age):
    assert retries.next_poll_age(age, SCHEDULE, chance=0) is None


@pytest.mark.parametrize(
    ("age", "next_age"), [(0, 11), (10, 32), (300, 960), (3600, 3 * 3600 + 720)]
)
def test_poll_is_spread_by_a_tenth_of_the_step(age, next_age):
    assert retries.next_poll_age(age, SCHEDULE, chance=1) == next_age


@given(st.floats(0, DAY), chances)
def test_last_poll_comes_before_the_gateway_forgets(age, chance):
    next_age = retries.next_poll_age(age, SCHEDULE, chance=chance)
    assert next_age is None or age < next_age < DAY - 1800


@given(chances)
def test_schedule_comes_to_its_end(chance):
    age, asked = 0.0, 0
    while (
        following := retries.next_poll_age(age, SCHEDULE, chance=chance)
    ) is not None:
        age, asked = following, asked + 1
    assert asked == len(SCHEDULE)
