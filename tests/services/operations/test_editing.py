"""Messages that wait are edited and moved; those that have left are not."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.utils import timezone

from negin_sms import conf, services
from negin_sms.choices import Priority, Scenario, Status
from negin_sms.exceptions import IdempotencyConflict, InvalidMessage, NeginSmsError
from negin_sms.jalali import written
from negin_sms.models import CapCount, Message
from negin_sms.services.outbox import transitions
from negin_sms.services.outbox.transitions import WAITING
from negin_sms.services.submission.seen import digest
from tests.factories import MOBILE, OTHER_MOBILE, MessageFactory
from tests.services.submission.test_wakers import WOKEN

pytestmark = pytest.mark.django_db

MEMORY = "negin_sms.gateway.memory.MemoryGateway"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def columns(message: Message) -> dict[str, Any]:
    fresh = Message.objects.get(pk=message.pk)
    return {
        field.attname: getattr(fresh, field.attname) for field in fresh._meta.fields
    }


@pytest.mark.parametrize("status", WAITING)
def test_what_waits_is_edited_and_stays_where_it_is(status):
    row = MessageFactory(status=status, detail="Held: restored")
    before = columns(row)
    changed = services.edit(row, by=None, text="Half past four", mobile="0939 000 0000")
    assert changed is row
    assert columns(row) == before | {"text": "Half past four", "mobile": OTHER_MOBILE}


@pytest.mark.parametrize("status", sorted(set(Status) - set(WAITING)))
def test_what_has_left_or_is_over_is_not_touched(status):
    finished = None if status == Status.SENDING else timezone.now()
    row = MessageFactory(status=status, finished_at=finished)
    before = columns(row)
    told = {Status.CANCELLED: "is over", Status.EXPIRED: "is over"}
    told[Status.SENDING] = "is being sent at this moment"
    over = told.get(status, "already left")
    with pytest.raises(NeginSmsError, match=over):
        services.edit(row, by=None, text="late")
    with pytest.raises(NeginSmsError, match=over):
        services.reschedule(row, None, by=None)
    assert columns(row) == before


def test_row_that_is_gone():
    row = MessageFactory()
    pk = row.pk
    row.delete()
    row.pk = pk
    with pytest.raises(NeginSmsError, match="no such message"):
        services.reschedule(row, None, by=None)


class Claiming:
    """A dispatcher that claims the row between our look and our UPDATE."""

    def __init__(self, pk: int) -> None:
        self.pk = pk

    def __call__(self, execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE") and "negin_sms_message" in sql and self.pk:
            pk, self.pk = self.pk, 0
            rows = Message.objects.filter(pk=pk)
            assert transitions.claim(rows, "host:1:a", conf.get_account(), 60) == 1
        return execute(sql, *rest)


def test_edit_that_races_with_a_claim_loses_and_says_so():
    row = MessageFactory(text="As it leaves")
    with (
        connection.execute_wrapper(Claiming(row.pk)),
        pytest.raises(NeginSmsError, match="is being sent at this moment"),
        transaction.atomic(),
    ):
        services.edit(row, by=None, text="too late")
    assert columns(row)["text"] == "As it leaves"


def test_moved_message_takes_its_lifetime_along():
    row = services.queue_sms(MOBILE, "x", send_at=timezone.now() + HOUR, expires_in=600)
    later = timezone.now() + 5 * HOUR
    services.reschedule(row, later, by=None)
    assert (row.send_at, row.due_at) == (later, later)
    assert row.expires_at == later + timedelta(seconds=600)


def test_lifetime_is_not_what_tries_have_left_of_it():
    now = timezone.now()
    row = MessageFactory(due_at=now + 23 * HOUR, begins_at=now, expires_at=now + DAY)
    services.reschedule(row, timezone.now() + 2 * DAY, by=None)
    assert row.expires_at - row.due_at == DAY


def test_time_may_be_given_with_another_end_and_as_text():
    row = services.queue_sms(MOBILE, "x")
    day = (timezone.localtime() + 3 * DAY).date()
    ends = f"{written(day)} 18:00"
    services.edit(row, by=None, send_at=f"{written(day)} 10:30", expires_at=ends)
    local = timezone.localtime(row.due_at)
    assert (local.date(), local.hour, local.minute) == (day, 10, 30)
    assert row.expires_at - row.due_at == timedelta(hours=7, minutes=30)


def test_end_alone_is_measured_from_when_it_is_due():
    later = timezone.now() + DAY
    row = services.queue_sms(MOBILE, "x", send_at=later)
    services.edit(row, by=None, expires_in=60)
    assert (row.due_at, row.expires_at) == (later, later + timedelta(seconds=60))
    with pytest.raises(InvalidMessage, match="before the message may be sent"):
        services.edit(row, by=None, expires_at=later - HOUR)


@pytest.fixture
def old_draft() -> Message:
    """A draft that somebody made yesterday, to live an hour once it is confirmed."""
    made_at = timezone.now() - DAY
    return MessageFactory(
        status=Status.DRAFT, created_at=made_at, expires_at=made_at + HOUR
    )


def test_draft_of_yesterday_lives_as_long_as_it_was_given_today(old_draft):
    services.edit(old_draft, by=None, expires_in=120)
    services.queue_messages([old_draft])
    old_draft.refresh_from_db()
    assert old_draft.expires_at - old_draft.due_at == timedelta(seconds=120)


def test_draft_of_yesterday_is_not_changed_by_its_own_time(old_draft):
    before = columns(old_draft)
    services.reschedule(old_draft, None, by=None)
    assert columns(old_draft) == before


def test_draft_of_yesterday_may_be_given_an_end(old_draft):
    ends_at = timezone.now() + 2 * HOUR
    services.edit(old_draft, by=None, expires_at=ends_at)
    services.queue_messages([old_draft])
    old_draft.refresh_from_db()
    assert abs(old_draft.expires_at - ends_at) < timedelta(minutes=1)


@pytest.mark.parametrize("send_at", [None, timezone.now() + 3 * DAY])
def test_confirmed_the_next_day_and_moved_it_lives_as_long_as_before(
    old_draft, send_at
):
    services.queue_messages([old_draft])
    Message.objects.update(due_at=timezone.now() + HOUR)  # the gate let it wait
    services.reschedule(old_draft, send_at, by=None)
    assert old_draft.expires_at - old_draft.due_at == HOUR


def test_moved_from_a_later_time_to_now_and_away_again_it_keeps_its_lifetime():
    row = services.queue_sms(MOBILE, "x", send_at=timezone.now() + DAY, expires_in=HOUR)
    Message.objects.update(created_at=timezone.now() - DAY)
    row.refresh_from_db()
    services.reschedule(row, None, by=None)
    services.reschedule(row, timezone.now() + 2 * DAY, by=None)
    assert row.expires_at - row.due_at == HOUR


def test_none_is_now():
    row = services.queue_sms(MOBILE, "x", send_at=timezone.now() + DAY)
    services.reschedule(row, None, by=None)
    assert row.send_at is None
    assert Message.objects.due().count() == 1


def test_what_a_retry_put_off_can_be_asked_for_now():
    row = MessageFactory(due_at=timezone.now() + HOUR, detail="no connection")
    services.reschedule(row, None, by=None)
    assert (Message.objects.due().count(), row.detail) == (1, "")


def test_said_again_nothing_begins_anew(caplog):
    caplog.set_level(logging.INFO, "negin_sms")
    row = services.queue_sms(MOBILE, "x", expires_in=60)
    before = columns(row)
    services.reschedule(row, None, by=None)
    services.edit(row, by=None, text="x", priority=Priority.NORMAL, seen="stale")
    assert columns(row) == before
    assert "edited" not in caplog.text


@pytest.mark.parametrize("status", [Status.QUEUED, Status.HELD])
def test_what_is_past_its_time_lives_anew_where_now_is_asked_for(status):
    """The page foretold an end that was over, and then "Nothing was changed"."""
    past = timezone.now() - DAY
    times = {"begins_at": past - HOUR, "due_at": past - HOUR, "expires_at": past}
    row = MessageFactory(status=status, **times)
    services.edit(row, by=None, text="another")
    row.refresh_from_db()
    assert row.expires_at == past  # nobody has asked for another time
    services.reschedule(row, None, by=None)
    row.refresh_from_db()
    now = timezone.now()
    assert now - HOUR < row.due_at <= now
    assert row.expires_at == row.due_at + HOUR
    assert row.status == status


def test_held_message_leaves_at_its_new_time_once_released():
    row = services.queue_sms(MOBILE, "x")
    services.hold_queue(reason="restored")
    later = timezone.now() + DAY
    services.reschedule(row, later, by=None)
    assert (row.status, row.detail) == (Status.HELD, "Held: restored")
    services.release_queue()
    row.refresh_from_db()
    assert (row.status, row.due_at) == (Status.QUEUED, later)


class TestWay:
    def test_another_scenario_takes_none_of_the_old_lines(self):
        row = services.queue_sms(MOBILE, "x", line="9830001111")
        services.edit(row, by=None, scenario=Scenario.SERVICE_LINE, template=7)
        assert (row.scenario, row.line, row.template) == ("service_line", "", 7)
        services.edit(row, by=None, scenario="single", template=None)
        assert (row.line, row.default_line) == ("", True)

    def test_same_scenario_keeps_them_and_none_is_the_account_s_own(self):
        row = services.queue_sms(MOBILE, "x", line="9830001111")
        services.edit(row, by=None, scenario="single", text="y")
        assert (row.line, row.default_line) == ("9830001111", False)
        services.edit(row, by=None, line=None)
        assert (row.line, row.default_line) == ("", True)


@pytest.mark.parametrize(
    ("field", "words", "arguments"),
    [
        (
            "priorty",
            "edit has no such keyword; did you mean “priority”",
            {"priorty": 1},
        ),
        ("account", "edit has no such keyword", {"account": "bulk"}),
        ("scenario", "did you mean “single”", {"scenario": "singel"}),
        ("priority", "one of these values", {"priority": True}),
        ("mobile", "mobile number", {"mobile": "12"}),
        ("line", "a number of up to 20", {"line": "abc"}),
        ("line2", "line2", {"line2": "9830001111"}),
        ("text", "cannot be sent", {"text": "a\0b"}),
        ("text", "parts", {"text": "x" * 5000}),
        ("send_at", "1405/09/10", {"send_at": "soon"}),
        ("expires_at", "not both", {"expires_in": 1, "expires_at": timezone.now()}),
    ],
)
def test_what_could_not_be_queued_is_refused_by_field(field, words, arguments):
    row = MessageFactory()
    before = columns(row)
    with pytest.raises(InvalidMessage, match=words) as caught:
        services.edit(row, by=None, **arguments)
    assert (caught.value.field, columns(row)) == (field, before)


def test_wrong_arguments_of_reschedule_are_refused_in_its_name():
    row = MessageFactory()
    with pytest.raises(InvalidMessage, match="reschedule has no such keyword"):
        services.reschedule(row, None, by=None, text="x")  # type: ignore[call-arg]
    with pytest.raises(InvalidMessage, match="value of type int"):
        services.reschedule(row.pk, None, by=None)  # type: ignore[arg-type]


def test_key_stands_for_the_edited_wish():
    row = services.queue_sms(MOBILE, "At four", idempotency_key="visit-7")
    services.edit(row, by=None, text="At five")
    again = services.queue_sms(MOBILE, "At five", idempotency_key="visit-7")
    assert again.pk == row.pk
    with pytest.raises(IdempotencyConflict):
        services.queue_sms(MOBILE, "At four", idempotency_key="visit-7")


def test_what_the_gate_put_off_meets_the_rules_anew_with_another_priority():
    later = timezone.now() + 5 * DAY
    row = MessageFactory(priority=Priority.LOW)
    Message.objects.update(due_at=later, detail="It waits for the end of the night.")
    services.edit(row, by=None, text="another")
    assert (row.due_at, row.detail != "") == (later, True)
    services.edit(row, by=None, priority=Priority.NORMAL)
    assert services.why_waiting(row) == ()
    assert services.dispatch_queue().accepted == 1


class TestPlaces:
    """What is over its number's cap has a place in the next period."""

    @pytest.fixture
    def waiting(self, use_account) -> Message:
        use_account(BACKEND=MEMORY, MOBILE_CAPS={"day": 1})
        services.queue_many([{"mobile": MOBILE, "text": str(n)} for n in range(2)])
        services.dispatch_queue()
        assert self.places() == [1, 1]
        return Message.objects.get(status=Status.QUEUED)

    def places(self) -> list[int]:
        rows = CapCount.objects.filter(mobile=MOBILE).order_by("began_at")
        return list(rows.values_list("messages", flat=True))

    def test_place_is_kept_with_the_time(self, waiting):
        services.edit(waiting, by=None, text="another", priority=Priority.LOW)
        assert (self.places(), waiting.counted_for is None) == ([1, 1], False)

    @pytest.mark.parametrize("change", [{"mobile": OTHER_MOBILE}, {"send_at": "later"}])
    def test_place_is_given_up_with_the_time_or_the_number(self, waiting, change):
        if "send_at" in change:
            change = {"send_at": timezone.now() + 5 * DAY}
        services.edit(waiting, by=None, **change)
        assert (self.places(), waiting.counted_for) == ([1, 0], None)

    def test_another_number_does_not_wait_for_the_cap_of_the_old_one(self, waiting):
        services.edit(waiting, by=None, mobile=OTHER_MOBILE)
        assert (services.why_waiting(waiting), waiting.detail) == ((), "")
        assert services.dispatch_queue().accepted == 1

    def test_place_is_taken_anew_when_it_is_asked_for_now(self, waiting):
        services.reschedule(waiting, None, by=None)
        assert self.places() == [1, 0]
        assert services.dispatch_queue().put_off == 1
        assert self.places() == [1, 1]


