"""Texts with placeholders: ``Dear {name}, your code is {code}``.

A placeholder is a name in braces and nothing else: letters of any script, digits,
underscores, spaces, joiners and signs such as those of ``{price (rial)}`` inside, a
letter or an underscore first. There is no attribute, index, format or conversion, so a
text that a stranger wrote reads nothing but the values it is given. ``{{`` and ``}}``
stand for the braces themselves; a brace that is neither is refused, because it is a
placeholder mistyped.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from .characters import is_blank, latin_digits, persian_letters, visible
from .exceptions import InvalidMessage

_TOKEN = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}]*)\}|[{}]")
_NAME = re.compile(r"[^\W\d][\w ()/%٪&+،-]{,63}")
# Characters of a name that are read: the compatibility form of one may be eighteen.
_LONGEST_NAME = 255
_BRACES = {"{{": "{", "}}": "}"}
# More than anybody writes; each costs its part of every message.
MOST_PLACEHOLDERS = 100


@dataclass(frozen=True, slots=True)
class Template:
    """A text in its pieces, for filling it many times.

    ``literals`` are what stands between the placeholders, one more than there are
    names; ``names`` are folded and come as often as they stand there, ``written`` are
    the same for people to read.
    """

    literals: tuple[str, ...]
    names: tuple[str, ...]
    written: tuple[str, ...]

    def length(self, values: Mapping[str, str]) -> int:
        """Return how long the filled text will be; what has no value counts nothing."""
        filled = sum(len(values.get(name, "")) for name in self.names)
        return filled + sum(map(len, self.literals))

    def fill(self, values: Mapping[str, object]) -> str:
        """Return the text with a value, by folded name, for each placeholder.

        Raise InvalidMessage("text") for one that is missing, None or blank.
        """
        pieces = [self.literals[0]]
        holes = zip(self.names, self.written, self.literals[1:], strict=True)
        for name, written, literal in holes:
            pieces += (_value(values.get(name), written), literal)
        return "".join(pieces)


def parse(text: str) -> Template:
    """Take a text apart; raise InvalidMessage("text") for a brace out of place."""
    literals, found, written, literal, end = [], [], [], [], 0
    for token in _TOKEN.finditer(text):
        literal.append(text[end : token.start()])
        end = token.end()
        if name := _name(token):
            literals.append("".join(literal))
            found.append(name)
            written.append(quote_name(token["name"]))
            literal = []
        else:
            literal.append(_BRACES[token[0]])
        if len(found) > MOST_PLACEHOLDERS:
            reason = _("There are too many placeholders; use at most %(limit)s.")
            raise InvalidMessage("text", reason % {"limit": MOST_PLACEHOLDERS})
    literals.append("".join([*literal, text[end:]]))
    return Template(tuple(literals), tuple(found), tuple(written))


def names(template: str) -> tuple[str, ...]:
    """Return the names of a template's placeholders, each once, in their order.

    They are folded (``fold_name``). Raise InvalidMessage("text") for a brace that
    belongs to no placeholder, or a name that is none.
    """
    return tuple(dict.fromkeys(parse(template).names))


def fill(template: str, values: Mapping[str, object]) -> str:
    """Return the template with each placeholder replaced by its value.

    Names are compared folded; a value is put in as it is, its braces mean nothing.
    Raise InvalidMessage("text") for a value that is missing, None or blank: no
    message is better than ``Dear , your code is``.
    """
    return parse(template).fill(
        {fold_name(name): value for name, value in values.items()}
    )


def fold_name(name: str) -> str:
    """Return a name as names are compared: as it is read, by whichever keyboard.

    Letter case, spacing, marks that nobody sees, vowel signs and the forms of letters
    and digits make no other name.
    """
    return _fold(name[:_LONGEST_NAME])


def quote_name(name: str) -> str:
    """Return as much of a name as is read, as it was written, on one line.

    Without marks nobody sees, but for ZWNJ, which Persian is spelt with.
    """
    pieces = name[:_LONGEST_NAME].split("\u200c")
    return " ".join("\u200c".join(map(visible, pieces)).split())


def _fold(text: str) -> str:
    plain = text.replace("\u200c", " ")
    if not plain.isascii():
        # The compatibility forms are what old programs write Persian with.
        plain = visible(unicodedata.normalize("NFKC", plain))
        plain = persian_letters(latin_digits(plain))
        plain = "".join(c for c in plain if unicodedata.category(c) != "Mn")
    return " ".join(plain.casefold().split())


def _name(token: re.Match[str]) -> str:
    """Return the folded name of a placeholder, "" for an escaped brace."""
    if token[0] in _BRACES:
        return ""
    name = fold_name(token["name"] or "")
    if not _NAME.fullmatch(name):
        raise InvalidMessage(
            "text",
            # The place and not the words: errors hold nothing of a text.
            _(
                # {name} is an example:
                # xgettext:no-python-brace-format
                "The brace at character %(place)s belongs to no placeholder. Write "
                "{name}, or {{ and }} where you mean the braces themselves. A name "
                "begins with a letter, and has no signs but ( ) / - + & and %%."
            )
            % {"place": token.start() + 1},
        )
    return name


def _value(value: object, name: str) -> str:
    text = "" if value is None else str(value)
    if not text.strip():
        reason = _("There is no value for {%(name)s}.") % {"name": name}
        raise InvalidMessage("text", reason)
    return text


def read_text(value: object) -> str:
    """Return the text that is to be sent: of a lazy one its words, lines ended by LF.

    Raise InvalidMessage("text") for what is no text, and for what nobody would see.
    """
    if not isinstance(value, str | Promise):
        if value is None:
            raise InvalidMessage("text", _("The text is empty."))
        reason = _("Give the text as text, not as a value of type %(type)s.")
        raise InvalidMessage("text", reason % {"type": type(value).__name__})
    # HTTP's forms end lines by CR LF, which is a character more to pay for.
    text = str(value).replace("\r\n", "\n").replace("\r", "\n")
    if is_blank(text):
        raise InvalidMessage("text", _("The text is empty."))
    return text


def with_footer(text: str, footer: str) -> str:
    """Return the text with a footer on a line of its own, once.

    It is there already where the text ends with the same words, by whichever keyboard
    and with whatever marks between them.
    """
    end = text[-_LONGEST_NAME - 4 * len(footer) :]
    read = _words if _words(footer) else _fold
    if read(end).endswith(read(footer)):
        return text
    return f"{text.rstrip()}\n{footer}"


def _words(text: str) -> str:
    """Return the letters and digits of a folded text alone."""
    return "".join(c for c in _fold(text) if unicodedata.category(c)[0] in "LN")
