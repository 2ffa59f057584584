"""The gateway's status codes: what each means, for people and for the message.

The guides list none but -1. These are the vendor's codes as public integrations
of its services know them (Magfa's numbering, whose gateway this vendor resells),
so a row here is field knowledge, not a promise. Closed by default: a code without
a row, or with VERDICT unsure, leaves the message uncertain.
To add a code: one row with its verdict and its words, and where it was seen.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SUCCESS = -1
OPTED_OUT = 27
# In the vendor's SOAP family a per-recipient "id" up to here is an error code.
LARGEST_SUSPECT_ID = 1000
# Wrong on one endpoint, wrong on the other.
CREDENTIAL_CODES = frozenset({18, 19})


class Verdict(enum.Enum):
    """What a status code means for the message it answered."""

    REFUSED = "refused"  # this message, for good
    LINE = "line"  # the line it was sent from; whose line decides, in services
    ACCOUNT = "account"  # the account: everything waits for a person
    PATIENCE = "patience"  # too fast
    UNSURE = "unsure"  # may have been sent


@dataclass(frozen=True, slots=True)
class Code:
    """One status code: its verdict and its words."""

    verdict: Verdict
    meaning: Promise


_REFUSED, _LINE, _ACCOUNT = Verdict.REFUSED, Verdict.LINE, Verdict.ACCOUNT
_PATIENCE, _UNSURE = Verdict.PATIENCE, Verdict.UNSURE

CODES: dict[int, Code] = {
    # A handler that failed may have done its work first.
    0: Code(_UNSURE, _("The gateway had an error inside.")),
    1: Code(_REFUSED, _("The gateway refuses the recipient's number.")),
    2: Code(_LINE, _("The gateway refuses the line.")),
    3: Code(_REFUSED, _("The gateway refuses the encoding.")),
    4: Code(_REFUSED, _("The gateway refuses the message class.")),
    6: Code(_REFUSED, _("The gateway refuses the message header.")),
    12: Code(_ACCOUNT, _("The gateway refuses the account's number.")),
    13: Code(_REFUSED, _("The gateway found the text empty.")),
    14: Code(_ACCOUNT, _("The account has not enough credit.")),
    # "Send again" is the vendor's advice; that nothing was sent is unproved.
    15: Code(_UNSURE, _("The gateway had an internal error.")),
    16: Code(_ACCOUNT, _("The account is not active.")),
    17: Code(_ACCOUNT, _("The account has expired.")),
    18: Code(_ACCOUNT, _("Wrong username or password.")),
    19: Code(_ACCOUNT, _("The gateway did not recognise the account.")),
    20: Code(_LINE, _("The line or service does not belong to the account.")),
    22: Code(_ACCOUNT, _("The service is not enabled for the account.")),
    23: Code(_PATIENCE, _("The gateway is busy and asks to try again later.")),
    # Belongs to states; on a send nobody knows what it says.
    24: Code(_UNSURE, _("The gateway does not know the message id.")),
    25: Code(_REFUSED, _("The gateway refuses the type of service.")),
    OPTED_OUT: Code(_REFUSED, _("The recipient has opted out or is on a blacklist.")),
    # 5 s was seen; one integration spaces its sends by 350 ms.
    409: Code(_PATIENCE, _("The requests follow each other too fast.")),
    # List lengths, empty or too many recipients.
    **{
        code: Code(_REFUSED, _("The gateway refuses the list of recipients."))
        for code in range(100, 111)
    },
}


def find_code(code: int) -> Code | None:
    """Return the row of a status code, or None where nobody knows it."""
    return CODES.get(code)


def code_meaning(code: int | None) -> str:
    """Return the words for a status code, whatever the code; "" for success."""
    if code is None or code == SUCCESS:
        return ""
    known = CODES.get(code)
    if known is not None:
        return str(known.meaning)
    return str(_("The gateway answered with the unknown code %(code)s.")) % {
        "code": code
    }
