"""How long a text may be."""

from __future__ import annotations

import pytest

from negin_sms import conf
from negin_sms.exceptions import InvalidMessage
from negin_sms.segments import measure
from negin_sms.services.submission.text_length import count_parts, longest_text


@pytest.mark.parametrize("letter", ["a", "س"])
def test_longest_text_bounds_what_is_counted(letter, use_account):
    use_account(MAX_PARTS=3)
    account = conf.get_account()
    fits = next(n for n in range(1, 999) if measure(letter * (n + 1)).parts > 3)
    assert count_parts(letter * fits, account) == 3
    assert fits <= longest_text(account)
    with pytest.raises(InvalidMessage, match="at most 3 parts") as caught:
        count_parts(letter * (fits + 1), account)
    assert caught.value.field == "text"


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_what_cannot_be_sent_is_refused(text):
    with pytest.raises(InvalidMessage, match="cannot be sent"):
        count_parts(text, conf.get_account())
