from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from django.utils import timezone

from negin_sms import conf, services
from negin_sms.choices import Priority, Status
from negin_sms.exceptions import InvalidConfiguration
from negin_sms.models import AccountState, Message
from negin_sms.querysets import MessageQuerySet
from negin_sms.services.accounts import account_state
from negin_sms.services.outbox import claims, gate, gate_rules
from negin_sms.services.outbox.engines import engine_for
from tests.factories import MOBILE, MessageFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_engine")]


def claim(limit=10, name="me", **settings):
    account = conf.get_account()
    return engine_for("default").claim_due(
        account,
        name,
        limit,
        priorities=gate.open_priorities(account, "default"),
        lease=180,
        **settings,
    )


def test_claim_is_the_step_to_sending():
    row = MessageFactory()
    (claimed,) = claim()
    row.refresh_from_db()
    assert claimed == row
    assert (row.status, row.claim, row.attempts) == (Status.SENDING, "me", 1)
    left = row.claimed_until - timezone.now()
    assert left == pytest.approx(timedelta(seconds=180), abs=timedelta(seconds=5))


def test_claim_goes_by_priority_then_due_time_then_id():
    now = timezone.now() - timedelta(minutes=5)
    low = MessageFactory(priority=30, due_at=now - timedelta(minutes=9))
    second = MessageFactory(priority=20, due_at=now)
    third = MessageFactory(priority=20, due_at=now)
    first = MessageFactory(priority=20, due_at=now - timedelta(minutes=1))
    urgent = MessageFactory(priority=0, due_at=now)
    assert claim() == [urgent, first, second, third, low]


def test_claim_takes_no_more_than_asked():
    MessageFactory.create_batch(5)
    assert len(claim(3)) == 3
    assert Message.objects.filter(status=Status.QUEUED).count() == 2


def test_claim_leaves_other_accounts_and_what_is_not_due():
    now = timezone.now()
    MessageFactory(account="other")
    MessageFactory(due_at=now + timedelta(hours=1))
    MessageFactory(due_at=now - timedelta(days=2), expires_at=now - timedelta(days=1))
    assert claim() == []


def test_row_that_somebody_took_meanwhile_is_not_ours():
    """The compare-and-set holds where rows cannot be locked."""
    row = MessageFactory()

    class Racing(MessageQuerySet):
        def __iter__(self):
            found = list(super().__iter__())
            Message.objects.filter(pk=row.pk).update(
                status=Status.SENDING, claim="other"
            )
            return iter(found)

    rows = Racing(Message, using="default").filter(status=Status.QUEUED)
    assert (
        engine_for("default").claim_rows(
            rows, "me", 5, account=conf.get_account(), lease=180
        )
        == []
    )
    row.refresh_from_db()
    assert row.claim == "other"


def test_unclaimed_rows_are_queued_as_they_were():
    row = MessageFactory()
    claim()
    assert claims.unclaim([row.pk], "me", "default") == 1
    row.refresh_from_db()
    assert (row.status, row.claim, row.attempts) == (Status.QUEUED, "", 0)
    assert row.claimed_until is None


def test_only_the_holder_unclaims():
    row = MessageFactory()
    claim()
    assert claims.unclaim([row.pk], "other", "default") == 0
    assert claims.unclaim_all("me", "default") == 1


def test_stale_claims_become_uncertain_and_never_queued(caplog):
    past = timezone.now() - timedelta(seconds=1)
    row = MessageFactory(sending=True, claim="web7:4242:abc", claimed_until=past)
    MessageFactory(sending=True)
    with caplog.at_level(logging.ERROR, "negin_sms"):
        assert services.expire_claims() == 1
    row.refresh_from_db()
    assert (row.status, row.claim) == (Status.UNCERTAIN, "web7:4242:abc")
    assert "web7" in row.detail
    assert "4242" in row.detail
    assert f"{row.finished_at:%Y-%m-%d %H:%M}" in row.detail
    assert row.finished_at is not None
    assert "1 SMS became uncertain" in caplog.text


def test_overdue_rows_expire():
    row = MessageFactory(expires_at=timezone.now() - timedelta(seconds=1))
    MessageFactory()
    assert claims.expire_overdue(using="default") == 1
    row.refresh_from_db()
    assert (row.status, row.detail != "") == (Status.EXPIRED, True)


def test_only_to_with_something_that_is_no_number_says_so():
    with pytest.raises(InvalidConfiguration, match="ONLY_TO"):
        gate_rules.allowed_numbers(frozenset({"021"}), "default")


def test_claiming_costs_the_same_for_any_number_of_rows(
    django_assert_num_queries, each_engine
):
    MessageFactory.create_batch(9)
    # By the ORM: three looks, one step; savepoints.
    with django_assert_num_queries(
        1 if each_engine == "the database's own engine" else 6
    ):
        assert len(claim(9)) == 9


class TestAccountInTrouble:
    """A claim can ask by itself whether the account is well."""

    @pytest.fixture(autouse=True)
    def _at_once(self, each_engine):
        if each_engine == "the ORM's engine":
            pytest.skip("there the dispatcher asks first")

    @pytest.fixture(autouse=True)
    def rows(self):
        return MessageFactory.create_batch(2)

    def test_account_that_is_well(self, rows):
        account_state("default", "default")
        assert claim(if_healthy=True) == rows

    def test_account_that_nobody_has_looked_at(self):
        assert claim(if_healthy=True) == []

    def test_paused_account(self):
        services.pause_account("default", reason="credit")
        assert claim(if_healthy=True) == []

    def test_account_with_failures(self):
        account_state("default", "default")
        AccountState.objects.update(failures=1)
        assert claim(if_healthy=True) == []
        assert len(claim()) == 2

    def test_trouble_of_another_account(self, rows):
        account_state("default", "default")
        AccountState.objects.create(account="other", failures=3)
        assert claim(if_healthy=True) == rows


def test_claimed_message_has_what_is_sent_and_reads_the_rest(
    django_assert_num_queries,
):
    MessageFactory(text="hello", group="spring")
    (message,) = claim()
    with django_assert_num_queries(0):
        sent = (message.mobile, message.text, message.line, message.template)
        stand = (message.account, message.status, message.claim, message.attempts)
    assert sent == (MOBILE, "hello", "9830003300", None)
    assert stand == ("default", Status.SENDING, "me", 1)
    assert message.group == "spring"


class TestQuietHours:
    """LOW waits for the morning; the clock is the project's, not the server's."""

    def at(self, hours: float) -> str:
        moment = timezone.localtime() + timedelta(hours=hours)
        return f"{moment:%H:%M:%S}"

    def claimed(self, use_account, start: float, end: float) -> set[int]:
        use_account(QUIET_HOURS=(self.at(start), self.at(end)))
        MessageFactory(priority=Priority.LOW)
        MessageFactory(priority=Priority.NORMAL)
        return {message.priority for message in claim()}

    @pytest.mark.parametrize(("start", "end"), [(-1, 1), (-20, 1), (-1, 20)])
    def test_low_waits(self, use_account, start, end):
        assert self.claimed(use_account, start, end) == {Priority.NORMAL}

    @pytest.mark.parametrize(("start", "end"), [(1, 2), (-2, -1), (1, 23)])
    def test_low_goes_out_at_other_times(self, use_account, start, end):
        assert self.claimed(use_account, start, end) == {20, 30}
