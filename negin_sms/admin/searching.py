"""Finding messages by what an operator has at hand: a number, or a gateway id."""

from __future__ import annotations

import unicodedata

from django.db.models import Q

from negin_sms.phones import search_digits

_DIGITS_OF_A_NUMBER = 10


def search_condition(term: str, *, numbers: bool) -> Q | None:
    """Return the condition for a search term, or None where it can match nothing.

    A full number matches exactly, in any spelling; fewer digits match the beginning
    of numbers and of gateway ids. Without ``numbers`` only gateway ids are searched.
    """
    digits = search_digits(term)
    if not digits:
        return None
    # A gateway id is searched as it is written, without taking prefixes off.
    written = "".join(str(unicodedata.decimal(c)) for c in term if c.isdecimal())
    gateway_ids = _starts_with("gateway_id", written)
    return _number(digits) | gateway_ids if numbers else gateway_ids


def _number(digits: str) -> Q:
    if len(digits) >= _DIGITS_OF_A_NUMBER:
        return Q(mobile=f"+98{digits}")
    return _starts_with("mobile", f"+98{digits}")


def _starts_with(field: str, prefix: str) -> Q:
    """Return ``startswith`` as a range of digits.

    LIKE uses no index on SQLite and MariaDB; a range of digits sorts alike under
    every collation.
    """
    condition = Q(**{f"{field}__gte": prefix})
    head = prefix.rstrip("9")
    if not head or not head[-1].isdecimal():
        return condition  # nothing of digits sorts behind
    return condition & Q(**{f"{field}__lt": head[:-1] + str(int(head[-1]) + 1)})
