"""Counting days, and keeping the counts: a copy that never goes stale."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from negin_sms import conf, services
from negin_sms.choices import Status
from negin_sms.models import CountedDay, DailyCount, Message
from negin_sms.services.delivery.states import PollTarget, set_aside, write_states
from negin_sms.services.outbox import shared_ids
from negin_sms.services.statistics import daily_counts
from negin_sms.services.statistics.daily_counts import (
    count_day,
    day_bounds,
    day_of,
    rollup_closed_days,
    rollup_day,
)
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db

LONG_AGO = timezone.now() - timedelta(days=10)
DAY = day_of(LONG_AGO)
# A day is at rest from six in the morning of the day after the next.
AT_REST = day_of(timezone.now() - timedelta(hours=30)) - timedelta(days=1)
DAYS_TO_FOLD = (AT_REST - DAY).days + 1


def sent(state: int | None = 1, seconds: float = 12, **fields: Any) -> Message:
    ended = fields.pop("finished_at", LONG_AGO)
    return MessageFactory(
        **{
            "accepted": True,
            "finished_at": ended,
            "state": state,
            "state_at": ended + timedelta(seconds=seconds),
            "settled_at": ended + timedelta(days=1),
            "poll_at": None,
            **fields,
        }
    )


def count(dimension: str = "day", value: str = "", day: date = DAY, account="default"):
    return count_day(day, using="default")[account, dimension, value]


def kept(day: date = DAY) -> int:
    return DailyCount.objects.filter(day=day, dimension="day").count()


def fold() -> int:
    return rollup_closed_days(using="default")


def is_counted(day: date = DAY) -> bool:
    return CountedDay.objects.filter(day=day, counted_at__isnull=False).exists()


class TestCountDay:
    def test_each_message_is_counted_once_by_how_it_ended(self):
        for state in (1, 2, 16, 8, 0, None):
            sent(state)
        sent(8, settled_at=None)
        sent(None, settled_at=None)
        MessageFactory(status=Status.REJECTED, code=27, finished_at=LONG_AGO)
        MessageFactory(uncertain=True, finished_at=LONG_AGO)
        MessageFactory(status=Status.EXPIRED, finished_at=LONG_AGO)
        MessageFactory(status=Status.CANCELLED, finished_at=LONG_AGO)
        counts = count()
        assert (counts.delivered, counts.undelivered, counts.no_report) == (1, 2, 3)
        assert (counts.at_operator, counts.waiting) == (1, 1)
        assert (counts.rejected, counts.uncertain, counts.not_sent) == (1, 1, 2)
        assert counts.total == Message.objects.count()

    def test_what_waits_to_be_sent_is_no_part_of_a_day(self):
        MessageFactory(created_at=LONG_AGO)
        MessageFactory(status=Status.DRAFT, created_at=LONG_AGO)
        assert count_day(DAY, using="default") == {}

    def test_days_are_those_of_the_project(self):
        """Tehran is half past three hours ahead."""
        sent(finished_at=datetime(2025, 5, 5, 20, 29, 59, 999999, tzinfo=UTC))
        sent(finished_at=datetime(2025, 5, 5, 20, 30, tzinfo=UTC))
        assert count(day=date(2025, 5, 5)).total == 1
        assert count(day=date(2025, 5, 6)).total == 1

    def test_traits_are_counted_apart(self):
        sent(line="98", template=None, group="sale")
        sent(
            line="99",
            group="",
            scenario="service_fallback",
            template=3,
            account="other",
        )
        assert count("line", "98").delivered == 1
        assert count("group", "sale").total == count("template").total == 1
        assert count("template", "3", account="other").total == 1
        assert count("scenario", "service_fallback", account="other").total == 1

    def test_what_ended_before_it_was_taken_counts_under_its_account_s_line(self):
        ended = {"status": Status.CANCELLED, "finished_at": LONG_AGO}
        MessageFactory(line="", default_line=True, **ended)
        MessageFactory(line="", default_line=True, account="gone", **ended)
        lines = {key[::2] for key in count_day(DAY, using="default") if "line" in key}
        assert lines == {("default", "9830003300"), ("gone", "")}

    def test_parts_and_fallback_are_those_of_sent_messages(self):
        sent(parts=3, line="98", used_line="99")
        sent(parts=2, line="98", used_line="98")
        sent(parts=1, line="98", used_line="")
        sent(scenario="service_line", line="", used_line="99")
        fields = {"parts": 5, "line": "98", "used_line": "99"}
        MessageFactory(status=Status.REJECTED, finished_at=LONG_AGO, **fields)
        assert (count().parts, count().fallback) == (7, 1)

    def test_reasons_are_the_codes_of_the_rejected(self):
        for code in (27, 27, 1, None):
            MessageFactory(status=Status.REJECTED, code=code, finished_at=LONG_AGO)
        sent(code=-1)
        found = count_day(DAY, using="default")
        reasons = {key[2]: c.rejected for key, c in found.items() if key[1] == "reason"}
        assert reasons == {"27": 2, "1": 1, "": 1}

    @pytest.mark.parametrize(
        ("seconds", "bucket"),
        [(-3, 0), (0, 0), (4, 0), (5, 1), (12, 2), (86399, 19), (86400, 20)],
    )
    def test_delivery_times_fall_into_buckets(self, seconds, bucket):
        ended = LONG_AGO.replace(microsecond=250_000)
        sent(seconds=seconds, finished_at=ended)
        sent(2, seconds=seconds)
        assert count().times[bucket] == sum(count().times) == 1

    def test_fractions_of_seconds_count_alike_everywhere(self):
        ended = LONG_AGO.replace(second=10, microsecond=999_900)
        sent(finished_at=ended, seconds=4.0002)  # 10 to 15 in whole seconds
        assert count().times[1] == 1

    def test_small_groups_of_a_crowd_are_counted_together(self, monkeypatch):
        monkeypatch.setattr(daily_counts, "GROUPS_A_DAY", 2)
        for size, group in ((3, "b"), (2, "a"), (2, "c"), (1, "d")):
            for _number in range(size):
                sent(group=group)
        assert count("group", "b").total == 3
        assert count("group", "a").total == 2
        assert count("other_groups").total == 3

    def test_costs_two_queries_whatever_there_is(self, django_assert_num_queries):
        for number in range(5):
            sent(group=f"g{number}", line=f"98{number}")
        with django_assert_num_queries(2):
            count_day(DAY, using="default")


class TestFold:
    def test_days_at_rest_are_kept_and_no_others(self):
        sent()
        noon = day_bounds(AT_REST)[0] + timedelta(hours=12)
        for days in (0, 1, 2):
            sent(finished_at=noon + timedelta(days=days))
        assert fold() == DAYS_TO_FOLD
        assert kept(AT_REST) == kept() == 1
        assert not kept(AT_REST + timedelta(days=1))
        assert not kept(AT_REST + timedelta(days=2))

    @pytest.mark.parametrize(
        ("after_its_end", "is_at_rest"),
        [(timedelta(hours=29, minutes=59), False), (timedelta(hours=30), True)],
    )
    def test_day_is_at_rest_thirty_hours_after_its_end(
        self, monkeypatch, after_its_end, is_at_rest
    ):
        sent()
        now = day_bounds(DAY)[1] + after_its_end
        monkeypatch.setattr(daily_counts, "database_now", lambda using: now)
        fold()
        assert is_counted() == is_at_rest

    def test_folding_again_changes_nothing(self):
        sent()
        fold()
        before = list(DailyCount.objects.order_by("pk").values())
        assert fold() == 0
        assert not rollup_day(DAY, using="default")
        assert list(DailyCount.objects.order_by("pk").values()) == before

    def test_nothing_to_do_costs_three_queries(self, django_assert_num_queries):
        sent()
        fold()
        with django_assert_num_queries(3):
            assert fold() == 0

    def test_backlog_is_worked_off_the_latest_days_first(self):
        sent()
        assert rollup_closed_days(using="default", limit=3) == 3
        assert CountedDay.objects.get(day=AT_REST)
        assert not is_counted()
        assert fold() == DAYS_TO_FOLD - 3

    def test_poller_folds_when_it_has_polled(self):
        sent()
        services.poll_states()
        assert is_counted()

    def test_stopped_poller_does_not_begin_to_fold(self):
        sent()
        stop = threading.Event()
        stop.set()
        services.poll_states(stop=stop)
        assert not is_counted()

    def test_failure_is_told_and_the_poller_goes_on(self, monkeypatch, caplog):
        def fail(*args, **kwargs):
            raise DatabaseError

        sent()
        monkeypatch.setattr(daily_counts, "count_day", fail)
        assert services.poll_states().errors == ()
        assert "not kept" in caplog.text
        assert not is_counted()

    def test_killed_in_between_it_leaves_nothing_behind(self, monkeypatch):
        """What a kill leaves is what a rollback leaves: the day is one transaction."""

        class Killed(BaseException):
            pass

        def die(*args, **kwargs):
            raise Killed

        sent()
        fold()
        daily_counts.invalidate_days([LONG_AGO], using="default")
        monkeypatch.setattr(daily_counts, "count_day", die)
        with pytest.raises(Killed):
            fold()
        assert (kept(), is_counted()) == (1, False)
        monkeypatch.undo()
        assert fold() == 1
        assert (kept(), is_counted()) == (1, True)


@pytest.mark.django_db(transaction=True)
class TestTwoProcesses:
    def run(self, *actions) -> list[Any]:
        found: list[Any] = []
        start = threading.Barrier(len(actions))

        def go(action):
            start.wait(5)
            try:
                found.append(action())
            finally:
                connection.close()

        threads = [threading.Thread(target=go, args=[action]) for action in actions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        return found

    @pytest.fixture(autouse=True)
    def _server(self):
        if connection.vendor == "sqlite":
            pytest.skip("an in-memory database has one connection")

    def test_two_fold_a_day_once(self):
        sent()
        done = self.run(*[lambda: rollup_day(DAY, using="default")] * 4)
        assert sorted(done) == [False, False, False, True]
        assert kept() == 1

    def test_change_beside_a_fold_is_never_lost(self):
        """Whichever comes first: the day is counted with it, or counted anew."""
        row = sent(2)
        changed, go_on = threading.Event(), threading.Event()

        def change():
            with transaction.atomic():
                Message.objects.filter(pk=row.pk).update(state=1)
                daily_counts.invalidate_days([LONG_AGO], using="default")
                changed.set()
                go_on.wait(1)

        def fold_beside():
            changed.wait(5)
            rollup_day(DAY, using="default")

        self.run(change, fold_beside)
        assert is_counted()
        assert DailyCount.objects.get(day=DAY, dimension="day").delivered == 1


class TestReopen:
    @pytest.fixture
    def folded(self):
        row = sent(2, gateway_id="70001")
        fold()
        assert is_counted()
        return row

    def test_explicit_refresh_reopens_the_day(self, folded):
        asked = [PollTarget(folded.pk, "70001", LONG_AGO)]
        write_states(asked, {"70001": 1}, conf.get_account(), using="default")
        assert not is_counted()
        assert fold() == 1
        assert DailyCount.objects.get(day=DAY, dimension="day").delivered == 1

    def test_refresh_that_tells_nothing_new_does_not(self, folded):
        asked = [PollTarget(folded.pk, "70001", LONG_AGO)]
        write_states(asked, {"70001": 2}, conf.get_account(), using="default")
        assert is_counted()

    def test_late_end_of_polling_reopens_the_day(self, folded):
        row = sent(None, settled_at=None, poll_at=LONG_AGO)
        asked = [PollTarget(row.pk, row.gateway_id, LONG_AGO, row.poll_at)]
        write_states(asked, {}, conf.get_account(), using="default")
        assert not is_counted()

    def test_id_that_is_set_aside_for_good_reopens_the_day(self, folded):
        asked = PollTarget(folded.pk, "70001", LONG_AGO)
        set_aside(asked, conf.get_account(), "default")
        assert not is_counted()

    def test_decision_reopens_the_day(self, folded):
        row = MessageFactory(uncertain=True, finished_at=LONG_AGO)
        services.resolve(row, "rejected", by=None, why="the panel says so")
        assert not is_counted()

    def test_shared_id_reopens_the_day(self, folded):
        fields: dict[str, Any] = {"poll_at": LONG_AGO, "settled_at": None}
        sent(None, gateway_id="70002", **fields)
        sent(None, gateway_id="70002", **fields)
        shared_ids.flag_shared_ids("default", ["70002"], using="default")
        assert not is_counted()

    def test_news_of_the_last_day_cost_nothing(self, django_assert_num_queries):
        # The poll window's 23 hours, and a poller that is late by some.
        moments = [timezone.now() - timedelta(hours=26), None]
        with django_assert_num_queries(0):
            daily_counts.invalidate_days(moments, using="default")

    def test_news_reopen_a_day_hours_before_it_can_be_at_rest(self):
        """Of the clocks of the two who look, one may be late by that."""
        moment = timezone.now() - timedelta(hours=28)
        rollup_day(day_of(moment), using="default")
        daily_counts.invalidate_days([moment], using="default")
        assert not is_counted(day_of(moment))

    def test_sealed_day_stays_as_it_was_counted(self, folded):
        rollup_day(DAY, using="default", freeze=True)
        Message.objects.all().delete()
        daily_counts.invalidate_days([LONG_AGO], using="default")
        assert is_counted()
        assert kept() == 1
        assert fold() == 0

    def test_seal_counts_a_day_that_was_not(self):
        sent()
        assert rollup_day(DAY, using="default", freeze=True)
        assert CountedDay.objects.get(day=DAY).frozen
        assert kept() == 1
