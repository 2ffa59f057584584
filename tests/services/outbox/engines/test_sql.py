"""What engines with SQL of their own do alike."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from negin_sms import conf, services
from negin_sms.models import AccountState
from negin_sms.services.accounts import account_state
from negin_sms.services.outbox import gate
from negin_sms.services.outbox.engines import engine_for
from negin_sms.services.outbox.engines.sql import SqlEngine
from tests.factories import MOBILE, OTHER_MOBILE, MessageFactory

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


def test_claiming_costs_the_same_for_any_number_of_rows(
    django_assert_num_queries, each_engine
):
    MessageFactory.create_batch(9)
    # MariaDB: a look, the step, a read. The ORM: three looks, the step; savepoints.
    own = 3 if connection.vendor == "mysql" else 1
    with django_assert_num_queries(
        own if each_engine == "the database's own engine" else 6
    ):
        assert len(claim(9)) == 9


def test_claim_says_whose_number_may_have_opted_out(each_engine):
    services.opt_out(MOBILE, line="9830009900")
    MessageFactory(mobile=MOBILE)
    MessageFactory(mobile=OTHER_MOBILE)
    told = {message.mobile: message.may_have_opt_out for message in claim()}
    knows = each_engine == "the database's own engine"
    assert told == {MOBILE: True, OTHER_MOBILE: not knows}


def test_gate_asks_of_opt_outs_only_where_there_may_be_one(each_engine):
    MessageFactory.create_batch(3, mobile=OTHER_MOBILE)
    claimed = claim()
    account = conf.get_account()
    with CaptureQueriesContext(connection) as context:
        kept, _verdicts = gate.let_out(claimed, account, "default")
    knows = each_engine == "the database's own engine"
    assert (len(kept), len(context)) == (3, 0 if knows else 1)


def test_statement_is_put_together_once(each_engine):
    if each_engine == "the ORM's engine":
        pytest.skip("it has none")
    engine, made = engine_for("default"), []
    assert isinstance(engine, SqlEngine)

    def make(*how):
        made.append(how)
        return f"SELECT {how}"

    for how in ((0, True), (0, False), (0, True)):
        assert engine.once(make, *how) == f"SELECT {how}"
    assert made == [(0, True), (0, False)]
    assert engine_for("default") is engine


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
