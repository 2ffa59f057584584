"""What a search term may mean: all that an operator may have at hand of a message.

What has an index is found in the whole table: the message's own number, its gateway
id, its batch, a phone number or how it begins. How a number ends, what a text holds and
what somebody called a batch, to which a token was added, have none, and a beginning
that very many share has no use of its own; those are looked for among the newest
messages only, so that a search costs the same in a small table and in a large one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce
from operator import and_, or_

from django.db.models import Q, QuerySet

from negin_sms.characters import (
    arabic_letters,
    latin_digits,
    persian_digits,
    persian_letters,
    visible,
)
from negin_sms.models import Message
from negin_sms.phones import search_digits

NEWEST = 50_000
MOST = 1_000  # of those, so many are shown
_DIGITS_OF_A_NUMBER = 10
_MOST_DIGITS_OF_A_KEY = 18
_SEEN_DIGITS = 4  # at a masked number's end, which is all that some may see
_LAST_DIGITS = re.compile(r"\d{4,7}")
_MASKED = re.compile(r"0(\d{3})[^\w\s]{1,6}(\d{4})")
_FEWEST_LETTERS, _FEWEST_DIGITS = 2, 4
_MOST_WORDS = 10  # the last one is the rest of the term
_HALF_SPACE = "\u200c"


def search_condition(term: str, rows: QuerySet[Message], *, numbers: bool) -> Q | None:
    """Return the condition for a search term, or None where it can match nothing.

    Phone numbers match in any spelling. Without ``numbers``, the right to see them and
    the texts, neither is searched, but for the last four digits, which all may see.
    """
    words, term = _half_spaced(term), visible(term).strip()
    if not term:
        return None
    found = [Q(group__in=words), *_exact(term, numbers=numbers)]
    wanted = _without_index(term, words, numbers=numbers)
    for beginning in _beginnings(term, numbers=numbers):
        (wanted if _is_common(beginning) else found).append(beginning)
    if wanted:
        found.append(Q(pk__in=_newest_keys(rows, reduce(or_, wanted))))
    return reduce(or_, found)


def _half_spaced(term: str) -> list[str]:
    """Return a term with its half spaces (ZWNJ), with spaces for them, without any."""
    parts = [visible(part) for part in term.split(_HALF_SPACE)]
    joined = (between.join(parts) for between in (_HALF_SPACE, " ", ""))
    ways = (way.strip(f" {_HALF_SPACE}") for way in joined)
    return list(dict.fromkeys(ways))


def _exact(term: str, *, numbers: bool) -> list[Q]:
    """Return the conditions for what the term is as a whole: an id, a phone number."""
    digits, written = search_digits(term), _written(term)
    found = [Q(gateway_id=written)] if digits else []
    begins_as_a_key = digits and not written.startswith("0")
    if begins_as_a_key and len(written) <= _MOST_DIGITS_OF_A_KEY:
        found.append(Q(pk=int(written)))
    if numbers and len(digits) >= _DIGITS_OF_A_NUMBER:
        found.append(_number(digits))
    return found


def _beginnings(term: str, *, numbers: bool) -> list[Q]:
    """Return the conditions for how a gateway id and a phone number begin."""
    digits, written = search_digits(term), _written(term)
    if len(written) < _FEWEST_DIGITS and not written.startswith("0"):
        return []  # a message's own number would be one among very many
    found = [_starts_with("gateway_id", written)] if digits else []
    if numbers and 0 < len(digits) < _DIGITS_OF_A_NUMBER:
        found.append(_number(digits))
    return found


def _written(term: str) -> str:
    """Return a term's digits as they are written, without taking prefixes off."""
    return latin_digits("".join(filter(str.isdecimal, term)))


def _is_common(condition: Q) -> bool:
    """Return whether more messages meet it than are worth sorting."""
    return Message.objects.filter(condition)[NEWEST:].exists()


def number_condition(term: str, *, numbers: bool) -> Q | None:
    """Return the condition for a phone number alone, or None where it can match none.

    As ``search_condition``, for tables that are small enough to be read.
    """
    found = _seen_digits(visible(term).strip(), numbers=numbers)
    digits = search_digits(term)
    if numbers and digits:
        found.append(_number(digits))
    return reduce(or_, found) if found else None


def _number(digits: str) -> Q:
    if len(digits) >= _DIGITS_OF_A_NUMBER:
        return Q(mobile=f"+98{digits}")
    return _starts_with("mobile", f"+98{digits}")


def _without_index(term: str, words: Sequence[str], *, numbers: bool) -> list[Q]:
    """Return what must be read to be found: a name, a number's end, words of a text.

    ``words`` are the term as names and texts may have it.
    """
    found, digits = _seen_digits(term, numbers=numbers), search_digits(term)
    is_number = bool(digits or found)
    if len(digits) < _DIGITS_OF_A_NUMBER:
        # Its token follows.
        found += [Q(group__startswith=f"{each} ") for each in words]
    if numbers and len(term) >= _FEWEST_LETTERS and not is_number:
        texts = reduce(or_, map(_holds_all, words))
        found.append(Q(sensitive=False) & texts)
    return found


def _seen_digits(term: str, *, numbers: bool) -> list[Q]:
    """Return the condition for the digits of a masked number, or for its end."""
    written = latin_digits(term)
    if masked := _MASKED.fullmatch(written):
        begin, end = masked.groups()
        return [Q(mobile__startswith=f"+98{begin}", mobile__endswith=end)]
    known = numbers or len(written) == _SEEN_DIGITS
    if known and _LAST_DIGITS.fullmatch(written):
        return [Q(mobile__endswith=written)]
    return []


def _holds_all(words: str) -> Q:
    """Return the condition for a text that holds these words, wherever they stand."""
    each_of = (
        reduce(or_, (Q(text__icontains=way) for way in _spellings(word)))
        for word in words.split(maxsplit=_MOST_WORDS - 1)
    )
    return reduce(and_, each_of)


def _spellings(term: str) -> set[str]:
    """Return a term as Persian and as Arabic keyboards write it, with either digits."""
    persian = persian_letters(latin_digits(term))
    letters = {term, persian, arabic_letters(persian)}
    return letters | {persian_digits(each) for each in letters}


def among_newest(rows: QuerySet[Message]) -> QuerySet[Message]:
    """Return those of the rows that are among the newest messages."""
    newest = Message.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    return rows.filter(pk__gt=newest - NEWEST)


def _newest_keys(rows: QuerySet[Message], wanted: Q) -> list[int]:
    found = among_newest(rows).filter(wanted).order_by("-pk")
    return list(found.values_list("pk", flat=True)[:MOST])


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
