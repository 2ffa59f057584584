"""Caps: what is counted, when it is over, and eight threads on one number."""

from __future__ import annotations

import copy
import pickle
import threading
import time
from collections import Counter
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.utils import timezone

from negin_sms import conf, services
from negin_sms.choices import Priority
from negin_sms.exceptions import CapExceeded, NotSent, Vetoed
from negin_sms.gateway import memory
from negin_sms.models import CapCount, Message
from negin_sms.services import breaker
from negin_sms.services.outbox.gate import caps, obstacles
from negin_sms.signals import pre_send
from tests.factories import MOBILE, OTHER_MOBILE, MessageFactory
from tests.services.outbox.gate.test_cap_forecast import over

MEMORY = "negin_sms.gateway.memory.MemoryGateway"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def capped(use_account):
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"day": 2})


def statuses():
    return list(Message.objects.order_by("pk").values_list("status", flat=True))


def counted() -> dict[int, int]:
    """Return the counts of the number by day: 0 is today."""
    today = timezone.now().date()
    rows = CapCount.objects.filter(mobile=MOBILE).values_list("began_at", "messages")
    return {(began_at.date() - today).days: messages for began_at, messages in rows}


def test_message_over_its_number_s_cap_is_told_and_waits(capped):
    for _ in range(2):
        services.send_sms(MOBILE, "x")
    with pytest.raises(CapExceeded) as caught:
        services.send_sms(MOBILE, "x")
    assert caught.value.scope == "mobile"
    assert 0 < caught.value.retry_after <= 86400
    assert "At most 2 messages in a day" in str(caught.value)
    assert MOBILE[1:] not in repr(caught.value)
    row = caught.value.message
    assert (row.status, row.attempts, counted()) == ("queued", 0, {0: 2, 1: 1})
    assert row.due_at.date() > timezone.now().date()


def test_cap_counts_from_when_it_is_set(use_account):
    use_account(BACKEND=MEMORY)
    services.send_sms(MOBILE, "before")
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"day": 1})
    assert services.send_sms(MOBILE, "first").status == "accepted"
    with pytest.raises(CapExceeded):
        services.send_sms(MOBILE, "second")


def test_what_was_put_off_says_once_why_it_waits(use_account):
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"day": 1})
    for number in range(2):
        services.queue_sms(MOBILE, str(number))
    services.dispatch_queue()
    last = Message.objects.get(status="queued")
    (verdict,) = services.why_waiting(last)
    assert (verdict.reason, verdict.until) == (last.detail, last.due_at)


def test_of_a_cap_that_is_full_again_the_last_end_is_told(use_account):
    """Who waits for the next period of a number has a place of the account there."""
    use_account(BACKEND=MEMORY, ACCOUNT_CAPS={"day": 1}, EXPIRES_IN=9 * 86400)
    services.send_sms(MOBILE, "x")
    row = services.queue_sms(OTHER_MOBILE, "x")
    (today,) = CapCount.objects.all()
    days = [today.began_at + timedelta(days=n) for n in (1, 2)]
    (verdict,) = services.why_waiting(row)
    assert verdict.until == days[0]
    CapCount.objects.create(
        account="default", seconds=86400, began_at=days[0], messages=1
    )
    (verdict,) = services.why_waiting(row)
    assert verdict.until == days[1]


def test_what_expires_before_tomorrow_meets_no_cap_of_tomorrow(use_account):
    """Its page named one cap twice, with two ends."""
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"day": 1}, EXPIRES_IN=3 * 86400)
    services.send_sms(MOBILE, "x")
    hasty = services.queue_sms(MOBILE, "x", expires_in=60)
    services.queue_sms(MOBILE, "takes the place of tomorrow")
    services.dispatch_queue()
    hasty.refresh_from_db()
    assert hasty.due_at >= hasty.expires_at
    (verdict,) = services.why_waiting(hasty)
    assert (verdict.reason, verdict.until) == (hasty.detail, hasty.due_at)


