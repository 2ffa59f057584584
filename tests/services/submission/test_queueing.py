from __future__ import annotations

import gc
import tracemalloc

import pytest
from django.db import connection, transaction
from django.forms import model_to_dict
from django.test.utils import CaptureQueriesContext

from negin_sms import services
from negin_sms.choices import Priority
from negin_sms.exceptions import (
    IdempotencyConflict,
    InvalidMessage,
)
from negin_sms.gateway import memory
from negin_sms.models import Message
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db
MOBILE = "09395213300"


def test_queueing_sends_nothing_in_the_calling_process():
    message = services.queue_sms(MOBILE, "x", priority=Priority.HIGH, group="g")
    assert (message.status, message.priority, message.group) == ("queued", 10, "g")
    assert memory.outbox == []


def test_queueing_costs_two_queries(django_assert_num_queries):
    with django_assert_num_queries(4):  # the clock, the row between savepoints
        services.queue_sms(MOBILE, "x")


def test_queue_many_keeps_order_and_shares_fields():
    wishes = [{"mobile": MOBILE, "text": f"n {i}"} for i in range(7)]
    rows = services.queue_many(wishes, group="bulk", priority=Priority.LOW)
    assert [row.text for row in rows] == [f"n {i}" for i in range(7)]
    assert Message.objects.filter(group="bulk", priority=30).count() == 7


def test_queue_many_is_all_or_nothing_and_names_the_place():
    wishes = [{"mobile": MOBILE, "text": "x"}, {"mobile": "021", "text": "x"}]
    with pytest.raises(InvalidMessage, match=r"^\[1\] mobile") as caught:
        services.queue_many(wishes)
    assert caught.value.position == 1
    assert not Message.objects.exists()


def test_queue_many_reuses_rows_of_known_keys():
    first = services.queue_sms(MOBILE, "x", idempotency_key="a")
    wishes = [
        {"mobile": MOBILE, "text": "x", "idempotency_key": "a"},
        {"mobile": MOBILE, "text": "y", "idempotency_key": "b"},
        {"mobile": MOBILE, "text": "y", "idempotency_key": "b"},
    ]
    rows = services.queue_many(wishes)
    assert rows[0] == first
    assert rows[1] is rows[2]
    assert Message.objects.count() == 2


def test_queue_many_refuses_a_key_with_other_content():
    services.queue_sms(MOBILE, "x", idempotency_key="a")
    with pytest.raises(IdempotencyConflict):
        services.queue_many([{"mobile": MOBILE, "text": "y", "idempotency_key": "a"}])


def test_queue_many_refuses_a_key_for_two_contents():
    wishes = [{"mobile": MOBILE, "text": text, "idempotency_key": "a"} for text in "xy"]
    with pytest.raises(IdempotencyConflict, match="given to several messages"):
        services.queue_many(wishes)
    assert Message.objects.count() == 0


def test_queue_many_costs_one_insert_a_chunk(django_assert_max_num_queries):
    wishes = [{"mobile": MOBILE, "text": "x"} for _ in range(900)]
    with django_assert_max_num_queries(45):  # SQLite: 999 values a statement
        services.queue_many(wishes)


def test_queue_many_asks_nothing_for_a_single_message(django_assert_num_queries):
    wishes = [{"mobile": MOBILE, "text": f"n {i}"} for i in range(1000)]
    clock_and_savepoints = 3
    with django_assert_num_queries(clock_and_savepoints + 2 * inserts_of(500)):
        services.queue_many(wishes)


def inserts_of(rows: int) -> int:
    """Return how many statements it takes to insert a chunk, by the bare ORM."""
    chunk = [MessageFactory.build() for _row in range(rows)]
    with CaptureQueriesContext(connection) as queries:
        Message.objects.bulk_create(chunk)
    return len(queries)


def test_queue_many_looks_for_keys_once_a_chunk(django_assert_num_queries):
    wishes = [
        {"mobile": MOBILE, "text": "x", "idempotency_key": f"k {i}"} for i in range(900)
    ]
    rows = services.queue_many(wishes)
    with django_assert_num_queries(5):  # the clock, two chunks, between savepoints
        assert services.queue_many(wishes) == rows


def test_queue_many_makes_the_rows_that_queue_sms_makes():
    services.queue_sms("۰۹۳۹ ۵۲۱ ۳۳۰۰", "سلام", group="g", source="shop")
    wish = {"mobile": "۰۹۳۹ ۵۲۱ ۳۳۰۰", "text": "سلام"}
    services.queue_many([wish], group="g", source="shop")
    one, of_many = map(model_to_dict, Message.objects.order_by("pk"))
    for name in ("created_at", "due_at", "expires_at"):
        assert one.pop(name) <= of_many.pop(name)
    assert one.pop("id") < of_many.pop("id")
    assert one == of_many


@pytest.mark.long
def test_queue_many_needs_the_memory_of_a_chunk():
    wishes = ({"mobile": MOBILE, "text": f"n {i}"} for i in range(1000))
    services.queue_many(wishes)  # what is made once is made now
    assert memory_beside(6000) < memory_beside(1000) + 200_000


def memory_beside(count: int) -> int:
    """Return the most bytes that are taken beside the list of rows."""
    gc.collect()
    tracemalloc.start()
    kept = services.queue_many({"mobile": MOBILE, "text": "x"} for _ in range(count))
    now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(kept) == count
    return peak - now


@pytest.mark.django_db(transaction=True)
def test_rolled_back_queueing_leaves_nothing():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        services.queue_sms(MOBILE, "x")
        1 / 0  # noqa: B018
    assert not Message.objects.exists()
