"""The poller: what is asked, what an answer changes, what a failure leaves."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from negin_sms import conf, services
from negin_sms.choices import Flag, State, Status
from negin_sms.exceptions import (
    AccountPaused,
    Effect,
    NotSent,
    OutcomeUnknown,
    Rejected,
)
from negin_sms.gateway import get_gateway, memory
from negin_sms.models import AccountState, Message
from negin_sms.querysets import DbNow
from negin_sms.services.delivery.states import (
    PollTarget,
    end_turn,
    read_due,
    take_turn,
    write_states,
)
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db


class Scripted(memory.MemoryGateway):
    """Answer from ``codes``, with ``strays`` beside; refuse a batch with a poison id.

    Fail with ``error``, or with each of ``errors`` once.
    """

    def __init__(self, account):
        super().__init__(account)
        self.codes: dict[str, int] = {}
        self.poison: set[str] = set()
        self.error: Exception | None = None
        self.errors: list[Exception] = []
        self.asked: list[list[str]] = []
        self.strays: dict[str, dict[str, int]] = {}

    def states(self, ids):
        self.asked.append(list(ids))
        if self.errors:
            raise self.errors.pop()
        if self.error is not None:
            raise self.error
        if self.poison & set(ids):
            raise Rejected("id", code=24, effect=Effect.SUCCESS)
        known = {key: self.codes[key] for key in ids if key in self.codes}
        return known | self.strays.get(ids[-1], {})


@pytest.fixture
def gateway(use_account) -> Scripted:
    use_account(BACKEND="tests.services.delivery.test_poller.Scripted")
    return get_gateway()  # type: ignore[return-value]


def codes_of(row) -> list[int]:
    return list(row.states.values_list("code", flat=True))


def poll(gateway, row, code):
    gateway.codes[row.gateway_id] = code
    Message.objects.filter(pk=row.pk, poll_at__isnull=False).update(
        poll_at=timezone.now() - timedelta(seconds=1)
    )
    report = services.poll_states()
    row.refresh_from_db()
    return report


@pytest.mark.parametrize("code", [1, 2, 16])
def test_last_word_settles_a_message(gateway, code):
    row = MessageFactory(accepted=True)
    report = poll(gateway, row, code)
    assert (row.state, row.poll_at) == (code, None)
    assert row.settled_at is not None
    assert (report.asked, report.settled, report.states) == (1, 1, Counter({code: 1}))


@pytest.mark.parametrize("code", [-1, 0, 8, 9])
def test_other_codes_are_asked_about_again(gateway, code):
    row = MessageFactory(accepted=True)
    poll(gateway, row, code)
    assert (row.state, row.settled_at) == (code, None)
    assert row.poll_at > timezone.now()


def test_next_poll_goes_by_age(gateway):
    young = MessageFactory(accepted=True)
    old = MessageFactory(accepted=True)
    age = timedelta(hours=2)
    Message.objects.filter(pk=old.pk).update(finished_at=timezone.now() - age)
    services.poll_states()
    for row, low, high in ((young, 5, 15), (old, 3600, 3600 * 1.3)):
        row.refresh_from_db()
        left = (row.poll_at - timezone.now()).total_seconds()
        assert low <= left <= high


def test_closing_window_asks_once_more_then_settles_without_report(gateway):
    row = MessageFactory(accepted=True)
    long_ago = timezone.now() - timedelta(hours=23, minutes=5)
    Message.objects.filter(pk=row.pk).update(finished_at=long_ago)
    report = poll(gateway, row, 8)
    assert (report.asked, report.no_report) == (1, 1)
    assert row.settled_at is not None
    assert row.state_words == "No report"
    assert services.poll_states().asked == 0


@pytest.mark.parametrize(
    ("reports", "state"),
    [
        ([0, 8, 1], 1),
        ([8, 0, -1], 8),
        ([8, 9], 8),
        ([-1, 0], -1),
        ([9, 8], 8),
    ],
)
def test_state_moves_upward_only_and_history_keeps_all(gateway, reports, state):
    row = MessageFactory(accepted=True)
    for code in reports:
        poll(gateway, row, code)
    assert row.state == state
    assert codes_of(row) == reports


def test_same_report_again_is_no_news(gateway):
    row = MessageFactory(accepted=True)
    for code in (8, 8, 8):
        poll(gateway, row, code)
    assert codes_of(row) == [8]


def test_refresh_after_the_last_word_can_still_deliver(gateway):
    row = MessageFactory(accepted=True)
    poll(gateway, row, 2)
    gateway.codes[row.gateway_id] = 1
    report = services.refresh_states([row])
    row.refresh_from_db()
    assert (row.state, report.changed) == (1, 1)
    assert row.poll_at is None
    assert row.states.last().source == "refresh"


def test_final_state_taken_back_is_flagged_and_stays(gateway):
    row = MessageFactory(accepted=True)
    poll(gateway, row, 1)
    gateway.codes[row.gateway_id] = 8
    services.refresh_states([row])
    row.refresh_from_db()
    assert (row.state, row.flag) == (1, Flag.REGRESSION)
    assert codes_of(row) == [1, 8]


def test_unknown_state_is_kept_flagged_and_warned_about_once(gateway, caplog):
    rows = MessageFactory.create_batch(2, accepted=True)
    with caplog.at_level(logging.ERROR, "negin_sms"):
        for row in rows:
            poll(gateway, row, 24)
    assert (row.state, row.flag) == (24, Flag.UNKNOWN_CODE)
    assert row.state_words == "Unknown state 24"
    assert caplog.text.count("unknown state code 24") == 1


def test_ids_left_out_stay_due_later(gateway):
    known, unknown = MessageFactory.create_batch(2, accepted=True)
    gateway.codes = {known.gateway_id: 1, "424242": 1}
    report = services.poll_states()
    unknown.refresh_from_db()
    assert (report.asked, report.answered, report.settled) == (2, 1, 1)
    assert unknown.state is None
    assert unknown.poll_at > timezone.now()


def test_only_accepted_rows_with_an_id_are_refreshed(gateway):
    rows = [
        MessageFactory(),
        MessageFactory(uncertain=True),
        MessageFactory(accepted=True, flag=Flag.SHARED_ID),
    ]
    report = services.refresh_states(rows)
    assert report.requests == 0
    assert [pk for pk, _why in report.skipped] == [row.pk for row in rows]


def test_chunks_have_the_batch_size(gateway):
    MessageFactory.create_batch(25, accepted=True)
    services.poll_states(batch_size=10)
    assert sorted(map(len, gateway.asked)) == [5, 10, 10]


def test_limit_and_since_and_dry_run(gateway):
    MessageFactory.create_batch(5, accepted=True)
    later = timezone.now() + timedelta(minutes=1)
    assert services.poll_states(dry_run=True).due == 5
    assert services.poll_states(since=later, dry_run=True).due == 0
    assert gateway.asked == []
    assert services.poll_states(limit=2).asked == 2
    assert services.poll_states(dry_run=True).due == 3


def test_state_of_an_id_that_was_not_asked_for_is_ignored(gateway):
    own, other = MessageFactory.create_batch(2, accepted=True)
    gateway.strays = {own.gateway_id: {other.gateway_id: 2}}
    gateway.codes = {own.gateway_id: 1, other.gateway_id: 8}
    report = services.poll_states(batch_size=1, workers=1)
    other.refresh_from_db()
    assert (other.state, report.answered) == (8, 2)
    assert codes_of(other) == [8]


def test_what_falls_due_during_a_run_is_left_to_the_next(gateway):
    MessageFactory(accepted=True)
    report = services.poll_states(
        progress=lambda asked, states: MessageFactory(accepted=True)
    )
    assert report.asked == 1
    assert services.poll_states(dry_run=True).due == 1


def test_forever_looks_again_until_it_is_stopped(gateway):
    MessageFactory(accepted=True)
    stop = threading.Event()

    def progress(asked, states):
        if asked < 3:
            MessageFactory(accepted=True)
        else:
            stop.set()

    report = services.poll_states(
        forever=True, interval=0.01, stop=stop, progress=progress
    )
    assert report.asked == 3


def test_limit_counts_over_all_looks(gateway):
    MessageFactory.create_batch(5, accepted=True)
    report = services.poll_states(forever=True, interval=0.01, limit=3, batch_size=2)
    assert report.asked == 3


def test_errors_of_an_earlier_look_are_over(gateway, monkeypatch):
    monkeypatch.setattr("negin_sms.services.delivery.account_poller.POLL_RETRY", 0.01)
    MessageFactory(accepted=True)
    gateway.errors = [NotSent("down")]
    report = services.poll_states(forever=True, interval=0.02, limit=1)
    assert (report.asked, report.put_off, report.errors) == (1, 1, ())


def test_bad_id_is_found_by_halving_and_set_aside(gateway):
    rows = MessageFactory.create_batch(100, accepted=True)
    gateway.codes = {row.gateway_id: 1 for row in rows}
    gateway.poison = {rows[37].gateway_id}
    report = services.poll_states()
    assert report.settled == 99
    assert report.requests <= 15
    bad = Message.objects.get(pk=rows[37].pk)
    assert bad.settled_at is None
    assert bad.poll_at - timezone.now() > timedelta(hours=22)
    assert "no answer for its id" in bad.detail


def test_bad_id_past_the_window_is_settled(gateway):
    row = MessageFactory(accepted=True)
    Message.objects.update(finished_at=timezone.now() - timedelta(days=2))
    gateway.poison = {row.gateway_id}
    services.poll_states()
    row.refresh_from_db()
    assert (row.poll_at, row.state_words) == (None, "No report")


@pytest.mark.parametrize(
    "error", [NotSent("down"), OutcomeUnknown("html"), KeyError("mistake")]
)
def test_failed_request_changes_nothing_and_stays_due(gateway, error):
    row = MessageFactory(accepted=True)
    gateway.error = error
    report = services.poll_states()
    row.refresh_from_db()
    assert (report.asked, report.put_off) == (0, 1)
    assert len(report.errors) == 1
    assert row.state is None
    assert timedelta(0) < row.poll_at - timezone.now() < timedelta(seconds=10)


def test_first_failure_ends_the_turn_of_that_account_only(gateway, settings):
    good = {"BACKEND": "negin_sms.gateway.memory.MemoryGateway", "LINE": "98"}
    bad = {"BACKEND": "tests.services.delivery.test_poller.Scripted", "LINE": "98"}
    settings.NEGIN_SMS = {"bad": bad, "default": good}
    MessageFactory.create_batch(30, accepted=True, account="bad")
    MessageFactory(accepted=True)
    broken: Any = get_gateway("bad")
    broken.error = NotSent("down")
    report = services.poll_states(batch_size=1, workers=1)
    assert len(broken.asked) <= 3
    assert report.asked == 1
    assert 1 <= report.put_off <= 3
    assert Message.objects.filter(account="bad", settled_at=None).count() == 30


def test_refused_account_is_paused_and_not_asked_again(gateway):
    row = MessageFactory(accepted=True)
    gateway.error = AccountPaused("password", code=18, effect=Effect.PAUSES)
    services.poll_states()
    assert AccountState.objects.get().is_paused
    Message.objects.filter(pk=row.pk).update(poll_at=DbNow())
    services.poll_states()
    assert len(gateway.asked) == 1


def test_pause_by_hand_stops_sending_not_asking(gateway):
    services.pause_account("default", reason="maintenance")
    row = MessageFactory(accepted=True)
    assert poll(gateway, row, 1).settled == 1


def test_resolved_message_is_asked_about(gateway):
    row = MessageFactory(uncertain=True)
    services.resolve(row, "accepted", by=None, why="panel", gateway_id="9001")
    poll(gateway, row, 1)
    assert row.state == State.DELIVERED


def test_poller_is_seen(gateway):
    services.poll_states()
    seen = AccountState.objects.get().poller_seen_at
    assert timezone.now() - seen < timedelta(seconds=5)


def test_poller_rescues_what_a_dead_dispatcher_held(gateway):
    row = MessageFactory(sending=True, claimed_until=DbNow())
    services.poll_states()
    row.refresh_from_db()
    assert row.status == Status.UNCERTAIN


class TestTwoPollers:
    def read(self, limit=10):
        now = timezone.now()
        return read_due(conf.get_account(), limit, by=now, since=None, using="default")

    def hold(self, name):
        return take_turn(conf.get_account(), name, "default")

    def test_one_at_a_time_asks_for_an_account(self):
        assert (self.hold("one"), self.hold("other"), self.hold("one")) == (1, 0, 1)
        end_turn("other", "default")
        assert not self.hold("other")
        end_turn("one", "default")
        assert self.hold("other")

    def test_turn_of_a_dead_poller_ends_by_itself(self):
        self.hold("dead")
        AccountState.objects.update(poller_until=timezone.now() - timedelta(seconds=1))
        assert self.hold("next")

    def test_poller_that_finds_another_at_it_asks_nothing(self, gateway):
        MessageFactory(accepted=True)
        self.hold("other")
        report = services.poll_states()
        assert (report.asked, report.errors, gateway.asked) == (0, (), [])

    def test_turn_is_over_after_a_run_whatever_its_end(self, gateway):
        MessageFactory(accepted=True)
        for gateway.error in (None, NotSent("down")):
            Message.objects.update(poll_at=DbNow(), settled_at=None)
            services.poll_states()
            assert AccountState.objects.get().poller == ""

    def test_late_answer_to_what_another_was_told_is_not_written(self, gateway):
        row = MessageFactory(accepted=True)
        (late,) = self.read()
        account = conf.get_account()
        write_states(self.read(), {row.gateway_id: 8}, account, using="default")
        written = write_states([late], {row.gateway_id: 1}, account, using="default")
        assert (written.changed, written.reports) == ({}, [])
        assert codes_of(row) == [8]

    def test_writing_twice_doubles_no_history(self, gateway):
        row = MessageFactory(accepted=True)
        asked = [PollTarget(row.pk, row.gateway_id, row.created_at)]
        for _ in range(2):
            write_states(
                asked, {row.gateway_id: 8}, conf.get_account(), using="default"
            )
        assert codes_of(row) == [8]


def test_writing_costs_the_same_whatever_the_states(gateway, django_assert_num_queries):
    rows = MessageFactory.create_batch(60, accepted=True)
    codes = [1, 2, 8, 16, 0, -1, 77]
    asked = [PollTarget(row.pk, row.gateway_id, row.created_at) for row in rows]
    answers = {row.gateway_id: codes[n % 7] for n, row in enumerate(rows)}
    with django_assert_num_queries(7):  # two savepoints; time, rows, history; 2 writes
        write_states(asked, answers, conf.get_account(), using="default")
    assert Message.objects.filter(state=1).count() == 9


def test_rejected_and_uncertain_rows_are_not_asked_about(gateway):
    MessageFactory(status=Status.REJECTED)
    MessageFactory(uncertain=True)
    assert services.poll_states().due == 0