def test_queued_messages_are_counted_when_they_leave(capped):
    for number in range(3):
        services.queue_sms(MOBILE, str(number))
    assert not CapCount.objects.exists()
    report = services.dispatch_queue()
    assert (report.accepted, report.put_off) == (2, 1)
    assert statuses() == ["accepted", "accepted", "queued"]
    assert counted() == {0: 2, 1: 1}


def test_message_is_cancelled_where_the_next_period_is_full_too(capped):
    services.queue_many([{"mobile": MOBILE, "text": str(n)} for n in range(5)])
    assert services.dispatch_queue().cancelled == 1
    assert statuses() == ["accepted", "accepted", "queued", "queued", "cancelled"]
    detail = Message.objects.last().detail
    assert detail.endswith("The next period is full, too.")


def test_of_two_caps_the_one_that_lasts_longer_is_told(use_account):
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"hour": 1}, ACCOUNT_CAPS={"day": 1})
    services.send_sms(MOBILE, "x")
    row = services.queue_sms(MOBILE, "x")
    rows = Message.objects.filter(pk=row.pk)
    at = timezone.now().replace(hour=12)  # no hour that ends with the day
    CapCount.objects.filter(seconds=3600).update(
        began_at=at.replace(minute=0, second=0, microsecond=0)
    )
    assert over(rows, at) == (0, 1)
    full = caps.find_full(row, at, None, "default")
    assert full is not None
    assert full.scope == "account"
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"hour": 1}, ACCOUNT_CAPS={"day": 2})
    assert over(rows, at) == (1, 0)


def test_cap_that_is_full_in_the_next_period_is_the_one_that_is_named(use_account):
    """Of what waits for tomorrow one has a place: in its first minute."""
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"minute": 1, "day": 1}, EXPIRES_IN=172800)
    services.queue_many([{"mobile": MOBILE, "text": str(n)} for n in range(3)])
    services.dispatch_queue()
    late = services.queue_sms(MOBILE, "late")
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"minute": 1, "day": 2}, EXPIRES_IN=172800)
    CapCount.objects.filter(seconds=86400, messages=1).update(messages=2)
    tomorrow = CapCount.objects.filter(seconds=86400).latest("began_at")
    CapCount.objects.filter(pk=tomorrow.pk).update(messages=1)
    (verdict,) = services.why_waiting(late)
    assert services.dispatch_queue().cancelled == 1
    late.refresh_from_db()
    assert late.detail == verdict.reason
    assert late.detail == (
        "At most 2 messages in a day go to one number. When the next period begins, "
        "this is full: At most 1 message in a minute goes to one number."
    )


def test_place_given_back_while_it_is_judged_cancels_nothing(capped, monkeypatch):
    """Neither a place nor a full period is found then: it waits, and is asked again."""
    services.queue_many([{"mobile": MOBILE, "text": str(n)} for n in range(4)])
    services.dispatch_queue()
    late = services.queue_sms(MOBILE, "late")
    find_full, asked = caps.find_full, []

    def given_back(*args):
        asked.append(args)
        return find_full(*args) if len(asked) == 1 else None

    monkeypatch.setattr(caps, "find_full", given_back)
    assert services.dispatch_queue().put_off == 1
    late.refresh_from_db()
    assert (late.status, len(asked)) == ("queued", 2)


def test_why_waiting_foresees_that_the_next_period_is_full_too(capped):
    services.queue_many([{"mobile": MOBILE, "text": str(n)} for n in range(4)])
    services.dispatch_queue()
    late = services.queue_sms(MOBILE, "late")
    (verdict,) = services.why_waiting(late)
    assert (verdict.stops, verdict.until) == (True, None)
    assert services.dispatch_queue().cancelled == 1
    late.refresh_from_db()
    assert late.detail == verdict.reason


def test_place_that_was_taken_is_not_taken_twice(capped):
    services.queue_many([{"mobile": MOBILE, "text": str(n)} for n in range(3)])
    services.dispatch_queue()
    days = timedelta(days=1)
    for row in CapCount.objects.order_by("began_at"):
        CapCount.objects.filter(pk=row.pk).update(began_at=row.began_at - days)
    now = timezone.now()
    Message.objects.filter(status="queued").update(due_at=now, counted_for=now)
    assert services.dispatch_queue().accepted == 1
    assert counted() == {-1: 2, 0: 1}


