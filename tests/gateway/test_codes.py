from __future__ import annotations

import pytest

from negin_sms.gateway.codes import (
    CODES,
    LARGEST_SUSPECT_ID,
    SUCCESS,
    Verdict,
    code_meaning,
    find_code,
)

# The contract's table, "Status codes other than -1", row by row.
CONTRACT = {
    0: Verdict.UNSURE,
    1: Verdict.REFUSED,
    2: Verdict.LINE,
    3: Verdict.REFUSED,
    4: Verdict.REFUSED,
    6: Verdict.REFUSED,
    12: Verdict.ACCOUNT,
    13: Verdict.REFUSED,
    14: Verdict.ACCOUNT,
    15: Verdict.UNSURE,
    16: Verdict.ACCOUNT,
    17: Verdict.ACCOUNT,
    18: Verdict.ACCOUNT,
    19: Verdict.ACCOUNT,
    20: Verdict.LINE,
    22: Verdict.ACCOUNT,
    23: Verdict.PATIENCE,
    24: Verdict.UNSURE,
    25: Verdict.REFUSED,
    27: Verdict.REFUSED,
    **dict.fromkeys(range(100, 111), Verdict.REFUSED),
    409: Verdict.PATIENCE,
}


@pytest.mark.parametrize(("number", "verdict"), list(CONTRACT.items()))
def test_code_means_what_the_contract_says(number, verdict):
    code = find_code(number)
    assert code is not None
    assert code.verdict is verdict


def test_no_code_is_known_beyond_the_contract():
    assert set(CODES) == set(CONTRACT)


@pytest.mark.parametrize(
    "number", [SUCCESS, -2, 5, 7, 21, 26, 28, 99, 111, 408, 1000, 10**9]
)
def test_other_code_is_unknown(number):
    assert find_code(number) is None


@pytest.mark.parametrize("number", CONTRACT)
def test_known_code_has_a_sentence(number):
    meaning = code_meaning(number)
    assert meaning.endswith(".")
    assert str(number) not in meaning


def test_unknown_code_is_told_with_its_number():
    assert code_meaning(77) == "The gateway answered with the unknown code 77."


@pytest.mark.parametrize("number", [None, SUCCESS])
def test_success_needs_no_words(number):
    assert code_meaning(number) == ""


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1, "recipient's number"),
        (2, "line"),
        (13, "text empty"),
        (14, "credit"),
        (16, "not active"),
        (17, "expired"),
        (18, "password"),
        (27, "opted out"),
        (409, "too fast"),
    ],
)
def test_words_tell_what_to_look_at(number, words):
    assert words in code_meaning(number)


def test_every_code_could_pass_for_a_suspect_id():
    assert max(CONTRACT) <= LARGEST_SUSPECT_ID == 1000
