"""Purging: what is over goes, what is not stays, and the report keeps its numbers."""

from __future__ import annotations

import io
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from negin_sms import conf, services
from negin_sms.choices import Status
from negin_sms.exceptions import NeginSmsError
from negin_sms.models import CountedDay, DeliveryState, Message
from negin_sms.services.delivery.states import PollTarget, write_states
from negin_sms.services.operations.retention import purge
from negin_sms.services.statistics.daily_counts import day_of
from tests.factories import MOBILE, MessageFactory

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
LONG_AGO = timezone.now() - 100 * DAY
MONTHS = timedelta(days=90)
OVER: list[dict[str, Any]] = [
    {"status": Status.REJECTED},
    {"status": Status.CANCELLED},
    {"status": Status.EXPIRED},
    {"accepted": True, "poll_at": None, "settled_at": LONG_AGO, "state": 1},
    # Resolved by hand, without an id to ask about.
    {"accepted": True, "poll_at": None, "gateway_id": ""},
]
UNFINISHED: list[dict[str, Any]] = [
    {"status": Status.DRAFT, "finished_at": None},
    {"status": Status.QUEUED, "finished_at": None},
    {"sending": True},
    {"uncertain": True},
    {"accepted": True},
]


def make(fields: dict[str, Any], at=LONG_AGO) -> Message:
    return MessageFactory(**{"created_at": at, "finished_at": at, **fields})


def make_all(at=LONG_AGO) -> tuple[set[int], set[int]]:
    """Make a message of every kind; return the keys of those over, and of the rest."""
    over, unfinished = (
        {make(fields, at).pk for fields in kinds} for kinds in (OVER, UNFINISHED)
    )
    return over, unfinished


def keys() -> set[int]:
    return set(Message.objects.values_list("pk", flat=True))


def report():
    day = day_of(LONG_AGO)
    return services.delivery_statistics(day - DAY, day + DAY)


