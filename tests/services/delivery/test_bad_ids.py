"""Which id is a refusal about, decided without a gateway and without rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from negin_sms.services.delivery.bad_ids import ChunkQueue
from negin_sms.services.delivery.states import PollTarget

START = datetime(2026, 1, 1, tzinfo=UTC)


def targets(count: int) -> list[PollTarget]:
    """Return messages of which each is a minute younger than the one before."""
    return [
        PollTarget(pk, str(pk), START + timedelta(minutes=pk)) for pk in range(count)
    ]


def play(queue: ChunkQueue, bad: set[int]) -> tuple[set[int], int]:
    """Answer as a gateway that knows bad ids; return those found, and the requests."""
    found, requests = [], 0
    while (chunk := queue.pop(0)) is not None:
        requests += 1
        is_refused = any(one.pk in bad for one in chunk)
        found += queue.note_refusal(chunk) if is_refused else queue.note_answer()
    return {one.pk for one in found}, requests


def test_bad_ids_are_found_wherever_they_are():
    for bad in ({0}, {49}, {99}, {98, 99}, {0, 50, 99}, set(range(0, 100, 9))):
        queue = ChunkQueue(100)
        queue.add(targets(100))
        assert play(queue, bad)[0] == bad


def test_one_bad_id_in_a_hundred_costs_few_requests():
    queue = ChunkQueue(100)
    queue.add(targets(100))
    assert play(queue, {37})[1] <= 16


def test_gateway_is_blamed_after_three_witnesses():
    queue = ChunkQueue(100)
    queue.add(targets(1000))
    assert play(queue, set(range(1000))) == (set(), 4)
    assert queue.blames_gateway


def test_witnesses_are_the_youngest():
    queue = ChunkQueue(10)
    queue.add(targets(10))
    asked = []
    while (chunk := queue.pop(0)) is not None:
        asked.append([one.pk for one in chunk])
        queue.note_refusal(chunk)
    assert asked[1:] == [[9], [8], [7]]


def test_nothing_more_is_asked_while_it_is_unclear_who_is_at_fault():
    queue = ChunkQueue(1)
    queue.add(targets(5))
    first = queue.pop(0)
    assert first is not None
    assert queue.pop(1) is not None
    queue.note_refusal(first)
    assert queue.pop(1) is None
    assert queue.pop(0) is not None


def test_refusals_before_the_first_answer_are_judged_after_it():
    queue = ChunkQueue(2)
    queue.add(targets(4))
    first, second = queue.pop(0), queue.pop(1)
    assert first is not None
    assert second is not None
    assert queue.note_refusal(first) == []
    queue.note_answer()
    assert play(queue, {0})[0] == {0}


def test_too_few_ids_to_tell_are_handed_back():
    queue = ChunkQueue(10)
    queue.add(targets(2))
    assert play(queue, {0, 1}) == (set(), 3)
    assert not queue.blames_gateway
    assert sum(map(len, queue.take_refused())) == 2
    assert not queue
