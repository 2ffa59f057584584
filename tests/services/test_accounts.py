"""An account by its alias, and the row that all processes share about it."""

from __future__ import annotations

import pytest

from negin_sms.exceptions import InvalidConfiguration, InvalidMessage
from negin_sms.models import AccountState
from negin_sms.services.accounts import account_state, find_account, unknown_accounts


def test_unknown_alias_is_the_messages_fault():
    with pytest.raises(InvalidMessage, match="bulk") as caught:
        find_account("bulk")
    assert caught.value.field == "account"


def test_unknown_ones_are_told_with_the_reason():
    unknown = unknown_accounts({"default", "bulk"})
    assert list(unknown) == ["bulk"]
    assert "no SMS account 'bulk'" in unknown["bulk"]


def test_settings_that_cannot_be_read_are_not(settings):
    settings.NEGIN_SMS = {"default": {"PASWORD": "x"}}
    with pytest.raises(InvalidConfiguration):
        find_account("default")


@pytest.mark.django_db
def test_row_is_made_once():
    assert account_state("default", "default") == account_state("default", "default")
    assert AccountState.objects.count() == 1
