"""Tables: which line names the columns, which column holds the numbers, what is odd.

A column of numbers is chosen by its name *and* by what it holds: one that is named
"شماره" may count the rows. What was chosen is said in ``Sheet.remarks``, which stand
on the preview before anything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from negin_sms.characters import listed
from negin_sms.exceptions import InvalidMessage
from negin_sms.phones import normalize_mobile
from negin_sms.texts import fold_name, quote_name

MOST_RECIPIENTS = 10_000
MOST_COLUMNS = 50
MOST_CELLS = 200_000

# What stands above the numbers where we wrote the table ourselves. Which column is to
# be written to was decided when it was read; what is left of it may look otherwise.
DECIDED = ("send to", "ارسال به")
# These can be of nothing else, and decide even where their numbers are wrong.
_MOBILE_COLUMNS = (
    *("mobile", "mobile number", "mobile phone", "cell", "cellphone", "cell phone"),
    *("موبایل", "شماره موبایل", "تلفن همراه", "شماره همراه", "شماره تلفن همراه"),
)
# The best names first; the last ones may be those of any number.
_NUMBER_COLUMNS = (
    *DECIDED,
    *_MOBILE_COLUMNS,
    *("همراه", "phone", "phone number", "tel", "telephone", "شماره تلفن", "تلفن"),
    *("شماره تماس", "تماس", "شماره", "number"),
)
_TRIED = 25  # rows that say what a column holds
_LOOKED_AT = 30  # rows above the first number
# A cell that a spreadsheet keeps from being calculated, or from losing its zeros.
_KEPT_TEXT = re.compile(
    r'=\s*"(?P<text>[^"]*(?:""[^"]*)*)"|\'(?=[\d=+\-@])(?P<rest>.*)', re.S
)
_LONGEST_CELL = 32_767  # characters, as in Excel; of more the pattern above takes long
# What a character that an encoding lacks becomes; and what a byte that is none does.
DAMAGED = "\ufffd"

Record = tuple[int, list[str]]


@dataclass(frozen=True, slots=True)
class Row:
    """One recipient as given: the number as typed, the values by folded name.

    ``line`` counts from 1; ``problem`` says what is wrong with the row's shape.
    """

    line: int
    mobile: str = field(repr=False)
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The recipients, and the names of the columns beside the number's, as written.

    ``remarks`` are sentences about what was guessed, for whoever confirms;
    ``number_column`` is the name of the number's column, "" where it has none.
    """

    rows: tuple[Row, ...] = ()
    columns: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    number_column: str = ""


@sensitive_variables()
def read_table(records: Sequence[Record]) -> Sheet:
    """Read lines of cells, blank ones left out, one of which names the columns.

    Raise InvalidMessage("recipients") where no column holds numbers, or two have one
    name.
    """
    at = _heading_at([cells for _line, cells in records])
    titles = [quote_name(cell) for cell in records[at][1]]
    names = _names(titles)
    below = records[at + 1 :]
    sample = [cells for _line, cells in below[:_TRIED]]
    number_at, rivals = _number_column(names, sample)
    columns = tuple(titles[at] for at, n in enumerate(names) if n and at != number_at)
    rows = (_row(line, cells, names, number_at) for line, cells in below)
    decided = names[number_at] in DECIDED
    remarks = () if decided else _column_remarks(titles, number_at, rivals)
    return Sheet(counted(rows), columns, remarks, titles[number_at])


def is_number_heading(cell: str) -> bool:
    """Return whether a cell has one of the names of a column of numbers."""
    return fold_name(cell.strip("\"' ")) in _NUMBER_COLUMNS


def is_mobile(cell: str) -> bool:
    """Return whether a cell holds a mobile number, at little cost where it does not."""
    if sum(c.isdecimal() for c in cell[:100]) < 10:
        return False
    try:
        return bool(normalize_mobile(cell))
    except InvalidMessage:
        return False


def has_mobile(cells: Sequence[str]) -> bool:
    """Return whether a row holds a mobile number."""
    return any(is_mobile(cell) for cell in cells[:MOST_COLUMNS])


def clean_cell(cell: str) -> str:
    """Return what a person sees in a cell: ``="0042"`` and ``'0042`` are 0042."""
    text = cell.strip()
    kept = _KEPT_TEXT.fullmatch(text) if len(text) <= _LONGEST_CELL else None
    if kept is None:
        return text
    inner = kept["text"]
    return (kept["rest"] if inner is None else inner.replace('""', '"')).strip()


def keep_cell(text: str) -> str:
    """Return a cell that ``clean_cell`` reads as this text."""
    if clean_cell(text) == text:
        return text
    doubled = text.replace('"', '""')
    return f'="{doubled}"'


