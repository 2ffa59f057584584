"""Whom messages will not reach: what is foretold, and what their pages say."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from negin_sms import conf, services
from negin_sms.choices import Priority, Scenario
from negin_sms.models import AccountState, CapCount, Message, OptOut
from negin_sms.services.dispatch.foresight import (
    Unreached,
    ends_of_opt_outs,
    unreached,
)
from negin_sms.services.outbox.gate import opt_outs
from tests.factories import MOBILE, OTHER_MOBILE, MessageFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def asleep(use_account):
    """Return a function that sets caps, and quiet hours until more than an hour on."""
    began_at, ends_at = (timezone.localtime() + timedelta(hours=h) for h in (-1, 3))
    hours = (f"{began_at:%H:00}", f"{ends_at:%H:00}")
    memory = "negin_sms.gateway.memory.MemoryGateway"
    return functools.partial(use_account, BACKEND=memory, QUIET_HOURS=hours)


def told_of(row: Message) -> tuple[Unreached, list[str]]:
    """Return what a preview counts, and what the message's page says."""
    found = unreached(Message.objects.filter(pk=row.pk), "default")
    return found, [str(why.reason) for why in services.why_waiting(row)]


def pause(hours: float) -> datetime:
    """Pause the account for so long; return until when."""
    services.pause_account("default", reason="no credit")
    end = timezone.now() + timedelta(hours=hours)
    AccountState.objects.update(paused_until=end)
    return end


@pytest.mark.parametrize("kind", ["MOBILE_CAPS", "ACCOUNT_CAPS"])
def test_cap_of_an_hour_that_is_over_before_quiet_hours_keeps_nothing(asleep, kind):
    asleep(**{kind: {"hour": 1}})
    services.send_sms(MOBILE, "x")
    found, reasons = told_of(MessageFactory(priority=Priority.LOW))
    assert found == Unreached()
    assert reasons == ["It waits for the end of the quiet hours."]


def test_what_is_over_before_a_pause_is_keeps_nothing(use_account):
    memory = "negin_sms.gateway.memory.MemoryGateway"
    use_account(BACKEND=memory, MOBILE_CAPS={"hour": 1})
    services.send_sms(MOBILE, "x")
    end = pause(2)
    row = MessageFactory()
    services.opt_out(MOBILE, until=end - timedelta(minutes=1))
    found, (reason,) = told_of(row)
    assert (found, "no credit" in reason) == (Unreached(), True)
    services.opt_out(MOBILE, until=end + timedelta(minutes=1))
    assert told_of(row)[0] == Unreached(opted_out=frozenset([MOBILE]))


@pytest.mark.parametrize(("most", "by_account"), [(1, 2), (2, 0)])
def test_full_account_keeps_who_has_opted_out_too(use_account, most, by_account):
    """It was said to be left out at once, and waited until it expired."""
    memory = "negin_sms.gateway.memory.MemoryGateway"
    use_account(BACKEND=memory, ACCOUNT_CAPS={"day": most})
    services.send_sms(OTHER_MOBILE, "x")
    rows = MessageFactory.create_batch(2, mobile=MOBILE)
    services.opt_out(MOBILE)
    waiting = Message.objects.filter(pk__in=[row.pk for row in rows])
    expected = Unreached(opted_out=frozenset([MOBILE]), by_account=by_account)
    assert unreached(waiting, "default") == expected
    waiting.update(ignores_caps=True)
    assert unreached(waiting, "default") == Unreached(opted_out=frozenset([MOBILE]))


def test_place_that_is_taken_when_quiet_hours_end_is_told(asleep):
    asleep(MOBILE_CAPS={"hour": 1})
    row = MessageFactory(priority=Priority.LOW)
    (quiet,) = services.why_waiting(row)
    CapCount.objects.create(
        account="default",
        mobile=MOBILE,
        seconds=3600,
        began_at=quiet.until.astimezone(UTC).replace(minute=0),
        messages=1,
    )
    found, reasons = told_of(row)
    assert found == Unreached(by_number=1)
    assert "At most 1 message in an hour" in reasons[1]
    services.queue_sms(MOBILE, "x")  # which leaves now
    assert unreached(Message.objects.all(), "default") == Unreached(by_number=1)


def test_who_gets_one_now_and_one_in_the_morning_is_one_person(asleep):
    asleep()
    MessageFactory(priority=Priority.LOW)
    MessageFactory(priority=Priority.NORMAL)
    services.opt_out(MOBILE)
    found = unreached(Message.objects.all(), "default")
    assert found == Unreached(opted_out=frozenset([MOBILE]))
    assert MOBILE not in repr(found)