def test_what_was_seen_is_compared_in_the_transaction_that_writes():
    row = MessageFactory()
    seen = digest(Message.objects.filter(pk=row.pk))
    services.edit(row, by=None, text="first", seen=seen)
    with pytest.raises(InvalidMessage) as caught:
        services.edit(row, by=None, text="second", seen=seen)
    assert (caught.value.field, columns(row)["text"]) == ("seen", "first")


def test_who_and_what_is_logged_and_nothing_that_it_says(caplog):
    caplog.set_level(logging.INFO, "negin_sms")
    user = get_user_model()._default_manager.create(username="staff")
    row = MessageFactory()
    services.edit(row, by=user, text="canary", mobile=OTHER_MOBILE)
    assert f"SMS {row.pk} was edited (mobile, text) by {user.pk}" in caplog.text
    assert "canary" not in caplog.text
    assert OTHER_MOBILE[3:] not in caplog.text


def test_waker_is_called_for_what_is_due_sooner(
    use_account, django_capture_on_commit_callbacks
):
    waker = "tests.services.submission.test_wakers.note_waking"
    use_account(WAKER=waker)
    WOKEN.clear()
    row = MessageFactory(send_at=timezone.now() + DAY)
    with django_capture_on_commit_callbacks(execute=True):
        services.reschedule(row, None, by=None)
    assert len(WOKEN) == 1


def test_row_without_a_sane_lifetime_gets_the_account_s():
    row = MessageFactory(status=Status.DRAFT)
    Message.objects.update(expires_at=row.due_at - DAY)
    services.edit(row, by=None, text="y")
    services.reschedule(row, timezone.now() + HOUR, by=None)
    assert row.expires_at - row.due_at == timedelta(
        seconds=conf.get_account().expires_in
    )
