"""Who wants no messages: entered, minded at the gate, and never in a result's way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from negin_sms import conf, services, signals
from negin_sms.choices import Priority, Scenario, Status
from negin_sms.exceptions import InvalidMessage, Rejected, Vetoed
from negin_sms.gateway import memory
from negin_sms.models import Message, OptOut
from negin_sms.services.outbox.gate import caps, opt_outs
from negin_sms.services.submission.recipients.reader import read_sheet
from tests.factories import MOBILE, OTHER_MOBILE, MessageFactory

pytestmark = pytest.mark.django_db(transaction=True)

MEMORY = "negin_sms.gateway.memory.MemoryGateway"
LINE, OTHER_LINE = "9830003300", "9830003301"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _account(use_account):
    use_account(BACKEND=MEMORY, WORKERS=2)


def opted_out(**fields: Any) -> OptOut:
    return OptOut.objects.create(
        **{"mobile": MOBILE, "line": LINE, "since": timezone.now()} | fields
    )


def queue(mobile: str = MOBILE, **fields: Any) -> Message:
    return services.queue_sms(mobile, "x", **fields)


def became(row: Message) -> str:
    row.refresh_from_db()
    return row.status


class TestOptOut:
    def test_of_a_line(self):
        user = get_user_model().objects.create(username="clerk")
        row = services.opt_out("0939 521 3300", line=LINE, reason="asked", by=user)
        assert (row.mobile, row.line, row.account) == (MOBILE, LINE, "")
        assert (row.reason, row.until, row.created_by) == ("asked", None, user)

    def test_of_an_account(self):
        row = services.opt_out(MOBILE)
        assert (row.line, row.account) == ("", "default")

    def test_again_says_what_was_said_last(self):
        later = timezone.now() + DAY
        services.opt_out(MOBILE, line=LINE, reason="first")
        row = services.opt_out(MOBILE, line=LINE, reason="second", until=later)
        assert OptOut.objects.get() == row
        assert (row.reason, row.until) == ("second", later)

    @pytest.mark.parametrize(
        ("field", "options"),
        [
            ("mobile", {"mobile": "021"}),
            ("line", {"line": "the usual"}),
            ("account", {"account": "nobody"}),
            ("account", {"line": LINE, "account": "default"}),
            ("until", {"until": "2020-01-01 12:00"}),
            ("until", {"until": "1470/01/01"}),
            ("until", {"until": timezone.now() - timedelta(minutes=1)}),
        ],
    )
    def test_what_cannot_be(self, field, options):
        with pytest.raises(InvalidMessage) as caught:
            services.opt_out(**{"mobile": MOBILE} | options)
        assert caught.value.field == field
        assert not OptOut.objects.exists()

    @pytest.mark.parametrize("scope", [{}, {"line": LINE, "account": "default"}])
    def test_the_database_holds_that_it_is_a_line_or_an_account(self, scope):
        with pytest.raises(IntegrityError), transaction.atomic():
            opted_out(**{"line": "", **scope})

    def test_words_for_it_hide_the_number(self):
        assert str(opted_out()) == f"0939•••3300 → {LINE}"


class TestOptIn:
    def test_ends_all(self):
        opted_out()
        opted_out(line="", account="default")
        assert services.opt_in("09395213300") == 2
        assert services.opt_in(MOBILE) == 0
        assert became(queue()) == Status.QUEUED
        assert services.dispatch_queue().accepted == 1

    def test_ends_one(self):
        opted_out()
        opted_out(line=OTHER_LINE)
        assert services.opt_in(MOBILE, line=LINE) == 1
        assert OptOut.objects.get(until=None).line == OTHER_LINE


class TestGate:
    @pytest.mark.usefixtures("each_engine")
    def test_single_message_is_cancelled_with_the_reason(self):
        opted_out(reason="asked us to stop")
        row, other = queue(), queue(OTHER_MOBILE)
        report = services.dispatch_queue()
        assert (report.cancelled, report.accepted) == (1, 1)
        assert (became(row), became(other)) == (Status.CANCELLED, Status.ACCEPTED)
        assert "asked us to stop" in row.detail
        assert LINE in row.detail
        assert [sent.mobile for sent in memory.outbox] == [OTHER_MOBILE]

    def test_who_sends_now_is_told(self):
        opted_out()
        with pytest.raises(Vetoed, match="opted out") as caught:
            services.send_sms(MOBILE, "x")
        row = caught.value.message
        assert (row and row.status) == Status.CANCELLED
        assert memory.outbox == []

    @pytest.mark.parametrize(
        "fields",
        [
            {"sensitive": True},
            {"priority": Priority.URGENT},
            {"scenario": Scenario.SERVICE_LINE},
            {"scenario": Scenario.SECOND_LINE},
            {"scenario": Scenario.CHELCHELEH},
            {"scenario": Scenario.SERVICE_FALLBACK},
            {"line": OTHER_LINE},
            {"mobile": OTHER_MOBILE},
        ],
    )
    def test_what_it_leaves_alone(self, fields):
        opted_out()
        row = queue(**fields)
        assert services.dispatch_queue().accepted == 1
        assert became(row) == Status.ACCEPTED

    @pytest.mark.parametrize(
        ("fields", "status"),
        [
            ({"line": "", "account": "default"}, Status.CANCELLED),
            ({"line": "", "account": "other"}, Status.ACCEPTED),
            ({"until": timezone.now() + DAY}, Status.CANCELLED),
            ({"until": timezone.now() - DAY}, Status.ACCEPTED),
        ],
    )
    def test_of_what_and_until_when(self, fields, status):
        opted_out(**fields)
        row = queue()
        services.dispatch_queue()
        assert became(row) == status

    def test_switched_off(self, use_account):
        use_account(BACKEND=MEMORY, OPT_OUTS=False)
        opted_out()
        assert services.why_waiting(queue()) == ()
        assert services.dispatch_queue().accepted == 1

    def test_it_takes_no_place_of_a_cap(self, use_account):
        use_account(BACKEND=MEMORY, ACCOUNT_CAPS={"day": 1})
        opted_out()
        queue()
        services.dispatch_queue()
        assert caps.account_room(conf.get_account(), timezone.now(), "default") == 1

    def test_it_does_not_wait_for_a_cap_first(self, use_account):
        use_account(BACKEND=MEMORY, MOBILE_CAPS={"day": 1})
        opted_out()
        queue(sensitive=True)
        row = queue()
        services.dispatch_queue()
        assert (became(row), "opted out" in row.detail) == (Status.CANCELLED, True)

    def test_why_waiting_says_it(self):
        opted_out()
        (verdict,) = services.why_waiting(queue())
        assert (verdict.stops, "opted out" in verdict.reason) == (True, True)

    def test_one_query_for_a_batch(self):
        opted_out()
        with CaptureQueriesContext(connection) as context:
            found = opt_outs.find(
                [queue() for _ in range(3)], conf.get_account(), "default"
            )
        asked = [q for q in context.captured_queries if "optout" in q["sql"]]
        assert (len(found), len(asked)) == (3, 1)


class TestCode27:
    def refuse(self, **fields: Any) -> Message:
        memory.outbox.refuse(27)
        row = queue(**fields)
        services.dispatch_queue()
        memory.outbox.forget_orders()
        assert became(row) == Status.REJECTED
        return row

    @pytest.mark.usefixtures("each_engine")
    def test_is_remembered_with_an_end(self, use_account):
        use_account(BACKEND=MEMORY, OPT_OUT_DAYS=3)
        self.refuse()
        row = OptOut.objects.get()
        assert (row.mobile, row.line, row.account) == (MOBILE, LINE, "")
        assert row.until
        assert row.until - row.since == 3 * DAY
        assert "opted out" in row.reason
        assert became(queue()) == Status.QUEUED
        assert services.dispatch_queue().cancelled == 1

    def test_who_sends_now(self):
        memory.outbox.refuse(27)
        with pytest.raises(Rejected):
            services.send_sms(MOBILE, "x")
        assert OptOut.objects.get().line == LINE

    def test_twice_is_one_row(self):
        self.refuse(sensitive=True)
        OptOut.objects.update(until=timezone.now())
        self.refuse(sensitive=True)
        until = OptOut.objects.get().until
        assert until
        assert until > timezone.now() + DAY

    def test_what_lasts_longer_stays(self):
        opted_out(reason="asked")
        self.refuse(sensitive=True)
        row = OptOut.objects.get()
        assert (row.until, row.reason) == (None, "asked")

    def test_not_where_no_line_was_asked_for(self, caplog):
        self.refuse(scenario=Scenario.SERVICE_LINE)
        assert not OptOut.objects.exists()
        assert "not kept" not in caplog.text

    def test_switched_off(self, use_account):
        use_account(BACKEND=MEMORY, OPT_OUTS=False)
        self.refuse()
        assert not OptOut.objects.exists()

    def test_other_codes_say_nothing_of_it(self):
        memory.outbox.refuse(1)
        queue()
        services.dispatch_queue()
        assert not OptOut.objects.exists()

    def test_what_fails_here_never_loses_the_result(self, monkeypatch, caplog):
        def fail(*args: object) -> None:
            raise KeyError(MOBILE)

        monkeypatch.setattr(opt_outs, "_enter_told", fail)
        row = self.refuse()
        assert (row.code, row.status) == (27, Status.REJECTED)
        assert "not kept: KeyError" in caplog.text
        assert MOBILE not in caplog.text

    def test_database_that_fails_here_never_loses_the_result(self, caplog):
        def move_table(**told):  # after the claim, which asks it
            ask("ALTER TABLE negin_sms_optout RENAME TO elsewhere")

        signals.pre_send.connect(move_table)
        try:
            memory.outbox.refuse(27)
            row = queue(sensitive=True)  # not asked about at the gate
            services.dispatch_queue(limit=1)
        finally:
            signals.pre_send.disconnect(move_table)
            ask("ALTER TABLE elsewhere RENAME TO negin_sms_optout")
        assert became(row) == Status.REJECTED
        assert "not kept" in caplog.text


def ask(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


class TestImport:
    def test_numbers_of_a_table(self):
        sheet = read_sheet("name,mobile\nA,09395213300\nB,021\nC,9395213300\n")
        report = services.import_opt_outs(sheet.rows, line=LINE, reason="a list")
        (refusal,) = report.refused
        assert (report.entered, refusal.row.line) == (1, 3)
        assert OptOut.objects.get().mobile == MOBILE

    def test_nothing_is_entered_where_the_rest_is_wrong(self):
        sheet = read_sheet("09395213300")
        with pytest.raises(InvalidMessage, match="long past"):
            services.import_opt_outs(sheet.rows, until="2020-01-01 12:00")
        assert not OptOut.objects.exists()


class TestForgetEnded:
    def test_deletes_what_ended_before(self):
        old = timezone.now() - 10 * DAY
        opted_out(until=old)
        opted_out(mobile=OTHER_MOBILE, until=old + 9 * DAY)
        opted_out(mobile=OTHER_MOBILE, line=OTHER_LINE)
        assert opt_outs.forget_ended(old + DAY, "default") == 1
        assert OptOut.objects.count() == 2


def test_opt_out_survives_the_purge_of_its_messages():
    opted_out(since=timezone.now() - 90 * DAY)
    opted_out(mobile=OTHER_MOBILE, until=timezone.now() - 60 * DAY)
    MessageFactory(accepted=True, created_at=timezone.now() - 90 * DAY, poll_at=None)
    services.purge_messages(30 * DAY)
    assert not Message.objects.exists()
    assert OptOut.objects.get().mobile == MOBILE


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ({"line": LINE}, f"opted out of line {LINE}."),
        ({"line": "", "account": "default"}, "opted out of account default."),
        (
            {"line": "", "account": "default", "reason": "asked"},
            "opted out of account default: asked",
        ),
    ],
)
def test_cancelled_message_says_whether_a_line_or_an_account_is_meant(out, words):
    opted_out(**out)
    row = queue(line=LINE)
    services.dispatch_queue()
    assert became(row) == "cancelled"
    assert row.detail.endswith(words)


def test_scheduled_message_that_is_sent_now_minds_what_holds_now():
    """Though it would be over by the time that the message was given."""
    opted_out(until=timezone.now() + DAY)
    row = queue(send_at=timezone.now() + 2 * DAY)
    assert "opted out" not in str(services.why_waiting(row))
    services.send_messages([row])
    assert (became(row), memory.outbox) == ("cancelled", [])