def run(*args: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("purge_sms_messages", *args, stdout=out, **options)
    return out.getvalue()


class TestDeleting:
    def test_takes_what_is_over_and_nothing_unfinished(self):
        _over, unfinished = make_all()
        done = services.purge_messages(MONTHS)
        assert keys() == unfinished
        assert (done.messages, done.uncertain, done.unsettled) == (len(OVER), 1, 1)

    def test_age_is_that_of_the_ending(self):
        make_all(timezone.now() - 89 * DAY)
        make(OVER[0] | {"finished_at": timezone.now() - 89 * DAY})
        assert services.purge_messages(MONTHS).messages == 0

    def test_what_moves_on_meanwhile_is_left_alone(self, monkeypatch):
        message = make({"status": Status.REJECTED})
        freeze = purge._Purge._freeze

        def move_on(purge, days):
            freeze(purge, days)
            Message.objects.filter(pk=message.pk).update(status=Status.UNCERTAIN)

        monkeypatch.setattr(purge._Purge, "_freeze", move_on)
        assert services.purge_messages(MONTHS).messages == 0
        assert keys() == {message.pk}

    def test_history_goes_and_later_messages_lose_only_the_link(self):
        old = make({"status": Status.REJECTED})
        DeliveryState.objects.create(message=old, code=8, reported_at=LONG_AGO)
        again = MessageFactory(resend_of=old)
        services.purge_messages(MONTHS)
        again.refresh_from_db()
        assert again.resend_of is None
        assert not DeliveryState.objects.exists()

    def test_report_is_the_same_afterwards(self):
        make_all()
        make(OVER[3] | {"group": "sale", "parts": 3, "line": "99", "used_line": "98"})
        before = report()
        services.purge_messages(MONTHS)
        assert report() == before
        has_ended = [each for each in UNFINISHED if "finished_at" not in each]
        assert before.total.total == len(OVER) + len(has_ended) + 1

    def test_day_that_was_counted_long_ago_is_not_counted_anew(self):
        make(OVER[3])
        before = report()
        services.purge_messages(MONTHS)
        late = make(OVER[3])
        write_states(
            [PollTarget(late.pk, late.gateway_id, LONG_AGO)],
            {},
            conf.get_account(),
            using="default",
        )
        assert report() == before
        assert CountedDay.objects.get().frozen

    def test_days_that_lose_nothing_are_not_sealed(self):
        make({"uncertain": True})
        services.purge_messages(MONTHS)
        assert not CountedDay.objects.exists()

    def test_days_whose_counts_are_not_final_are_out_of_reach(self):
        make(OVER[0], timezone.now() - 2 * DAY)
        with pytest.raises(NeginSmsError, match="at least 3d"):
            services.purge_messages(2 * DAY)
        assert services.purge_messages(3 * DAY).messages == 0

    def test_other_messages_with_the_same_ending_are_not_skipped(self, monkeypatch):
        monkeypatch.setattr(purge, "_BATCH", 2)
        for at in (LONG_AGO, LONG_AGO, LONG_AGO, LONG_AGO + DAY, LONG_AGO + DAY):
            make(OVER[0], at)
            make({"uncertain": True}, at)
        assert services.purge_messages(MONTHS).messages == 5
        assert Message.objects.count() == 5


class TestRedacting:
    def test_blanks_number_and_text_of_what_is_over(self):
        over, unfinished = make_all()
        assert services.purge_messages(MONTHS, redact=True).messages == len(over)
        for message in Message.objects.filter(pk__in=over):
            assert (message.mobile, message.text) == ("", "")
            assert message.masked_mobile == "•••"
            assert message.redacted_at
        assert not Message.objects.filter(pk__in=unfinished, mobile="").exists()

    def test_second_run_finds_nothing(self):
        make_all()
        services.purge_messages(MONTHS, redact=True)
        assert services.purge_messages(MONTHS, redact=True).messages == 0

    def test_takes_the_number_of_what_was_blanked_already(self):
        message = make(
            OVER[0] | {"sensitive": True, "text": "", "redacted_at": LONG_AGO}
        )
        services.purge_messages(MONTHS, redact=True)
        message.refresh_from_db()
        assert (message.mobile, message.redacted_at) == ("", LONG_AGO)

    def test_report_is_the_same_and_no_day_is_sealed(self):
        make_all()
        before = report()
        services.purge_messages(timedelta(hours=1), redact=True)
        assert report() == before
        assert not CountedDay.objects.exists()

    def test_redacted_rows_can_be_deleted_later(self):
        over, unfinished = make_all()
        services.purge_messages(MONTHS, redact=True)
        assert services.purge_messages(MONTHS).messages == len(over)
        assert keys() == unfinished

    def test_redacted_message_cannot_be_sent_again(self):
        message = make({"status": Status.REJECTED})
        services.purge_messages(MONTHS, redact=True)
        assert services.resend([message], by=None).done == 0

    @pytest.mark.parametrize(("age", "kept"), [(DAY, True), (3 * DAY, False)])
    def test_idempotency_key_belongs_to_the_row_for_three_days(self, age, kept):
        message = make(OVER[3] | {"idempotency_key": "order-7"})
        services.purge_messages(age, redact=True)
        again = services.queue_sms(MOBILE, message.text, idempotency_key="order-7")
        assert (again.pk == message.pk) is kept

    def test_key_of_what_was_redacted_young_goes_in_its_time(self):
        message = make(OVER[3] | {"idempotency_key": "code-09120000000"})
        assert services.purge_messages(DAY, redact=True).messages == 1
        assert services.purge_messages(3 * DAY, redact=True).messages == 1
        assert services.purge_messages(3 * DAY, redact=True).messages == 0
        message.refresh_from_db()
        assert message.idempotency_key is None


class TestDrafts:
    def test_are_kept_unless_asked_for(self):
        make({"status": Status.DRAFT, "finished_at": None})
        young = MessageFactory(status=Status.DRAFT)
        assert services.purge_messages(MONTHS).drafts == 0
        assert services.purge_messages(MONTHS, drafts=True, dry_run=True).drafts == 1
        assert services.purge_messages(MONTHS, drafts=True).drafts == 1
        assert keys() == {young.pk}


class TestBatches:
    @pytest.fixture(autouse=True)
    def _patience(self, monkeypatch):
        """Let no busy machine make the batches smaller."""
        monkeypatch.setattr(purge, "_LONG", 60)

    def queries(self, messages: int) -> int:
        for _ in range(messages):
            make(OVER[3])
        with CaptureQueriesContext(connection) as queries:
            assert services.purge_messages(MONTHS).messages == messages
        return len(queries)

    def test_cost_does_not_grow_with_their_size(self):
        self.queries(1)  # counts and seals the day
        assert self.queries(3) == self.queries(50)

    def test_cost_of_one(self, monkeypatch):
        monkeypatch.setattr(purge, "_BATCH", 10)
        self.queries(1)
        # Its page; what of it is over; begin, lock, look, three deletions, commit.
        assert self.queries(40) - self.queries(30) == 9

    def test_batches_that_take_long_become_smaller(self, monkeypatch):
        monkeypatch.setattr(purge, "_BATCH", 8)
        monkeypatch.setattr(purge, "_LONG", 0)
        for _ in range(20):
            make(OVER[0])
        sizes: list[int] = []
        services.purge_messages(MONTHS, progress=sizes.append)
        assert sizes == [8, 4, 2, 1, 1, 1, 1, 1, 1]

    def test_batches_that_are_quick_become_larger(self, monkeypatch):
        monkeypatch.setattr(purge, "_FIRST_BATCH", 2)
        monkeypatch.setattr(purge, "_BATCH", 8)
        monkeypatch.setattr(purge, "_SHORT", 60)
        for _ in range(20):
            make(OVER[0])
        sizes: list[int] = []
        services.purge_messages(MONTHS, progress=sizes.append)
        assert sizes == [2, 4, 8, 6]

    def test_waiting_for_a_turn_is_no_work(self, monkeypatch):
        """As on SQLite, where a busy dispatcher has the database most of the time."""
        monkeypatch.setattr(purge, "_BATCH", 4)
        monkeypatch.setattr(purge, "_LONG", 0.25)
        for _ in range(10):
            make(OVER[0])

        def wait(execute: Any, sql: str, *rest: Any) -> Any:
            if sql.startswith("SAVEPOINT"):
                time.sleep(2 * purge._LONG)
            return execute(sql, *rest)

        sizes: list[int] = []
        with connection.execute_wrapper(wait):
            done = services.purge_messages(MONTHS, redact=True, progress=sizes.append)
        assert sizes == [4, 4, 2]
        assert done.longest_seconds < purge._LONG

    def test_stop_ends_after_the_batch_under_way(self, monkeypatch):
        monkeypatch.setattr(purge, "_BATCH", 2)
        for _ in range(6):
            make(OVER[0])
        stop = threading.Event()
        done = services.purge_messages(
            MONTHS, stop=stop, progress=lambda _messages: stop.set()
        )
        assert (done.messages, done.stopped) == (2, True)
        assert services.purge_messages(MONTHS).messages == 4

    def test_refuses_the_callers_transaction(self):
        """It would be one long transaction then, whatever the batches."""
        make(OVER[0])
        with transaction.atomic(), pytest.raises(NeginSmsError, match="transaction"):
            services.purge_messages(MONTHS)


class TestCommand:
    def test_says_what_was_done_and_what_was_kept(self):
        make_all()
        assert run("--older-than=90d").startswith(
            "5 message(s) deleted, 1 uncertain kept (resolve them first), 1 kept that "
            "are still asked about; longest transaction 0."
        )

    def test_dry_run_changes_nothing(self):
        over, unfinished = make_all()
        out = run("--older-than=90d", "--dry-run", "--redact", "--drafts")
        assert out.startswith("5 message(s) to be redacted, 1 draft(s) to be deleted")
        assert keys() == over | unfinished
        assert not Message.objects.filter(mobile="").exists()

    def test_is_silent_when_asked(self):
        assert run("--older-than=90d", verbosity=0) == ""

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ([], "--older-than"),
            (["--older-than=soon"], "give an age such as 90d"),
            (["--older-than=2d"], "at least 3d"),
        ],
    )
    def test_says_what_is_wrong(self, arguments, words):
        with pytest.raises(CommandError, match=words):
            run(*arguments)
