"""Between the claim and the request: every rule, on every way, and why one waits."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from negin_sms import conf, services, signals
from negin_sms.choices import Priority, Status
from negin_sms.exceptions import NotSent, Vetoed
from negin_sms.gateway import memory
from negin_sms.models import AccountState, CapCount, Message
from negin_sms.services.outbox.gate import obstacles
from tests.factories import MOBILE, OTHER_MOBILE, MessageFactory

pytestmark = pytest.mark.django_db(transaction=True)

MEMORY = "negin_sms.gateway.memory.MemoryGateway"
Receive = Callable[[Callable[..., None]], None]


@pytest.fixture
def receive() -> Iterator[Receive]:
    connected: list[Any] = []

    def connect(receiver: Callable[..., None]) -> None:
        connected.append(receiver)
        signals.pre_send.connect(receiver)

    yield connect
    for receiver in connected:
        signals.pre_send.disconnect(receiver)


def refuse(sender, message, **kwargs):
    if message.mobile == MOBILE:
        raise Vetoed("on the project's own list")


def fail(sender, message, **kwargs):
    raise KeyError(message.text)


def test_veto_cancels_and_is_told_to_the_caller(receive):
    receive(refuse)
    with pytest.raises(Vetoed, match="own list") as caught:
        services.send_sms(MOBILE, "x")
    row = caught.value.message
    assert (row.status, row.detail) == (Status.CANCELLED, "on the project's own list")
    assert memory.outbox == []


def test_error_of_a_receiver_is_logged_with_its_place_and_without_its_words(
    receive, caplog
):
    receive(fail)
    MessageFactory()
    services.dispatch_queue()
    (line,) = (each for each in caplog.messages if "receiver failed" in each)
    begin = fail.__code__.co_firstlineno
    assert re.search(rf"with \w+ at {re.escape(__file__)}:{begin + 1}$", line)


def test_veto_can_be_silent(receive):
    receive(refuse)
    row = services.send_sms(MOBILE, "x", fail_silently=True)
    assert row.status == Status.CANCELLED


def test_queued_message_is_cancelled_by_a_veto_and_the_others_go(receive):
    receive(refuse)
    bad, good = MessageFactory(mobile=MOBILE), MessageFactory(mobile=OTHER_MOBILE)
    assert services.dispatch_queue().accepted == 1
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.status, good.status) == (Status.CANCELLED, Status.ACCEPTED)


def test_receiver_that_fails_keeps_the_message_for_later(receive, caplog):
    receive(fail)
    with pytest.raises(NotSent, match="KeyError") as caught:
        services.send_sms(MOBILE, "the text")
    row = caught.value.message
    assert (row.status, row.claim, memory.outbox) == (Status.QUEUED, "", [])
    assert "the text" not in caplog.text + str(caught.value) + row.detail


def test_receiver_that_fails_says_nothing_of_the_gateway(receive):
    receive(fail)
    for _ in range(6):
        services.send_sms(MOBILE, "x", fail_silently=True)
    assert not AccountState.objects.get().is_paused


def test_receivers_run_outside_of_transactions_before_the_request(receive):
    seen: list[tuple[bool, str, int]] = []

    def look(sender, message, **kwargs):
        seen.append((connection.in_atomic_block, message.status, len(memory.outbox)))

    receive(look)
    services.send_sms(MOBILE, "x")
    MessageFactory()
    services.dispatch_queue()
    assert seen == [(False, "sending", 0), (False, "sending", 1)]


def test_veto_travels_without_the_row():
    veto = Vetoed("no")
    veto.message = MessageFactory.build()
    again = pickle.loads(pickle.dumps(veto))
    assert (str(again), again.message) == ("no", None)


def test_probe_is_free_again_after_a_veto(receive):
    receive(refuse)
    services.pause_account("default", reason="test")
    AccountState.objects.update(paused_until="2020-01-01T00:00Z")
    services.send_sms(MOBILE, "x", fail_silently=True)
    assert AccountState.objects.get().probe == ""


class TestBatchThatIsWhollyTurnedBack:
    """The run goes on while anything was claimed (S13)."""

    def test_with_more_behind_it(self, receive, use_account):
        use_account(BACKEND=MEMORY, WORKERS=2)
        receive(refuse)
        MessageFactory.create_batch(20)
        MessageFactory(mobile=OTHER_MOBILE)
        report = services.dispatch_queue()
        assert (report.accepted, report.cancelled) == (1, 20)

    def test_by_only_to(self, use_account):
        use_account(BACKEND=MEMORY, WORKERS=2, ONLY_TO=[OTHER_MOBILE])
        MessageFactory.create_batch(20)
        MessageFactory(mobile=OTHER_MOBILE)
        report = services.dispatch_queue()
        assert (report.accepted, report.cancelled) == (1, 20)

    def test_that_waits(self, receive, use_account):
        use_account(BACKEND=MEMORY, WORKERS=2)
        receive(fail)
        MessageFactory.create_batch(20)
        report = services.dispatch_queue()
        assert (report.accepted, report.put_off) == (0, 20)


class TestLines:
    """A line that nobody named is the account's until the claim (S2)."""

    def change(self, settings, **keys):
        settings.NEGIN_SMS = {"default": settings.NEGIN_SMS["default"] | keys}

    @pytest.mark.usefixtures("each_engine")
    def test_follows_the_account(self, settings, use_account):
        use_account(BACKEND=MEMORY, LINE="98300")
        plain = services.queue_sms(MOBILE, "x")
        named = services.queue_sms(MOBILE, "x", line="98311")
        self.change(settings, LINE="98322")
        services.dispatch_queue()
        assert {sent.line for sent in memory.outbox} == {"98322", "98311"}
        plain.refresh_from_db()
        named.refresh_from_db()
        assert (plain.line, named.line) == ("98322", "98311")

    @pytest.mark.usefixtures("each_engine")
    def test_wrong_line_is_corrected_and_all_leave(self, settings, use_account):
        """The runbook's way: correct LINE, resume; nothing is rejected for good."""
        use_account(BACKEND=MEMORY, LINE="98300", WORKERS=1)
        services.queue_many([{"mobile": MOBILE, "text": str(n)} for n in range(20)])
        memory.outbox.refuse(2)
        services.dispatch_queue()
        assert set(lines()) == {("queued", "")}
        memory.outbox.forget_orders()
        self.change(settings, LINE="98322")
        services.resume_account("default")
        Message.objects.update(due_at=timezone.now())
        assert services.dispatch_queue().accepted == 20
        assert set(lines()) == {("accepted", "98322")}

    def test_account_that_has_lost_its_line_waits(self, settings, use_account):
        use_account(BACKEND=MEMORY, LINE="98300")
        row = services.queue_sms(MOBILE, "x")
        self.change(settings, LINE="")
        assert services.dispatch_queue().put_off == 1
        row.refresh_from_db()
        assert (row.status, "(LINE)" in row.detail) == (Status.QUEUED, True)
        assert "(LINE)" in services.why_waiting(row)[-1].reason


