"""What an idempotency key returns, when it raises, and when it is given back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from negin_sms import services
from negin_sms.exceptions import (
    IdempotencyConflict,
    NeginSmsError,
    NotSent,
    OutcomeUnknown,
    Rejected,
)
from negin_sms.gateway import memory
from negin_sms.models import Message
from negin_sms.services.submission import idempotency
from tests.factories import MOBILE

pytestmark = pytest.mark.django_db(transaction=True)


def queue(text="x", **options):
    return services.queue_sms(MOBILE, text, idempotency_key="k", **options)


def send(**options):
    return services.send_sms(MOBILE, "x", idempotency_key="k", **options)


def test_line_that_nobody_named_is_no_part_of_it(settings):
    first = queue()
    account = settings.NEGIN_SMS["default"] | {"LINE": "9830009999"}
    settings.NEGIN_SMS = {"default": account}
    assert queue() == first
    services.dispatch_queue()
    assert queue() == first


def test_line_that_somebody_named_is():
    queue()
    with pytest.raises(IdempotencyConflict):
        queue(line="9830009999")


def test_another_time_is_another_wish():
    later = timezone.now() + timedelta(hours=1)
    first = queue(send_at=later)
    assert queue(send_at=later) == first
    with pytest.raises(IdempotencyConflict):
        queue(send_at=later + timedelta(hours=1))


@pytest.mark.parametrize("way", ["queue_sms", "queue_many", "send_sms"])
@pytest.mark.parametrize("status", ["cancelled", "expired"])
def test_row_that_was_never_sent_gives_its_key_back(way, status):
    old = queue()
    Message.objects.update(status=status, finished_at=timezone.now())
    if way == "queue_many":
        wish = {"mobile": MOBILE, "text": "y", "idempotency_key": "k"}
        (new,) = services.queue_many([wish])
    else:
        new = getattr(services, way)(MOBILE, "y", idempotency_key="k")
    old.refresh_from_db()
    assert (old.idempotency_key, new.idempotency_key) == (None, "k")
    assert new.pk != old.pk
    assert new.resend_of == old
    # Beside the one that has taken its place it is not sent again.
    assert "again already" in services.resend(old, by=None).skipped[0][1]


@pytest.mark.parametrize("status", ["queued", "held"])
def test_overdue_row_is_over_before_anybody_has_swept_it(status):
    old = queue()
    past = timezone.now() - timedelta(hours=1)
    Message.objects.update(
        status=status, begins_at=past - timedelta(hours=1), expires_at=past
    )
    new = send()
    assert (new.status, new.resend_of) == ("accepted", old)
    services.dispatch_queue()
    assert len(memory.outbox) == 1


def test_row_of_another_number_that_takes_a_key_is_no_resend():
    """Else nobody can send again what the first one never got."""
    old = queue()
    services.cancel(old)
    new = services.queue_sms("09120000000", "x", idempotency_key="k")
    assert (new.resend_of, new.idempotency_key) == (None, "k")
    assert services.resend(old, by=None).done == 1
    again = Message.objects.get(resend_of=old)
    assert (again.mobile, again.idempotency_key) == (old.mobile, None)


@pytest.mark.parametrize("does", ["edit", "reschedule"])
@pytest.mark.parametrize("status", ["queued", "held"])
def test_overdue_row_whose_key_was_taken_is_given_no_more_time(does, status):
    """Nobody has swept it; it would be sent beside the one that was sent for it."""
    old = queue()
    past = timezone.now() - timedelta(hours=1)
    Message.objects.update(
        status=status, begins_at=past - timedelta(hours=1), expires_at=past
    )
    send()
    change = {
        "edit": lambda: services.edit(old, by=None, expires_in=3600),
        "reschedule": lambda: services.reschedule(old, None, by=None),
    }
    with pytest.raises(NeginSmsError, match="sent again already"):
        change[does]()
    services.release(old)
    services.dispatch_queue()
    assert len(memory.outbox) == 1


@pytest.mark.parametrize("way", ["queue_sms", "queue_many", "send_sms"])
def test_row_that_a_person_has_sent_again_gives_its_key_to_that(way):
    """Else the job that repeats its call sends it once more."""
    old = queue(send_at=timezone.now() - timedelta(minutes=1))
    services.cancel(old)
    services.resend(old, by=None, scenario="service_line", template=7)
    services.dispatch_queue()
    again = old.resent_as
    old.refresh_from_db()
    assert (old.idempotency_key, again.idempotency_key) == (None, "k")
    wish = {"mobile": MOBILE, "text": "x", "idempotency_key": "k"}
    if way == "queue_many":
        timed = {**wish, "send_at": old.send_at}
        assert services.queue_many([timed, timed]) == [again, again]
    elif way == "queue_sms":
        assert queue(send_at=old.send_at) == again
    else:
        Message.objects.update(send_at=None)
        assert send() == again
    assert len(memory.outbox) == 1
    with pytest.raises(IdempotencyConflict):
        queue("y")


def test_key_stands_for_what_the_resend_says_by_now():
    """It is edited to another number, and moved: the call asks for something else."""
    old = queue()
    services.cancel(old)
    services.resend(old, by=None)
    again = old.resent_as
    later = timezone.now() + timedelta(days=1)
    services.reschedule(again, later, by=None)
    with pytest.raises(IdempotencyConflict, match=f"message {again.pk}, .*send"):
        send(on_not_sent="cancel")
    services.edit(again, by=None, mobile="09120000000", send_at=None)
    with pytest.raises(IdempotencyConflict, match=f"message {again.pk}, .*mobile"):
        send()
    again.refresh_from_db()
    assert again.status == "queued"


@pytest.mark.parametrize("status", ["rejected", "uncertain"])
def test_row_that_may_have_been_sent_keeps_its_key(status):
    old = queue()
    Message.objects.update(status=status, finished_at=timezone.now())
    services.resend(old, by=None)
    assert old.resent_as.idempotency_key is None
    assert queue() == old


def test_row_whose_resends_were_never_sent_either_gives_its_key_back():
    rows = [queue()]
    for _ in range(3):
        services.cancel(rows[-1])
        services.resend(rows[-1], by=None)
        rows.append(Message.objects.latest("pk"))
    assert queue() == rows[-1]
    services.cancel(rows[-1])
    new = queue()
    assert (new.resend_of, new.idempotency_key) == (rows[-1], "k")
    assert Message.objects.count() == 5


def test_person_who_sends_again_in_the_same_moment_is_the_one_who_does(monkeypatch):
    """The key is taken after the look at who has it: one of the two is stopped."""
    old = queue()
    services.cancel(old)
    insert, calls = idempotency._insert, list[object]()

    def resend_first(messages, free, using):
        calls.append(free)
        if free:
            services.resend(old, by=None)
        insert(messages, free, using)

    monkeypatch.setattr(idempotency, "_insert", resend_first)
    assert queue() == Message.objects.get(resend_of=old)
    assert Message.objects.count() == 2


def test_race_for_several_keys_is_no_conflict_of_alike_ones(monkeypatch):
    """Each of them has an owner: none is what the collation takes another for."""
    wishes = [
        {"mobile": MOBILE, "text": "x", "idempotency_key": key} for key in ("a", "b")
    ]
    services.cancel(services.queue_many(wishes))
    insert, calls = idempotency._insert, list[object]()

    def lose_once(*args):
        calls.append(args)
        if len(calls) == 1:
            raise IntegrityError
        insert(*args)

    monkeypatch.setattr(idempotency, "_insert", lose_once)
    rows = services.queue_many(wishes)
    assert [row.idempotency_key for row in rows] == ["a", "b"]


def test_key_of_another_account_is_not_taken_along(settings):
    """The same two keys, the other way round: nobody has asked for that row."""
    settings.NEGIN_SMS = settings.NEGIN_SMS | {"bulk": settings.NEGIN_SMS["default"]}
    old = services.queue_sms(MOBILE, "x", idempotency_key="b")
    services.cancel(old)
    wish = {"mobile": MOBILE, "text": "x"}
    services.queue_many(
        [
            {**wish, "idempotency_key": "a"},
            {**wish, "idempotency_key": "b", "account": "bulk"},
        ]
    )
    old.refresh_from_db()
    assert old.idempotency_key == "b"


def test_row_that_is_purged_in_this_moment_is_no_row_to_point_at(monkeypatch):
    """PostgreSQL would tell of it at the end of the caller's transaction."""
    old = queue()
    services.cancel(old)
    look, calls = idempotency._owners_of_keys, list[object]()

    def purge_after(*args):
        owners = look(*args)
        if not calls:
            Message.objects.filter(pk=old.pk).delete()
        calls.append(args)
        return owners

    monkeypatch.setattr(idempotency, "_owners_of_keys", purge_after)
    with transaction.atomic():
        new = queue()
    new.refresh_from_db()
    assert (new.resend_of, new.idempotency_key) == (None, "k")


