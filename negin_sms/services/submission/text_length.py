"""How long a text may be: MAX_PARTS, and what cannot be sent at all."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from negin_sms import conf
from negin_sms.exceptions import InvalidMessage
from negin_sms.segments import measure

_UNSENDABLE = re.compile("[\0\ud800-\udfff]")
_LONGEST_PART = 160  # characters


def count_parts(text: str, account: conf.Account) -> int:
    """Return the parts of a text; raise InvalidMessage("text") for too many."""
    if _UNSENDABLE.search(text):
        raise InvalidMessage(
            "text",
            _("The text holds characters that cannot be sent (NUL, surrogates)."),
        )
    parts = measure(text).parts
    refuse_parts(parts, account)
    return parts


def refuse_parts(parts: int, account: conf.Account) -> None:
    """Raise InvalidMessage("text") for more parts than the account allows."""
    if parts > account.max_parts:
        reason = ngettext(
            "The text takes %(parts)s parts; at most %(limit)s part is allowed.",
            "The text takes %(parts)s parts; at most %(limit)s parts are allowed.",
            account.max_parts,
        )
        raise InvalidMessage(
            "text", reason % {"parts": parts, "limit": account.max_parts}
        )


def longest_text(account: conf.Account) -> int:
    """Return how many characters a text of the account's MAX_PARTS has at the most."""
    return account.max_parts * _LONGEST_PART
