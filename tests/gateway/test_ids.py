"""Ids of stand-in gateways, over restarts."""

from __future__ import annotations

import itertools
import time

from negin_sms.gateway import console, memory
from negin_sms.gateway.codes import LARGEST_SUSPECT_ID
from negin_sms.gateway.ids import new_ids
from negin_sms.gateway.sandbox import Sandbox

FORM = {"username": "u", "password": "p", "mobile": "989000000001"}
FORM |= {"message": "x", "line": "1"}


def test_a_later_start_repeats_no_id_however_many_were_given():
    first = list(itertools.islice(new_ids(), 20_000))
    time.sleep(0.02)  # no gateway gives one in less than a microsecond
    later = list(itertools.islice(new_ids(), 20_000))
    assert not set(first) & set(later)
    assert int(first[0]) > LARGEST_SUSPECT_ID


def test_sandbox_that_is_restarted_in_a_busy_second_repeats_none():
    with Sandbox() as first:
        for _ in range(2000):
            first.send(FORM)
    with Sandbox() as second:
        second.send(FORM)
    assert second.taken[0].gateway_id not in {one.gateway_id for one in first.taken}


def test_all_stand_ins_take_theirs_from_here():
    for ids in (console._ids, memory._ids):
        assert abs(int(next(ids)) - int(next(new_ids()))) < 3600 * 10**6