def test_race_of_two_accounts_is_no_conflict_of_alike_keys(settings, monkeypatch):
    settings.NEGIN_SMS = settings.NEGIN_SMS | {"bulk": settings.NEGIN_SMS["default"]}
    services.queue_sms(MOBILE, "x", idempotency_key="b")
    wish = {"mobile": MOBILE, "text": "x"}
    insert, calls = idempotency._insert, list[object]()

    def lose_once(*args):
        calls.append(args)
        if len(calls) == 1:
            raise IntegrityError
        insert(*args)

    monkeypatch.setattr(idempotency, "_insert", lose_once)
    rows = services.queue_many(
        [
            {**wish, "idempotency_key": "a"},
            {**wish, "idempotency_key": "b", "account": "bulk"},
        ]
    )
    assert [(row.account, row.idempotency_key) for row in rows] == [
        ("default", "a"),
        ("bulk", "b"),
    ]


def test_send_returns_what_it_has_returned():
    first = send()
    assert send() == first
    assert len(memory.outbox) == 1


@pytest.mark.parametrize(
    ("order", "error"),
    [
        (lambda: memory.outbox.refuse(27), Rejected),
        (memory.outbox.lose_answer, OutcomeUnknown),
        (memory.outbox.throttle, NotSent),
    ],
)
def test_send_raises_what_it_has_raised(order, error):
    order()
    for _try in range(2):
        with pytest.raises(error) as caught:
            send()
        assert caught.value.message.pk == Message.objects.get().pk
    assert len(memory.outbox) <= 1


def test_held_message_is_said_to_wait_for_its_release():
    services.queue_sms(MOBILE, "x", idempotency_key="k")
    services.hold_queue(reason="restored")
    with pytest.raises(NotSent, match="once somebody releases it: do not send it"):
        services.send_sms(MOBILE, "x", idempotency_key="k")
    assert services.release(Message.objects.all()).done == 1


def test_conflict_among_many_names_its_position():
    wishes = [
        {"mobile": MOBILE, "text": str(n), "idempotency_key": "k"} for n in (1, 2)
    ]
    with pytest.raises(IdempotencyConflict) as caught:
        services.queue_many([{"mobile": MOBILE, "text": "first"}, *wishes])
    assert caught.value.position == 2
    assert str(caught.value).startswith("[2] An idempotency key is given to several")
    assert not Message.objects.exists()
