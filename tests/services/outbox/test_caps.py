"""Caps: what is counted, when it is over, and eight threads on one number."""

from __future__ import annotations

import contextlib
import copy
import pickle
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from negin_sms import services
from negin_sms.exceptions import CapExceeded
from negin_sms.gateway import memory
from negin_sms.models import CapCount, Message
from negin_sms.services.outbox import caps
from tests.factories import MOBILE, OTHER_MOBILE

MEMORY = "negin_sms.gateway.memory.MemoryGateway"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def capped(use_account):
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"day": 2})


def test_cap_of_a_number_refuses_before_a_row_exists(capped):
    for _ in range(2):
        services.send_sms(MOBILE, "x")
    with pytest.raises(CapExceeded) as caught:
        services.send_sms(MOBILE, "x")
    assert (caught.value.scope, Message.objects.count()) == ("mobile", 2)
    assert 0 < caught.value.retry_after <= 86400
    assert "At most 2 messages in a day" in str(caught.value)
    assert MOBILE[1:] not in repr(caught.value)


def test_other_numbers_have_caps_of_their_own(capped):
    for mobile in (MOBILE, OTHER_MOBILE):
        for _ in range(2):
            services.send_sms(mobile, "x")
    assert len(memory.outbox) == 4


def test_every_spelling_is_one_number(capped):
    services.send_sms("0939 521 3300", "x")
    services.queue_sms("+98 939 521 3300", "x")
    with pytest.raises(CapExceeded):
        services.send_sms("۰۹۳۹۵۲۱۳۳۰۰", "x")


def test_cap_of_an_account_counts_all_numbers(use_account):
    use_account(BACKEND=MEMORY, ACCOUNT_CAPS={"hour": 2})
    services.queue_sms(MOBILE, "x")
    services.queue_sms(OTHER_MOBILE, "x")
    with pytest.raises(CapExceeded, match="The account sends at most 2") as caught:
        services.queue_sms(OTHER_MOBILE, "x")
    assert caught.value.scope == "account"


def test_next_period_begins_anew(capped):
    for _ in range(2):
        services.queue_sms(MOBILE, "x")
    CapCount.objects.update(began_at=timezone.now() - timedelta(days=1))
    services.queue_sms(MOBILE, "x")


def test_batch_is_refused_as_a_whole(capped):
    wishes = [{"mobile": MOBILE, "text": str(n)} for n in range(3)]
    with pytest.raises(CapExceeded):
        services.queue_many(wishes)
    assert not Message.objects.exists()
    assert len(services.queue_many(wishes[:2])) == 2


def crowd(count: int) -> list[str]:
    return [f"+98912{number:07}" for number in range(count)]


def to(mobiles: Iterable[str]) -> list[dict[str, str]]:
    return [{"mobile": mobile, "text": "x"} for mobile in mobiles]


def test_many_numbers_are_counted_one_by_one(use_account):
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"day": 3}, ACCOUNT_CAPS={"hour": 50})
    mobiles = crowd(20)
    services.queue_many(to([*mobiles, *mobiles[:5], mobiles[7]]))
    services.queue_many(to(mobiles))
    counts = dict(CapCount.objects.values_list("mobile", "messages"))
    twice = {*mobiles[:5], mobiles[7]}
    assert counts.pop("") == 46
    assert counts == {mobile: 3 if mobile in twice else 2 for mobile in mobiles}


def test_one_number_too_often_refuses_all_of_many(capped):
    mobiles = crowd(20)
    services.queue_many(to([mobiles[11], mobiles[11]]))
    before = list(CapCount.objects.values())
    with pytest.raises(CapExceeded) as caught:
        services.queue_many(to(mobiles))
    assert caught.value.scope == "mobile"
    assert list(CapCount.objects.values()) == before
    assert Message.objects.count() == 2


def test_many_numbers_and_the_account_s_own_cap(use_account):
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"day": 9}, ACCOUNT_CAPS={"day": 30})
    services.queue_many(to(crowd(20)))
    with pytest.raises(CapExceeded) as caught:
        services.queue_many(to(crowd(11)))
    assert (caught.value.scope, Message.objects.count()) == ("account", 20)


def test_many_numbers_cost_a_few_statements_for_hundreds(capped):
    few, more = (statements_of(to(crowd(count))) for count in (400, 500))
    assert few.keys() == more.keys()
    assert few["SELECT"] == more["SELECT"] == 2  # the clock, the counts
    assert few["UPDATE"] == more["UPDATE"] == 1


