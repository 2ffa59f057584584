"""What a report does to its row, and what a silence does."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from negin_sms import conf, services
from negin_sms.choices import Flag, Status
from negin_sms.models import Message
from negin_sms.services.delivery.states import PollTarget, read_due, write_states
from tests.factories import MessageFactory
from tests.services.delivery.scripted import codes_of, poll

pytestmark = pytest.mark.django_db


def read(limit=10):
    now = timezone.now()
    return read_due(conf.get_account(), limit, by=now, since=None, using="default")


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
    assert row.state_words == "Unknown code 24"
    assert caplog.text.count("unknown state code 24") == 1


def test_ids_left_out_stay_due_later(gateway):
    known, unknown = MessageFactory.create_batch(2, accepted=True)
    gateway.codes = {known.gateway_id: 1, "424242": 1}
    report = services.poll_states()
    unknown.refresh_from_db()
    assert (report.asked, report.answered, report.settled) == (2, 1, 1)
    assert unknown.state is None
    assert unknown.poll_at > timezone.now()


def test_bad_id_past_the_window_is_settled(gateway):
    row = MessageFactory(accepted=True)
    Message.objects.update(finished_at=timezone.now() - timedelta(days=2))
    gateway.poison = {row.gateway_id}
    services.poll_states()
    row.refresh_from_db()
    assert (row.poll_at, row.state_words) == (None, "No report")


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


def test_late_answer_to_what_another_was_told_is_not_written(gateway):
    row = MessageFactory(accepted=True)
    (late,) = read()
    account = conf.get_account()
    write_states(read(), {row.gateway_id: 8}, account, using="default")
    written = write_states([late], {row.gateway_id: 1}, account, using="default")
    assert (written.changed, written.reports) == ({}, [])
    assert codes_of(row) == [8]


def test_writing_twice_doubles_no_history(gateway):
    row = MessageFactory(accepted=True)
    asked = [PollTarget(row.pk, row.gateway_id, row.created_at)]
    for _ in range(2):
        write_states(asked, {row.gateway_id: 8}, conf.get_account(), using="default")
    assert codes_of(row) == [8]
