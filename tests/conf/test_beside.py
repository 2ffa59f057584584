"""The settings beside NEGIN_SMS."""

from __future__ import annotations

import pytest

from negin_sms.conf import beside
from negin_sms.exceptions import InvalidConfiguration


@pytest.mark.parametrize("name", [beside.JALALI, beside.PERSIAN_DIGITS])
@pytest.mark.parametrize("value", ["False", "no", 5, None, []])
def test_flag_is_true_or_false(settings, name, value):
    """The environment's "False" would mean yes."""
    setattr(settings, name, value)
    with pytest.raises(InvalidConfiguration, match=f"{name} must be True or False"):
        beside.refuse_no_flags()


def test_flags_that_are_none_there_or_right(settings):
    setattr(settings, beside.JALALI, False)
    delattr(settings, beside.PERSIAN_DIGITS)
    beside.refuse_no_flags()
    assert not beside.wants_jalali()
    assert beside.wants_persian_digits()


def test_who_is_told(settings):
    assert beside.alerts() == "negin_sms.services.operations.alerts.mail_admins"
    setattr(settings, beside.ALERTS, None)
    assert beside.alerts() is None
