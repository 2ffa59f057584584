"""Texts with placeholders: ``Dear {name}, your code is {code}``.

A placeholder is a name in braces and nothing else: letters of any script, digits,
underscores, spaces and joiners inside, a letter or an underscore first. There is no
attribute, index, format or conversion, so a text that a stranger wrote reads nothing
but the values it is given. ``{{`` and ``}}`` stand for the braces themselves; a brace
that is neither is refused, because it is a placeholder mistyped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from django.utils.translation import gettext as _

from .exceptions import InvalidMessage

_TOKEN = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}]*)\}|[{}]")
_NAME = re.compile(r"[^\W\d][\w \u200c]{,63}")
_BRACES = {"{{": "{", "}}": "}"}
# Spreadsheets saved as cp1256, and some keyboards, have the Arabic letters for these.
_ARABIC = str.maketrans("يىك", "ییک")


def names(template: str) -> tuple[str, ...]:
    """Return the names of a template's placeholders, each once, in their order.

    They are folded (``fold_name``). Raise InvalidMessage("text") for a brace that
    belongs to no placeholder, or a name that is none.
    """
    found = [_name(token) for token in _TOKEN.finditer(template)]
    return tuple(dict.fromkeys(name for name in found if name))


def fill(template: str, values: Mapping[str, object]) -> str:
    """Return the template with each placeholder replaced by its value.

    Names are compared folded; a value is put in as it is, its braces mean nothing.
    Raise InvalidMessage("text") for a value that is missing, None or blank: no
    message is better than ``Dear , your code is``.
    """
    folded = {fold_name(name): value for name, value in values.items()}

    def replace(token: re.Match[str]) -> str:
        name = _name(token)
        return _value(name, folded) if name else _BRACES[token[0]]

    return _TOKEN.sub(replace, template)


def fold_name(name: str) -> str:
    """Return a name as names are compared: whatever its case, spacing and keyboard."""
    plain = name.replace("\u200c", " ").translate(_ARABIC)
    return " ".join(plain.casefold().split())


def _name(token: re.Match[str]) -> str:
    """Return the folded name of a placeholder, "" for an escaped brace."""
    if token[0] in _BRACES:
        return ""
    name = (token["name"] or "").strip()
    if not _NAME.fullmatch(name):
        raise InvalidMessage(
            "text",
            # The place and not the words: errors hold nothing of a text.
            _(
                "The brace at character %(place)s belongs to no placeholder. Write "
                "{name}, or {{ and }} where you mean the braces themselves."
            )
            % {"place": token.start() + 1},
        )
    return fold_name(name)


def _value(name: str, values: Mapping[str, object]) -> str:
    value = values.get(name)
    text = "" if value is None else str(value)
    if not text.strip():
        reason = _("There is no value for {%(name)s}.") % {"name": name}
        raise InvalidMessage("text", reason)
    return text
