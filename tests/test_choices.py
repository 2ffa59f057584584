from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negin_sms.choices import (
    FINAL_STATES,
    Priority,
    Scenario,
    State,
    Status,
    state_label,
    state_rank,
)


def test_scenarios_are_the_five_of_the_guides():
    assert Scenario.values == [
        "single",
        "service_line",
        "second_line",
        "chelcheleh",
        "service_fallback",
    ]


def test_statuses_are_those_of_the_design():
    assert set(Status.values) == {
        "draft",
        "queued",
        "held",
        "sending",
        "accepted",
        "rejected",
        "uncertain",
        "cancelled",
        "expired",
    }


def test_priorities_ascend_from_urgent():
    assert Priority.values == [0, 10, 20, 30]
    assert Priority.names == ["URGENT", "HIGH", "NORMAL", "LOW"]


@pytest.mark.parametrize(
    ("code", "label"),
    [
        (-1, "Not sent to the operator"),
        (0, "Unknown"),
        (1, "Delivered"),
        (2, "Not delivered"),
        (8, "At the operator"),
        (16, "Refused by the operator"),
        (9, "Unknown code 9"),
        (-7, "Unknown code -7"),
        (None, ""),
    ],
)
def test_state_has_words_whatever_its_code(code, label):
    assert state_label(code) == label


def test_only_the_last_words_are_final():
    assert {1, 2, 16} == FINAL_STATES


# Each step tells more than all before it; what stands together tells as much.
STEPS = [(None,), (-1, 0, 9, 24, 999, -7), (8,), (2, 16), (1,)]


@pytest.mark.parametrize(("lower", "higher"), list(itertools.pairwise(STEPS)))
def test_states_rank_as_the_design_says(lower, higher):
    assert max(map(state_rank, lower)) < min(map(state_rank, higher))


@pytest.mark.parametrize("step", STEPS)
def test_states_of_a_step_are_equals(step):
    assert len({state_rank(code) for code in step}) == 1


@given(st.integers())
def test_code_nobody_knows_never_outranks_a_known_state(code):
    known = code in State.values
    assert known or state_rank(code) == state_rank(State.UNKNOWN)
