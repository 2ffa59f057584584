"""Readers of single values: none of its kind is None or empty, never an error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negin_sms.gateway import readers

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.long
@given(ANYTHING)
def test_nothing_raises(value):
    readers.integer(value)
    readers.gateway_id_of(value)
    readers.short_text(value)
    readers.items(value)
    readers.western(value)


@given(st.binary())
def test_no_bytes_raise(body):
    readers.load_object(body)


@pytest.mark.parametrize(
    ("value", "read"),
    [(-1, -1), ("-1", -1), ("+7", 7), (True, None), (1.0, None), ("1.0", None)],
    ids=repr,
)
def test_integer(value, read):
    assert readers.integer(value) == read


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, "9999999999", "۱"])
def test_integers_beyond_the_contract_are_none(value):
    assert readers.integer(value) is None


@pytest.mark.parametrize(
    ("value", "read"),
    [(3403, "3403"), ("+003403", "3403"), (0, ""), (-5, ""), ("34a", ""), (True, "")],
    ids=repr,
)
def test_gateway_id(value, read):
    assert readers.gateway_id_of(value) == read


def test_huge_integers_are_no_ids_and_no_texts():
    assert readers.gateway_id_of(10**5000) == readers.short_text(10**5000) == ""


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("1,2، 3٫4", ["1", "2", " 3", "4"]),
        ([1, "2"], [1, "2"]),
        (7, [7]),
        (None, []),
        ("null", []),
        ({}, None),
        (True, None),
    ],
)
def test_items(value, read):
    assert readers.items(value) == read


def test_western_digits():
    assert readers.western(" ۱۲٣ ") == "123"


def test_keys_are_lowered_and_what_is_said_twice_says_nothing():
    assert readers.load_object(b'{"Status": 1, "status": 2}') == {"status": None}
    assert readers.load_object(json.dumps([1]).encode()) is None


def test_nesting_beyond_the_stack_is_no_object():
    assert readers.load_object(b"[" * 200_000) is None
