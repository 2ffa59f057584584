"""What engines with SQL of their own do alike."""

from __future__ import annotations

import pytest
from django.db import connection

from negin_sms import conf, services
from negin_sms.models import AccountState
from negin_sms.services.accounts import account_state
from negin_sms.services.outbox import gate
from negin_sms.services.outbox.engines import engine_for
from negin_sms.services.outbox.engines.sql import SqlEngine
from tests.factories import MessageFactory

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