def test_try_that_failed_takes_no_second_place(capped):
    row = services.queue_sms(MOBILE, "x")
    for _ in range(3):
        memory.outbox.refuse(23)
        Message.objects.update(due_at=row.created_at)
        services.resume_account("default")
        services.dispatch_queue()
    assert (statuses(), counted()) == (["queued"], {0: 1})


def test_who_wants_it_at_once_or_not_at_all_takes_no_place(capped):
    for _ in range(2):
        services.send_sms(MOBILE, "x")
    with pytest.raises(CapExceeded, match="was cancelled and will not"):
        services.send_sms(MOBILE, "code", on_not_sent="cancel")
    assert (statuses()[-1], counted()) == ("cancelled", {0: 2})


def test_cancelled_message_gives_its_place_up(capped):
    services.queue_many([{"mobile": MOBILE, "text": str(n)} for n in range(3)])
    services.dispatch_queue()
    services.cancel(Message.objects.filter(status="queued"))
    assert counted() == {0: 2, 1: 0}


def test_held_message_that_is_cancelled_gives_its_place_up(capped):
    services.queue_many([{"mobile": MOBILE, "text": str(n)} for n in range(3)])
    services.dispatch_queue()
    services.hold_queue(reason="restored")
    services.cancel(Message.objects.filter(status="held"))
    assert counted() == {0: 2, 1: 0}


@pytest.fixture
def placed(use_account):
    """A message that has today's try behind it and a place tomorrow."""
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"day": 1})
    services.send_sms(MOBILE, "first")
    row = services.queue_sms(
        MOBILE, "x", idempotency_key="k", expires_in=timedelta(days=3)
    )
    services.dispatch_queue()
    assert counted() == {0: 1, 1: 1}
    return row


def test_call_that_must_not_wait_gives_the_place_up(placed):
    with pytest.raises(NotSent, match="cancelled"):
        services.send_sms(MOBILE, "x", idempotency_key="k", on_not_sent="cancel")
    assert (statuses()[-1], counted()) == ("cancelled", {0: 1, 1: 0})


@pytest.mark.parametrize("why", ["opt-out", "ONLY_TO"])
def test_message_that_is_stopped_early_gives_its_place_up(placed, use_account, why):
    if why == "opt-out":
        services.opt_out(MOBILE)
    else:
        own = {"MOBILE_CAPS": {"day": 1}, "ONLY_TO": [OTHER_MOBILE]}
        use_account(BACKEND=MEMORY, **own)
    services.send_messages(placed)
    assert (statuses()[-1], counted()) == ("cancelled", {0: 1, 1: 0})


@pytest.mark.parametrize("is_vetoed", [False, True])
def test_message_that_leaves_early_gives_its_later_place_up(
    placed, use_account, is_vetoed
):
    def veto(message, **kwargs):
        raise Vetoed("no")

    use_account(BACKEND=MEMORY, MOBILE_CAPS={"day": 2})
    if is_vetoed:
        pre_send.connect(veto)
    services.send_messages(placed)
    pre_send.disconnect(veto)
    assert (statuses()[-1], counted()) == (
        ("cancelled", {0: 1, 1: 0}) if is_vetoed else ("accepted", {0: 2, 1: 0})
    )


@pytest.mark.parametrize("trouble", ["refused", "throttled", "receiver"])
def test_code_that_never_left_takes_no_place_from_the_next(use_account, trouble):
    """Else a gateway that was away for a minute locks a person out for a day."""

    def fail(message, **kwargs):
        raise ValueError

    use_account(BACKEND=MEMORY, MOBILE_CAPS={"day": 1}, ACCOUNT_CAPS={"day": 1})
    if trouble == "receiver":
        pre_send.connect(fail)
    else:
        memory.outbox.refuse(23 if trouble == "throttled" else 18, times=1)
    with pytest.raises(NotSent, match="cancelled"):
        services.send_sms(MOBILE, "1234", on_not_sent="cancel")
    pre_send.disconnect(fail)
    assert set(CapCount.objects.values_list("messages", flat=True)) == {0}
    services.resume_account("default")
    assert services.send_sms(MOBILE, "1234").status == "accepted"


