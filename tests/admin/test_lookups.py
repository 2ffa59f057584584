"""Every look-up of every column, by people of each set of rights: nothing unlisted."""

from __future__ import annotations

import pytest
from django.contrib.admin import site

from negin_sms.choices import Status
from negin_sms.models import AccountState, Message, OptOut, SmsTemplate
from tests.admin.test_messages import NUMBER, make, make_user
from tests.oracles import orders, tellers

pytestmark = [pytest.mark.long, pytest.mark.django_db]

FILTERS = {
    Message: {
        *("status", "state", "scenario", "account", "flag", "sensitive", "group"),
        *("line", "code"),
    },
    AccountState: set(),
    SmsTemplate: {"language"},
    OptOut: {"account", "line"},
}


@pytest.fixture(params=["view", "change", "view_sensitive", "everything"])
def user(request):
    rights = {"view", request.param} - {"everything"}
    user = make_user(*rights)
    user.is_superuser = request.param == "everything"
    return user


@pytest.fixture(autouse=True)
def _rows():
    make(status=Status.ACCEPTED, group="b", line="9830003300")
    make(status=Status.QUEUED, group="a", mobile="+989000000001")
    for account in ("default", "bulk"):
        AccountState.objects.create(account=account, reason=account)
        OptOut.objects.create(
            mobile=NUMBER, account=account, since=f"2026-01-0{len(account) - 2}T00:00Z"
        )
    for name, text in (("one", "b"), ("two", "a")):
        SmsTemplate.objects.create(name=name, text=text, language="en")


@pytest.mark.parametrize("model", FILTERS, ids=lambda model: model.__name__)
def test_address_filters_by_the_listed_columns_only(model, user):
    assert tellers(site._registry[model], user) == FILTERS[model]


def test_address_sorts_by_the_key_only(user):
    assert orders(site._registry[Message], user) == {"number"}