def refuse_cells(left: int, more: int) -> int:
    """Count cells down; raise InvalidMessage("recipients") below zero."""
    if more > MOST_CELLS or left < more:
        reason = _("The table is too large; give at most %(limit)s cells at a time.")
        raise InvalidMessage("recipients", reason % {"limit": MOST_CELLS})
    return left - more


def counted(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return the rows; raise InvalidMessage("recipients") where these are too many."""
    found = tuple(islice(rows, MOST_RECIPIENTS + 1))
    if len(found) > MOST_RECIPIENTS:
        reason = _("These are too many; give at most %(limit)s recipients at a time.")
        raise InvalidMessage("recipients", reason % {"limit": MOST_RECIPIENTS})
    return found


def _heading_at(rows: Sequence[Sequence[str]]) -> int:
    """Return which row names the columns: titles may stand above it.

    A row with a known name above the first number, or else the fullest of these.
    """
    tried = rows[:_LOOKED_AT]
    first = next((at for at, cells in enumerate(tried) if has_mobile(cells)), None)
    above = rows[: _LOOKED_AT if first is None else first]
    for at, cells in enumerate(above):
        if any(map(is_number_heading, cells[:MOST_COLUMNS])):
            return at
    if not above:
        raise _no_numbers()
    filled = [sum(map(bool, cells)) for cells in above]
    return filled.index(max(filled))


def _names(titles: Sequence[str]) -> list[str]:
    filled = [at for at, title in enumerate(titles, 1) if title]
    names = [fold_name(title) for title in titles[: MOST_COLUMNS + 1]]
    while names and not names[-1]:
        names.pop()
    if filled and filled[-1] > MOST_COLUMNS:
        reason = _("The table has too many columns; keep at most %(limit)s of them.")
        raise InvalidMessage("recipients", reason % {"limit": MOST_COLUMNS})
    if any(DAMAGED in name for name in names):
        reason = _(
            "The line that names the columns is damaged. Save the file again, as "
            "“CSV UTF-8” or .xlsx."
        )
        raise InvalidMessage("recipients", reason)
    for at, name in enumerate(names):
        if name and name in names[:at]:
            reason = _("Two columns are named “%(name)s”; give each its own name.")
            raise InvalidMessage("recipients", reason % {"name": titles[at]})
    return names


def _number_column(
    names: Sequence[str], sample: Sequence[Sequence[str]]
) -> tuple[int, list[int]]:
    """Return the column that holds the numbers, and the others that hold some.

    Of those that hold any the one with the best name, or else with the most numbers;
    where none does, the best name says which to complain about. A column of mobile
    numbers that are all wrong is complained about too: the next one may hold those of
    other people.
    """
    if names[0] in DECIDED:
        return 0, []
    held = [
        sum(at < len(cells) and is_mobile(cells[at]) for cells in sample)
        for at in range(len(names))
    ]
    known = [names.index(name) for name in _NUMBER_COLUMNS if name in names]
    holding = sorted(
        (at for at, count in enumerate(held) if count), key=lambda at: -held[at]
    )
    mobiles = [at for at in known if names[at] in _MOBILE_COLUMNS]
    best = (
        [at for at in mobiles if held[at]]
        or [at for at in mobiles if _is_used(at, sample)]
        or [at for at in known if held[at]]
        or holding
        or known
    )
    if not best:
        raise _no_numbers()
    return best[0], [at for at in holding if at != best[0]]


def _is_used(at: int, sample: Sequence[Sequence[str]]) -> bool:
    return any(cells[at : at + 1] not in ([], [""]) for cells in sample)


def _no_numbers() -> InvalidMessage:
    reason = _("No column holds mobile numbers; name the one that does “mobile”.")
    return InvalidMessage("recipients", reason)


def _column_remarks(
    titles: Sequence[str], number_at: int, rivals: Sequence[int]
) -> tuple[str, ...]:
    name = titles[number_at] or _("without a name")
    taken = _("The numbers are those of the column “%(name)s”.") % {"name": name}
    if not rivals:
        return (taken,)
    others = _("These columns hold mobile numbers too, and were not used: %(names)s.")
    named = listed(_("“%(name)s”") % {"name": titles[at] or at + 1} for at in rivals)
    return (taken, others % {"names": named})


def _row(line: int, cells: list[str], names: Sequence[str], number_at: int) -> Row:
    width = len(names)
    extra = [cell for cell in cells[width:] if cell]
    cells = [*cells[:width], *[""] * (width - len(cells))]
    problem = ""
    if extra:
        # Nothing that was typed gets lost: it comes back to be corrected.
        cells[-1] = ", ".join([cells[-1], *extra])
        problem = _("The line has more cells than the first one.")
    elif any(DAMAGED in cell for cell in cells):
        problem = _("The line is damaged: a character of it cannot be read.")
    values = {
        name: cell
        for at, (name, cell) in enumerate(zip(names, cells, strict=True))
        if name and at != number_at
    }
    return Row(line, cells[number_at], values, problem)