def test_message_of_an_account_that_is_gone_can_be_cancelled(placed, settings):
    settings.NEGIN_SMS = {"other": settings.NEGIN_SMS["default"]}
    assert services.cancel(placed).done == 1


def test_what_expires_before_the_next_period_takes_no_place_in_it(capped):
    """Else codes that nobody got would keep the next period's from their number."""
    for _ in range(2):
        services.send_sms(MOBILE, "x")
    with pytest.raises(CapExceeded):
        services.send_sms(MOBILE, "code", expires_in=0.5)
    assert (statuses()[-1], counted()) == ("queued", {0: 2})
    time.sleep(0.6)
    assert services.dispatch_queue().expired == 1


@pytest.mark.parametrize("texts", [["x"], ["x", "y", "z"]])
def test_gate_that_breaks_off_counts_nobody_twice(capped, texts):
    """A server that ends a request ends it in a receiver, too."""
    seen = []

    def end(message, **kwargs):
        seen.append(message.pk)
        if len(seen) == 1:
            raise KeyboardInterrupt

    pre_send.connect(end)
    services.queue_many([{"mobile": MOBILE, "text": text} for text in texts])
    with pytest.raises(KeyboardInterrupt):
        services.dispatch_queue()
    assert set(statuses()) == {"queued"}
    services.dispatch_queue()
    pre_send.disconnect(end)
    assert counted() == ({0: 1} if len(texts) == 1 else {0: 2, 1: 1})


def test_database_that_fails_at_the_gate_counts_nobody_twice(use_account, monkeypatch):
    """It fails after the first of two counts, and the message tries again."""
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"hour": 9, "day": 9})
    take, calls = caps._take, []

    def fail_once(*args, **options):
        calls.append(args)
        if len(calls) == 2:
            raise OperationalError("away")
        return take(*args, **options)

    monkeypatch.setattr(caps, "_take", fail_once)
    services.queue_sms(MOBILE, "x")
    assert services.dispatch_queue().accepted == 1
    assert set(CapCount.objects.values_list("messages", flat=True)) == {1}


def test_place_of_a_vetoed_message_is_given_back_with_its_end(capped, monkeypatch):
    def veto(message, **kwargs):
        raise Vetoed("no")

    give_back, calls = caps.give_back_places, []

    def fail_once(*args):
        calls.append(args)
        if len(calls) == 1:
            raise OperationalError("away")
        give_back(*args)

    monkeypatch.setattr(caps, "give_back_places", fail_once)
    pre_send.connect(veto)
    services.queue_sms(MOBILE, "x")
    services.dispatch_queue()
    pre_send.disconnect(veto)
    assert (statuses(), counted()) == (["cancelled"], {0: 0})


def test_places_of_many_are_given_back_at_once_and_in_the_gate_s_order(
    use_account, monkeypatch
):
    """Else who cancels many and who sends one of them wait for each other."""
    both = {"day": 5, "hour": 5}
    use_account(BACKEND=MEMORY, MOBILE_CAPS=both, ACCOUNT_CAPS=both)
    rows = [services.queue_sms(m, "x") for m in [MOBILE, OTHER_MOBILE] * 2]
    now, counts, asked = timezone.now(), caps._counts, []

    def note(period, using):
        asked.append(period)
        return counts(period, using)

    monkeypatch.setattr(caps, "_counts", note)
    for row in rows:
        caps.take_place(row, now, None, "default")
    taken = [(period.mobile, period.seconds) for period in asked]
    assert set(CapCount.objects.values_list("messages", flat=True)) == {2, 4}
    # As if somebody had emptied the table, and one has left since.
    CapCount.objects.filter(mobile="", seconds=3600).update(messages=1)
    del asked[:]
    services.cancel(rows)
    given = [(period.mobile, period.seconds) for period in asked]
    assert len(given) == 6
    for by_one in (taken[:4], taken[4:8]):
        assert [each for each in given if each in by_one] == by_one
    assert set(CapCount.objects.values_list("messages", flat=True)) == {0}


