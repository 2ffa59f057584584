"""The breaker: what pauses an account, for how long, and what ends the pause."""

from __future__ import annotations

import copy
import logging
from datetime import timedelta

import pytest
from django.utils import timezone

from negin_sms import conf
from negin_sms.exceptions import (
    AccountPaused,
    Effect,
    NotSent,
    Throttled,
)
from negin_sms.models import AccountState
from negin_sms.services import breaker

pytestmark = pytest.mark.django_db

DOWN = NotSent("down")


def admit(claim="c"):
    return breaker.admit(conf.get_account(), claim, using="default")


def tell(*effects, error=DOWN, admission=None):
    admission = admission or admit()
    breaker.note(
        admission, [_with(effect, error) for effect in effects], using="default"
    )
    return AccountState.objects.get()


def _with(effect, error):
    if effect is Effect.SUCCESS:
        return None
    error = copy.copy(error)
    error.effect = effect
    return error


def seconds_left(state):
    return (state.paused_until - timezone.now()).total_seconds()


def let_pause_run_out():
    AccountState.objects.update(paused_until=timezone.now() - timedelta(seconds=1))


def test_four_failures_in_a_row_pause_nothing():
    assert not tell(*[Effect.FAILURE] * 4).is_paused
    assert admit().allowed


def test_the_fifth_failure_in_a_row_pauses_for_half_a_minute():
    tell(*[Effect.FAILURE] * 4)
    state = tell(Effect.FAILURE)
    assert seconds_left(state) == pytest.approx(30, abs=3)
    assert (state.reason, state.failures) == ("down", 0)
    assert admit().refused


def test_valid_answer_begins_the_count_anew():
    tell(*[Effect.FAILURE] * 4)
    assert tell(Effect.SUCCESS).failures == 0
    assert not tell(*[Effect.FAILURE] * 4).is_paused


def test_our_own_delay_counts_neither_way():
    tell(*[Effect.FAILURE] * 4)
    assert tell(Effect.IGNORED).failures == 4


def test_certificate_trouble_pauses_at_once():
    assert tell(Effect.TRIPS).is_paused


@pytest.mark.parametrize(
    ("retry_after", "low", "high"), [(None, 5, 6), (9999, 300, 360)]
)
def test_throttling_pauses_for_a_moment(retry_after, low, high):
    error = Throttled("slow down", retry_after=retry_after)
    state = tell(Effect.THROTTLES, error=error)
    assert low - 3 <= seconds_left(state) <= high
    assert state.pauses == 0


def test_account_refusal_pauses_for_a_quarter_of_an_hour():
    error = AccountPaused("no credit", code=14)
    assert seconds_left(tell(Effect.PAUSES, error=error)) == pytest.approx(900, abs=3)


def test_those_in_flight_do_not_make_a_pause_longer():
    before = tell(*[Effect.FAILURE] * 5)
    after = tell(*[Effect.FAILURE] * 11)
    assert after.paused_until == before.paused_until
    assert after.pauses == 1


def test_stragglers_of_an_account_refusal_keep_its_length():
    error = AccountPaused("no credit", code=14)
    state = tell(*[Effect.PAUSES] * 8, error=error)
    assert seconds_left(state) == pytest.approx(900, abs=3)


def test_pause_that_ran_out_lets_one_probe_through():
    tell(Effect.TRIPS)
    let_pause_run_out()
    first, second = admit("one"), admit("two")
    assert (first.probe, first.allowed) == ("one", False)
    assert second.refused


def test_good_probe_ends_the_pause(caplog):
    tell(Effect.TRIPS)
    let_pause_run_out()
    with caplog.at_level(logging.WARNING, "negin_sms"):
        state = tell(Effect.SUCCESS, error=None, admission=admit("one"))
    assert (state.is_paused, state.pauses, state.probe) == (False, 0, "")
    assert "no longer paused" in caplog.text


def test_bad_probe_doubles_the_pause():
    tell(Effect.TRIPS)
    let_pause_run_out()
    state = tell(Effect.FAILURE, admission=admit("one"))
    assert seconds_left(state) == pytest.approx(60, abs=3)
    assert state.probe == ""


def test_success_of_an_old_request_does_not_end_a_pause():
    open_before = admit()
    tell(Effect.TRIPS)
    assert tell(Effect.SUCCESS, Effect.FAILURE, admission=open_before).is_paused


def test_probe_given_back_is_free_again():
    tell(Effect.TRIPS)
    let_pause_run_out()
    breaker.release_probe(admit("one").probe, using="default")
    assert admit("two").probe == "two"


def test_probe_of_a_dead_worker_is_free_after_a_lease():
    tell(Effect.TRIPS)
    let_pause_run_out()
    admit("dead")
    AccountState.objects.update(probe_until=timezone.now() - timedelta(seconds=1))
    assert admit("two").probe == "two"


def test_pause_is_an_alarm_in_the_log(caplog):
    with caplog.at_level(logging.ERROR, "negin_sms"):
        tell(Effect.PAUSES, error=AccountPaused("no credit", code=14))
    assert "'default' is paused for 900 s: no credit (code 14)" in caplog.text


def test_healthy_account_costs_one_query(django_assert_num_queries):
    admit()
    with django_assert_num_queries(1):
        breaker.note(admit(), [None] * 8, using="default")


def begun_an_hour_ago():
    """Let the pause be over that began then; return when."""
    AccountState.objects.update(paused_at=timezone.now() - timedelta(hours=1))
    let_pause_run_out()
    return AccountState.objects.get().paused_at


@pytest.mark.parametrize("is_out", [False, True])
def test_what_follows_a_person_s_pause_is_a_pause_of_its_own(is_out):
    """It had the beginning, and the name, of what somebody had planned."""
    if is_out:
        tell(Effect.TRIPS)
    end = timezone.now() + timedelta(hours=1)
    breaker.stop_account("default", "planned", by_id=7, until=end)
    before = begun_an_hour_ago()
    state = tell(Effect.FAILURE, admission=admit("one"))
    assert state.paused_at > before
    assert (state.paused_by_id, state.reason) == (None, "down")
    assert seconds_left(state) == pytest.approx(30, abs=3)


def test_no_credit_after_an_outage_is_a_pause_of_its_own():
    tell(Effect.TRIPS)
    before = begun_an_hour_ago()
    error = AccountPaused("no credit", code=14)
    assert tell(Effect.PAUSES, error=error, admission=admit("one")).paused_at > before
    before = begun_an_hour_ago()
    assert tell(Effect.PAUSES, error=error, admission=admit("one")).paused_at == before


@pytest.mark.parametrize("effect", [Effect.FAILURE, Effect.THROTTLES])
def test_outage_has_one_beginning_whatever_its_reasons(effect):
    tell(Effect.TRIPS)
    before = begun_an_hour_ago()
    error = Throttled("no answer")
    assert tell(effect, error=error, admission=admit("one")).paused_at == before


def test_throttling_that_goes_on_keeps_its_beginning():
    tell(Effect.THROTTLES, error=Throttled("slow down"))
    before = begun_an_hour_ago()
    error = Throttled("slow down")
    again = tell(Effect.THROTTLES, error=error, admission=admit("one"))
    assert again.paused_at == before
