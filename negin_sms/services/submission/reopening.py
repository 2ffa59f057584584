"""A batch's drafts back in the shape of the page that composed them.

What was pasted and the placeholders are not kept: the drafts hold numbers and filled
texts only. Where the texts differ, what they have in common becomes the text again,
and the rest a column; a remark says so. A footer that all end with is a tick again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from negin_sms.models import Message
from negin_sms.texts import fold_name

from .recipients.reader import write_sheet
from .recipients.tables import Row


@dataclass(frozen=True, slots=True)
class Reopened:
    """The text, with a placeholder where needed, and the recipients as a sheet.

    ``remarks`` are sentences for whoever goes on with it.
    """

    text: str = field(repr=False)
    recipients: str = field(repr=False)
    has_footer: bool
    remarks: tuple[str, ...] = ()


@sensitive_variables()
def reopen(drafts: Sequence[Message], footer: str = "") -> Reopened:
    """Return what composes these drafts again, each with the text that it has.

    ``footer`` is the one that their account appends.
    """
    ending = f"\n{footer}"
    texts = [draft.text for draft in drafts]
    has_footer = bool(footer) and all(text.endswith(ending) for text in texts)
    if has_footer:
        texts = [text.removesuffix(ending) for text in texts]
    if len(set(texts)) == 1:
        rows = [Row(0, draft.mobile) for draft in drafts]
        return Reopened(_escape(texts[0]), write_sheet(rows), has_footer)
    before, after = _in_common(texts)
    name = _("text")
    values = [text[len(before) : len(text) - len(after)] for text in texts]
    rows = [
        Row(0, draft.mobile, {fold_name(name): value})
        for draft, value in zip(drafts, values, strict=True)
    ]
    place = f"{{{name}}}"
    remark = _(
        "The texts are as they were filled in: what differs between them is the column "
        "“%(name)s” now, and %(place)s is its place in the text."
    ) % {"name": name, "place": place}
    text = f"{_escape(before)}{place}{_escape(after)}"
    return Reopened(text, write_sheet(rows, [name]), has_footer, (remark,))


def _in_common(texts: Sequence[str]) -> tuple[str, str]:
    """Return the words that all texts begin and end with, if whole words differ."""
    shared = _common_prefix(texts)
    before = shared[: max(shared.rfind(" "), shared.rfind("\n")) + 1]
    rests = [text[len(before) :][::-1] for text in texts]
    after = _from_end_of_word(_common_prefix(rests)[::-1])
    values = [text[len(before) : len(text) - len(after)] for text in texts]
    # A table's cells are read without the spaces around them.
    whole = all(value and value == value.strip() for value in values)
    return (before, after) if whole else ("", "")


def _from_end_of_word(shared: str) -> str:
    """Return a shared ending from where its first word ends, marks such as "," too."""
    found = re.search(r"[^\w\s]*(?:\s|$)", shared)
    return shared[found.start() :] if found else ""


def _common_prefix(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)
    pairs = zip(first, last, strict=False)
    return first[: next((at for at, (a, b) in enumerate(pairs) if a != b), len(first))]


def _escape(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