def test_vetoed_message_is_not_counted(capped):
    def veto(message, **kwargs):
        raise Vetoed("no")

    pre_send.connect(veto)
    services.queue_sms(MOBILE, "x")
    services.dispatch_queue()
    pre_send.disconnect(veto)
    assert (statuses(), counted()) == (["cancelled"], {0: 0})


def test_every_way_in_is_counted(capped):
    """The admin's drafts, a resend, and a message sent by hand."""
    draft = MessageFactory(status="draft")
    services.queue_messages([draft])
    services.resend([MessageFactory(status="rejected")], by=None)
    services.dispatch_queue()
    third = MessageFactory(status="draft")
    report = services.send_messages([third])
    assert (report.done, statuses()) == (
        0,
        ["accepted", "rejected", "accepted", "queued"],
    )


def test_batch_may_be_let_over_its_caps(capped):
    rows = MessageFactory.create_batch(3, status="draft", group="g")
    assert services.confirm_batch("g", ignore_caps=True) == len(rows)
    services.dispatch_queue()
    assert (statuses(), counted()) == (["accepted"] * 3, {0: 3})


def test_other_numbers_have_caps_of_their_own(capped):
    for mobile in (MOBILE, OTHER_MOBILE):
        for _ in range(2):
            services.send_sms(mobile, "x")
    assert len(memory.outbox) == 4


def test_every_spelling_is_one_number(capped):
    services.send_sms("0939 521 3300", "x")
    services.send_sms("+98 939 521 3300", "x")
    with pytest.raises(CapExceeded):
        services.send_sms("۰۹۳۹۵۲۱۳۳۰۰", "x")


def test_account_over_its_cap_claims_nothing(use_account):
    use_account(BACKEND=MEMORY, ACCOUNT_CAPS={"hour": 2})
    services.queue_many([{"mobile": MOBILE, "text": str(n)} for n in range(40)])
    assert services.dispatch_queue().accepted == 2
    waiting = Message.objects.filter(status="queued")
    assert (waiting.count(), waiting.filter(detail="", attempts=0).count()) == (38, 38)
    with pytest.raises(CapExceeded, match="The account sends at most 2") as caught:
        services.send_sms(OTHER_MOBILE, "x")
    assert caught.value.scope == "account"


@pytest.mark.parametrize("by_name", [False, True])
def test_place_that_was_kept_in_the_account_s_last_one_is_used(use_account, by_name):
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"minute": 1}, ACCOUNT_CAPS={"day": 2})
    services.send_sms(MOBILE, "first")
    row = services.queue_sms(MOBILE, "second")
    services.dispatch_queue()
    row.refresh_from_db()
    assert row.counted_for  # in the next minute, and so in the day, which is full now
    rows = Message.objects.filter(pk=row.pk)
    now = timezone.now()
    before = row.counted_for - timedelta(seconds=1)  # sent then, it would wait again
    assert over(rows, row.counted_for) == (0, 0)
    assert over(rows, before) == (1, 0)
    use_account(BACKEND=MEMORY, ACCOUNT_CAPS={"day": 2})  # a minute may end any time
    services.queue_sms(OTHER_MOBILE, "without a place")
    rows.update(counted_for=now - timedelta(days=1))  # in a day that is over
    assert services.dispatch_queue().accepted == 0
    rows.update(counted_for=now, due_at=now)
    if by_name:
        services.send_messages(rows)
    else:
        services.dispatch_queue()
    accepted = Message.objects.filter(status="accepted").order_by("pk")
    assert [message.text for message in accepted] == ["first", "second"]


def test_account_that_is_over_its_cap_says_so_by_its_own_cap(use_account):
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"day": 2}, ACCOUNT_CAPS={"day": 3})
    for number in range(3):
        services.send_sms(f"0939521330{number}", "x")
    (verdict,) = obstacles(conf.get_account(), "default")
    assert verdict.reason == "The account sends at most 3 messages in a day."


