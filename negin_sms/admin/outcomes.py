"""What came of an action: in words for the user, and for the history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from django.contrib import messages as notices
from django.utils.translation import ngettext

from negin_sms.characters import listed
from negin_sms.models import Message
from negin_sms.services.database import write_alias

_NAMED = 5

Skipped = Iterable[tuple[int, str]]


@dataclass(slots=True)
class Outcome:
    """What to tell the user, and what to write into the history of which messages."""

    notices: list[tuple[int, str]] = field(default_factory=list)
    history: list[tuple[str, list[Message]]] = field(default_factory=list)

    def __add__(self, other: Outcome) -> Outcome:
        """Return both as one, one after the other."""
        return Outcome(self.notices + other.notices, self.history + other.history)


def tell(
    chosen: Sequence[Message],
    skipped: Skipped,
    done_words: Callable[[list[Message]], str],
    skipped_words: Callable[[Message | None], str],
) -> Outcome:
    """Put a report into words: what was done, and what was not, reason by reason."""
    keys = [message.pk for message in chosen]
    rows = Message.objects.using(write_alias()).in_bulk(keys)
    reasons = dict(skipped)
    done = [rows[key] for key in keys if key in rows and key not in reasons]
    outcome = Outcome()
    if done:
        words = done_words(done)
        outcome.notices.append((notices.SUCCESS, words))
        outcome.history.append((words, done))
    groups: dict[tuple[str, str], list[int]] = {}
    for key, reason in reasons.items():
        groups.setdefault((skipped_words(rows.get(key)), reason), []).append(key)
    for (words, reason), left in groups.items():
        notice = f"{words} ({_which(left)}): {reason}"
        outcome.notices.append((notices.WARNING, notice))
        known = [rows[key] for key in left if key in rows]
        outcome.history.append((f"{words}: {reason}", known))
    return outcome


def _which(keys: Sequence[int]) -> str:
    more = ["…"] if len(keys) > _NAMED else []
    names = listed([*keys[:_NAMED], *more])
    words = ngettext(
        "%(count)s message: %(names)s", "%(count)s messages: %(names)s", len(keys)
    )
    return words % {"count": len(keys), "names": names}
