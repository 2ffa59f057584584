from __future__ import annotations

import pytest

from negin_sms.services.statistics.counts import NO_TIMES, TIME_EDGES, Counts, add_up


def times(**buckets: int) -> tuple[int, ...]:
    found = list(NO_TIMES)
    for name, number in buckets.items():
        found[int(name.removeprefix("b"))] = number
    return tuple(found)


def test_every_message_is_sent_or_not():
    counts = Counts(
        delivered=1, undelivered=2, at_operator=3, waiting=4, no_report=5, rejected=6
    )
    assert counts.sent == 15
    assert counts.total == 21


def test_rate_is_of_those_with_a_last_word():
    counts = Counts(delivered=3, undelivered=1, at_operator=3, waiting=4, no_report=5)
    assert counts.last_words == 4
    assert counts.delivery_rate == pytest.approx(3 / 4)
    assert Counts(at_operator=1, waiting=1, no_report=1).delivery_rate is None


def test_nothing_sent_has_no_rate_and_no_median():
    assert Counts(rejected=3).delivery_rate is None
    assert Counts().median_seconds is None


def test_sum_is_field_by_field():
    total = add_up([Counts(delivered=1, parts=2, times=times(b0=1))] * 3)
    assert total == Counts(delivered=3, parts=6, times=times(b0=3))
    assert add_up([]) == Counts()


@pytest.mark.parametrize(
    ("histogram", "median"),
    [
        (times(b0=2), 2.5),
        (times(b0=1, b2=1), 5),
        (times(b0=1, b2=3), 10 + 5 / 3),
        (times(b3=10), 17.5),
        (times(b20=1), TIME_EDGES[-1]),
    ],
)
def test_median_lies_within_its_bucket(histogram, median):
    assert Counts(times=histogram).median_seconds == pytest.approx(median)