def test_longest_period_that_is_full_says_when(use_account):
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"minute": 1, "day": 1})
    services.send_sms(MOBILE, "x")
    with pytest.raises(CapExceeded) as caught:
        services.send_sms(MOBILE, "x")
    assert caught.value.message.due_at.date() > timezone.now().date()


def test_receipt_in_the_caller_s_transaction_rolls_nothing_back(use_account):
    """The tutorial's cap: a code, and within the hour the payment's receipt."""
    use_account(BACKEND=MEMORY, MOBILE_CAPS={"hour": 1})
    services.send_sms(MOBILE, "code")
    with transaction.atomic():
        receipt = services.queue_sms(MOBILE, "paid")
    services.dispatch_queue()
    receipt.refresh_from_db()
    assert receipt.status == "queued"
    assert "At most 1 message in an hour" in receipt.detail


def test_without_caps_nothing_is_counted(use_account):
    use_account(BACKEND=MEMORY)
    services.send_sms(MOBILE, "x")
    assert not CapCount.objects.exists()


def test_counts_of_long_ago_are_forgotten(capped):
    services.send_sms(MOBILE, "x")
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


def test_what_ignores_caps_leaves_although_its_account_s_is_used_up(use_account):
    use_account(BACKEND=MEMORY, ACCOUNT_CAPS={"day": 1})
    services.queue_many([{"mobile": MOBILE, "text": str(n)} for n in range(4)])
    services.dispatch_queue()
    MessageFactory(group="urgent", status="draft", text="over")
    assert services.dispatch_queue().accepted == 0
    services.confirm_batch("urgent", ignore_caps=True)
    assert services.dispatch_queue().accepted == 1
    assert memory.outbox[-1].text == "over"
    assert statuses().count("queued") == 3


@pytest.mark.usefixtures("each_engine")
class TestOverrideBehindMany:
    """It leaves from any place in the queue, and moves none of those before it."""

    @pytest.fixture
    def last(self, use_account) -> Message:
        use_account(BACKEND=MEMORY, ACCOUNT_CAPS={"day": 1}, WORKERS=2)
        services.send_sms(MOBILE, "takes the place")
        MessageFactory.create_batch(250)
        last: Message = MessageFactory(text="over", ignores_caps=True)
        return last

    def assert_sent(self) -> None:
        assert memory.outbox[-1].text == "over"
        assert statuses().count("queued") == 250
        assert not Message.objects.filter(status="queued").exclude(detail="").exists()

    def test_leaves_with_the_dispatcher(self, last):
        assert services.why_waiting(last) == ()
        report = services.dispatch_queue()
        assert (report.accepted, report.put_off) == (1, 0)
        self.assert_sent()

    def test_leaves_when_it_is_sent_by_hand(self, last):
        assert services.send_messages([last]).done == 1
        self.assert_sent()

    def test_stays_when_it_is_moved_meanwhile(self, last, monkeypatch):
        """Between the look at what may leave and the claim of it."""
        admit = breaker.admit

        def move_first(*args, **options):
            later = timezone.now() + timedelta(hours=1)
            services.reschedule(last, later, by=None)
            return admit(*args, **options)

        monkeypatch.setattr(breaker, "admit", move_first)
        assert services.dispatch_queue().accepted == 0

    def test_all_of_them_leave_in_one_run(self, last):
        MessageFactory.create_batch(9, ignores_caps=True)
        assert services.dispatch_queue().accepted == 10

    def test_waits_for_the_end_of_the_quiet_hours(self, last, settings):
        now = timezone.localtime()
        around = (now - timedelta(hours=1), now + timedelta(hours=1))
        quiet = tuple(f"{at:%H:%M}" for at in around)
        ours = settings.NEGIN_SMS["default"]
        settings.NEGIN_SMS = {"default": {**ours, "QUIET_HOURS": quiet}}
        Message.objects.filter(pk=last.pk).update(priority=Priority.LOW)
        assert services.dispatch_queue().accepted == 0

    def test_others_say_what_they_wait_for(self, last):
        row = Message.objects.filter(status="queued").earliest("pk")
        ((_pk, why),) = services.send_messages([row]).skipped
        assert "at most 1 message in a day" in why