@pytest.mark.parametrize(("minutes", "is_told"), [(-1, False), (1, True)])
def test_opt_out_counts_when_quiet_hours_end(asleep, minutes, is_told):
    asleep()
    row = MessageFactory(priority=Priority.LOW)
    (quiet,) = services.why_waiting(row)
    ends_at = quiet.until
    assert ends_at
    services.opt_out(MOBILE, until=ends_at + timedelta(minutes=minutes))
    found, reasons = told_of(row)
    assert found == Unreached(opted_out=frozenset([MOBILE] * is_told))
    assert ("opted out" in str(reasons)) is is_told


def test_opt_out_that_is_over_when_they_leave_is_none():
    now = timezone.now()
    opt_out = services.opt_out("09395213300", until=now + timedelta(days=2))
    assert opt_out.until
    row = MessageFactory(expires_at=now + timedelta(days=9))
    rows = Message.objects.all()
    earlier = now + timedelta(days=1)
    for due_at, is_told in [(opt_out.until, False), (earlier, True)]:
        rows.update(send_at=due_at, due_at=due_at)
        row.refresh_from_db()
        assert bool(unreached(rows, "default").opted_out) is is_told
        told = [str(why.reason) for why in services.why_waiting(row)]
        assert any("opted out" in words for words in told) is is_told


def test_what_is_sent_again_has_no_place_and_ignores_no_cap(use_account):
    memory = "negin_sms.gateway.memory.MemoryGateway"
    use_account(BACKEND=memory, MOBILE_CAPS={"day": 1})
    services.send_sms(MOBILE, "x")
    sent, at = Message.objects.all(), timezone.now()
    assert sent.update(ignores_caps=True, counted_for=at) == 1
    assert unreached(sent, "default") == Unreached(by_number=1)
    for fields in ({"ignores_caps": True}, {"counted_for": at}):
        waits = Message.objects.filter(pk=MessageFactory(**fields).pk)
        assert unreached(waits, "default") == Unreached()


def test_account_that_is_gone_foretells_nothing():
    MessageFactory(account="gone")
    assert unreached(Message.objects.all(), "gone") == Unreached()


LINE, OTHER_LINE = "9830003300", "9830003301"
DAY = timedelta(days=1)


@pytest.mark.parametrize("scope", [{"line": LINE}, {"account": "default"}])
def test_what_opt_outs_stop_is_what_the_gate_stops(use_account, scope):
    use_account()
    services.opt_out(MOBILE, **scope)
    services.opt_out(OTHER_MOBILE)
    OptOut.objects.filter(mobile=OTHER_MOBILE).update(until=timezone.now() - DAY)
    fields: list[dict[str, Any]] = [
        *({}, {"line": LINE}, {"line": OTHER_LINE}, {"sensitive": True}),
        *({"priority": Priority.URGENT}, {"scenario": Scenario.CHELCHELEH}),
    ]
    rows = [services.queue_sms(MOBILE, "x", **each) for each in fields]
    rows.append(services.queue_sms(OTHER_MOBILE, "x"))
    account = conf.get_account()
    found = ends_of_opt_outs(Message.objects.all(), account)
    stopped = opt_outs.find(rows, account, "default")
    ended = {row.pk for row in rows if row.pk in found and opt_outs.is_stopped(row)}
    assert ended == set(stopped)
    assert len(stopped) == (2 if "line" in scope else 3)
    assert len(found) == len(stopped) + 2  # what is urgent or sensitive
    use_account(OPT_OUTS=False)
    assert ends_of_opt_outs(Message.objects.all(), conf.get_account()) == {}


def test_of_two_opt_outs_the_one_that_lasts_longer_counts(use_account):
    use_account()
    now, row = timezone.now(), services.queue_sms(MOBILE, "x")
    until = [now + DAY, now + 2 * DAY]
    services.opt_out(MOBILE, line=LINE, until=until[0])
    services.opt_out(MOBILE, account="default", until=until[1])
    account, rows = conf.get_account(), Message.objects.all()
    assert ends_of_opt_outs(rows, account) == {row.pk: until[1]}
    services.opt_out(MOBILE, line=LINE)  # for good
    (end,) = ends_of_opt_outs(rows, account).values()
    assert end > now + 9999 * DAY