def statements_of(wishes: list[dict[str, str]]) -> Counter[str]:
    with CaptureQueriesContext(connection) as queries:
        services.queue_many(wishes)
    return Counter(query["sql"].split()[0] for query in queries)


def test_what_rolls_back_is_not_counted(capped):
    with transaction.atomic():
        services.queue_sms(MOBILE, "x")
        transaction.set_rollback(True)
    for _ in range(2):
        services.queue_sms(MOBILE, "x")


def test_known_key_is_answered_though_the_cap_is_used_up(capped):
    first = services.queue_sms(MOBILE, "x", idempotency_key="k")
    services.queue_sms(MOBILE, "y")
    again = services.queue_sms(MOBILE, "x", idempotency_key="k")
    assert again == first
    assert CapCount.objects.get().messages == 2


def test_without_caps_nothing_is_counted(use_account, django_assert_num_queries):
    use_account(BACKEND=MEMORY)
    services.queue_sms(MOBILE, "x")
    assert not CapCount.objects.exists()


def test_counts_of_long_ago_are_forgotten(capped):
    services.queue_sms(MOBILE, "x")
    assert caps.forget_old("default") == 0
    CapCount.objects.update(began_at=timezone.now() - timedelta(days=3))
    assert caps.forget_old("default") == 1


def test_error_travels_whole():
    error = CapExceeded("too many", scope="mobile", retry_after=3)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (str(again), again.scope, again.retry_after) == ("too many", "mobile", 3)


@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="threads share no in-memory database"
)
def test_eight_threads_on_one_number_keep_to_the_cap(use_account):
    hammer(use_account)


@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="threads share no in-memory database"
)
def test_crowds_that_overlap_wait_for_each_other(use_account):
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"day": 1000}, ACCOUNT_CAPS={"day": 9999})
    mobiles = crowd(60)

    # Inside a transaction of the caller's nothing is tried again after a deadlock. Not
    # on MariaDB, which has other reasons for one when rows are new.
    ours = connection.vendor != "postgresql"
    block = contextlib.nullcontext if ours else transaction.atomic

    def queue(some: list[str]) -> None:
        for _ in range(5):
            with block():
                services.queue_many(to(some))
        connections.close_all()

    pieces = (mobiles[:40], mobiles[20:][::-1], mobiles[::2], mobiles[1::2])
    threads = [threading.Thread(target=queue, args=(piece,)) for piece in pieces]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = Counter(5 * [mobile for piece in pieces for mobile in piece])
    counts = dict(CapCount.objects.values_list("mobile", "messages"))
    assert counts.pop("") == Message.objects.count() == wanted.total()
    assert counts == wanted


@pytest.mark.skipif(connection.vendor != "mysql", reason="others read what they lock")
def test_crowd_is_counted_as_it_is_and_not_as_it_was(capped):
    mobiles = crowd(20)
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    with pytest.raises(CapExceeded), transaction.atomic():
        assert not CapCount.objects.exists()
        elsewhere(lambda: services.queue_many(to(2 * mobiles)))
        services.queue_many(to(mobiles))
    connection.close()


def elsewhere(work: Callable[[], object]) -> None:
    """Do something on a connection of its own."""

    def do() -> None:
        work()
        connections.close_all()

    thread = threading.Thread(target=do)
    thread.start()
    thread.join()


@pytest.mark.chaos
def test_thousand_requests_for_one_number_keep_to_the_cap(database, tmp_path):
    """1,000 requests under 8 threads, on every database."""
    from tests.badgateway import BadGateway
    from tests.chaos import Chaos

    with BadGateway() as gateway:
        chaos = Chaos(database, gateway, MOBILE_CAPS={"hour": 7, "day": 7})
        ends = chaos.do("hammer", threads=8, requests=1000)
    assert ends == {"accepted": 7, "CapExceeded": 993}
    assert len(gateway.ids) == 7


def hammer(use_account) -> None:
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"day": 7})
    ends: Counter[str] = Counter()

    def ask() -> None:
        for _ in range(25):
            try:
                ends[services.send_sms(MOBILE, "x").status] += 1
            except CapExceeded:
                ends["capped"] += 1
        connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == {"accepted": 7, "capped": 193}
