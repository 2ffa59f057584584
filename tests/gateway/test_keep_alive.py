"""How long an idle connection may be used again."""

from __future__ import annotations

import time

import pytest

from negin_sms.gateway.keep_alive import KeepAlive


def test_allows_up_to_its_limit():
    keep_alive = KeepAlive(5)
    assert keep_alive.allows(4.9)
    assert not keep_alive.allows(5)


def test_zero_is_off():
    assert not KeepAlive(0).is_on
    assert not KeepAlive(0).allows(0)


def test_learns_to_stay_well_below_what_the_server_allows():
    keep_alive = KeepAlive(5)
    keep_alive.note_closed_after(0.2)
    assert keep_alive.is_on
    assert keep_alive.allows(0.09)
    assert not keep_alive.allows(0.1)


@pytest.mark.parametrize(
    ("header", "limit"),
    [("timeout=4, max=100", 2.0), ("Timeout = 60", 5.0), ("max=5", 5.0), ("", 5.0)],
)
def test_takes_the_server_at_its_word(header: str, limit: float):
    keep_alive = KeepAlive(5.0)
    keep_alive.note_promise(header)
    assert keep_alive.allows(limit - 0.1)
    assert not keep_alive.allows(limit)


def test_never_unlearns():
    keep_alive = KeepAlive(5)
    keep_alive.note_closed_after(0.2)
    keep_alive.note_closed_after(4)
    assert not keep_alive.allows(0.1)


def test_suspension_ends(monkeypatch):
    monkeypatch.setattr(KeepAlive, "SUSPENSION", 0.05)
    keep_alive = KeepAlive(5)
    keep_alive.suspend()
    assert not keep_alive.is_on
    assert not keep_alive.allows(0)
    time.sleep(0.06)
    assert keep_alive.allows(0)


def test_suspension_is_ten_minutes():
    assert KeepAlive.SUSPENSION == 600