class TestWhyWaiting:
    def reasons(self, row):
        row.refresh_from_db()
        return [str(verdict.reason) for verdict in services.why_waiting(row)]

    def test_nothing_keeps_it(self):
        assert self.reasons(MessageFactory()) == []

    def test_not_due(self):
        later = timezone.now() + timedelta(hours=1)
        row = MessageFactory(due_at=later)
        (verdict,) = services.why_waiting(row)
        assert (verdict.until, verdict.stops) == (later, False)

    def test_time_that_is_over(self):
        past = timezone.now() - timedelta(seconds=1)
        (reason,) = self.reasons(MessageFactory(expires_at=past))
        assert "time is over" in reason

    def test_account_of_another_gateway(self):
        AccountState.objects.create(account="default", gateway="sms.example 12ab")
        (reason,) = self.reasons(MessageFactory())
        assert "bound to another gateway" in reason

    def test_held(self):
        """No dispatcher takes it, so "nothing" would be wrong."""
        (reason,) = self.reasons(MessageFactory(status="held"))
        assert "a person releases" in reason

    def test_switched_off_and_paused(self, use_account):
        use_account(BACKEND=MEMORY, DISPATCH=False)
        services.pause_account("default", reason="no credit")
        off, paused = self.reasons(MessageFactory())
        assert "DISPATCH" in off
        assert "no credit" in paused

    def test_pause_that_is_over_names_no_end(self, use_account):
        services.pause_account("default", reason="no credit")
        AccountState.objects.update(paused_until=timezone.now() - timedelta(minutes=5))
        (verdict,) = services.why_waiting(MessageFactory())
        assert (verdict.until, "pause is over" in verdict.reason) == (None, True)

    def test_quiet_hours(self, use_account):
        now = timezone.localtime()
        around = (now - timedelta(hours=1), now + timedelta(hours=1))
        use_account(BACKEND=MEMORY, QUIET_HOURS=tuple(f"{at:%H:%M}" for at in around))
        (verdict,) = services.why_waiting(MessageFactory(priority=Priority.LOW))
        assert verdict.until > timezone.now()
        assert self.reasons(MessageFactory()) == []

    @pytest.mark.parametrize(("hours", "nights"), [(2, []), (23.5, [1])])
    def test_quiet_hours_of_when_it_is_due(self, hours, nights, use_account):
        now = timezone.localtime()
        first, last = now - timedelta(hours=1), now + timedelta(hours=1)
        use_account(BACKEND=MEMORY, QUIET_HOURS=(f"{first:%H:%M}", f"{last:%H:%M}"))
        due_at = now + timedelta(hours=hours)
        row = MessageFactory(priority=Priority.LOW, due_at=due_at)
        _due, *quiet = services.why_waiting(row)
        ends = [last + timedelta(days=night) for night in nights]
        assert [verdict.until for verdict in quiet] == [
            each.replace(second=0, microsecond=0) for each in ends
        ]

    def test_only_to_and_cap(self, use_account):
        use_account(BACKEND=MEMORY, ONLY_TO=[OTHER_MOBILE], ACCOUNT_CAPS={"day": 1})
        services.send_sms(OTHER_MOBILE, "x")
        only_to, cap = self.reasons(MessageFactory())
        assert "ONLY_TO" in only_to
        assert "At most 1" in cap or "at most 1" in cap
        assert CapCount.objects.get().messages == 1

    def test_what_is_over_when_it_is_due_does_not_keep_it(self, use_account):
        use_account(BACKEND=MEMORY, ACCOUNT_CAPS={"day": 1}, MOBILE_CAPS={"day": 1})
        services.send_sms(MOBILE, "x")
        services.pause_account("default", reason="no credit")
        # So short, for the caps are judged by when the pause is over.
        end = timezone.now() + timedelta(seconds=1)
        AccountState.objects.update(paused_until=end)
        for days, kept_by in [(0, 2), (2, 0)]:
            due_at = timezone.now() + timedelta(days=days)
            reasons = self.reasons(MessageFactory(due_at=due_at))
            assert ("not due yet" in str(reasons)) is bool(days)
            assert len(reasons) == kept_by + bool(days)
        AccountState.objects.update(paused_until=None)
        assert "no credit" in self.reasons(MessageFactory(due_at=due_at))[-1]

    def test_what_is_over_before_the_pause_does_not_keep_it(self, use_account):
        use_account(BACKEND=MEMORY, ACCOUNT_CAPS={"hour": 1}, MOBILE_CAPS={"hour": 1})
        services.send_sms(MOBILE, "x")
        services.pause_account("default", reason="no credit")
        end = timezone.now() + timedelta(hours=2)
        AccountState.objects.update(paused_until=end)
        (paused,) = self.reasons(MessageFactory())
        assert "no credit" in paused
        (paused,) = obstacles(conf.get_account(), "default")
        assert paused.until == end

    def test_quiet_hours_in_which_a_cap_ends_keep_it_too(self, use_account):
        """It was said to wait for the cap, and not that it expires before it leaves."""
        hour = timezone.now().replace(minute=0, second=0, microsecond=0)
        ends = [
            timezone.localtime(hour + timedelta(hours=h, minutes=30)) for h in (1, 3)
        ]
        quiet = tuple(f"{at:%H:%M}" for at in ends)
        use_account(BACKEND=MEMORY, QUIET_HOURS=quiet, MOBILE_CAPS={"hour": 1})
        due_at = hour + timedelta(hours=1, minutes=10)
        CapCount.objects.create(
            account="default",
            mobile=MOBILE,
            seconds=3600,
            began_at=hour + timedelta(hours=1),
            messages=1,
        )
        row = MessageFactory(priority=Priority.LOW, due_at=due_at)
        due, cap, asleep = services.why_waiting(row)
        assert cap.until == hour + timedelta(hours=2)
        assert asleep.until == ends[1]
        assert "quiet hours" in asleep.reason
        row.expires_at = cap.until  # so nothing keeps it any longer
        assert services.why_waiting(row) == (due, cap)

    def test_quiet_hours_in_which_the_pause_ends_keep_it_too(self, use_account):
        first, last = (timezone.localtime() + timedelta(hours=h) for h in (1, 4))
        use_account(BACKEND=MEMORY, QUIET_HOURS=(f"{first:%H:%M}", f"{last:%H:%M}"))
        services.pause_account("default", reason="no credit")
        AccountState.objects.update(paused_until=timezone.now() + timedelta(hours=2))
        paused, quiet = self.reasons(MessageFactory(priority=Priority.LOW))
        assert ("no credit" in paused, "quiet hours" in quiet) == (True, True)

    def test_reads_only_and_asks_no_receiver(self, receive, django_assert_num_queries):
        receive(refuse)
        row = MessageFactory()
        with django_assert_num_queries(4):
            assert services.why_waiting(row) == ()
        assert self.reasons(row) == []


def lines():
    return Message.objects.values_list("status", "line")
